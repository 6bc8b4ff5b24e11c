# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else sets the marks of packets: CNI plugins, VPNs, scripts of several uplinks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_layout import mark_of
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_rules import changed_bits
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK

# Targets of iptables, of which nft tells the name alone.
_TARGETS = ("MARK", "CONNMARK")


def others(ruleset: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each chain of nftables (libnftables-json(5)) that is not this collection's and may change marks, and which bits:
    all of them where that depends on the packet, or where nft does not tell."""
    found: dict[str, int] = {}
    for rule in (item["rule"] for item in ruleset if "rule" in item):
        if mark_of(rule["chain"]) is None:
            for bits in _bits(rule["expr"]):
                name = f"{rule['family']} {rule['table']} {rule['chain']}"
                found[name] = found.get(name, 0) | bits
    return [{"chain": name, "bits": f"{bits:#x}"} for name, bits in found.items()]


def _bits(expressions: Iterable[Any]) -> Iterator[int]:
    for expression in expressions:
        if isinstance(expression, Mapping):
            mangle, target = expression.get("mangle"), expression.get("xt")
            if mangle and mangle["key"] == {"meta": {"key": "mark"}}:
                yield changed_bits(mangle["value"])
            elif target and target.get("type") == "target" and target.get("name") in _TARGETS:
                yield FULL_MASK
