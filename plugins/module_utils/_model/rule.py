# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A routing policy rule (ip-rule(8), net/core/fib_rules.c)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values

TO_TABLE = 1
"""FR_ACT_TO_TBL of include/uapi/linux/fib_rules.h"""
ACTIONS = {"goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}


class Rule(NamedTuple):
    """One rule. Prefixes and interface names are empty where the rule does not select by them; ``mark`` is None then.

    ``foreign`` holds the raw attributes of selectors that this collection does not write: such a rule is never
    equal to one of ours, and is sent back whole when it has to be deleted.
    """

    family: int
    priority: int
    protocol: int
    source: str = ""
    destination: str = ""
    iif: str = ""
    mark: int | None = None
    mask: int = 0
    inverted: bool = False
    tos: int = 0
    foreign: bytes = b""
    action: int = TO_TABLE
    table: int = 0

    @property
    def key(self) -> Hashable:
        """Identity: family, priority, owner and the full selector; action and table are what the rule does."""
        return self[:-2]

    @property
    def selects(self) -> bool:
        """Whether the rule matches only some packets."""
        return bool(self.source or self.destination or self.iif or self.mark is not None or self.tos or self.foreign)

    @property
    def line(self) -> str:
        """As ``ip -N rule`` shows it, with the family in front."""
        words = [f"{values.FAMILY_NAMES.get(self.family, self.family)} {self.priority}:"]
        words += ["not"] if self.inverted else []
        words += ["from", self.source or "all"]
        words += ["to", self.destination] if self.destination else []
        words += ["tos", f"{self.tos:#04x}"] if self.tos else []
        if self.mark is not None:
            words += ["fwmark", f"{self.mark:#x}" + (f"/{self.mask:#x}" if self.mask != values.FULL_MASK else "")]
        words += ["iif", self.iif] if self.iif else []
        words += ["attributes", self.foreign.hex()] if self.foreign else []
        words += ["lookup", values.name_of(values.TABLES, self.table)] if self.action == TO_TABLE else []
        words += [] if self.action == TO_TABLE else [values.name_of(ACTIONS, self.action)]
        return " ".join([*words, "proto", str(self.protocol)])


def parse(options: Mapping[str, Any], label: str = "", needs_table: bool = True) -> list[Rule]:
    """The rules that one entry of the module's options asks for: one, or a pair for ``family: both``."""
    prefixes = {
        name: values.network(label + name, options[name]) for name in ("from", "to") if options[name] is not None
    }
    families = _families(options["family"], prefixes, label)
    mark, mask = None, 0
    if options["fwmark"] is not None:
        mark, mask = values.mark_and_mask(label + "fwmark", options["fwmark"])
    if options["table"] is None and needs_table:
        raise BadInput(label + "table", None, "is missing: say which table the rule leads to.")
    return [
        Rule(
            family=family,
            priority=values.number(label + "priority", options["priority"], 0, values.FULL_MASK),
            protocol=values.protocol(label + "protocol", options["protocol"]),
            source=_selector(prefixes.get("from")),
            destination=_selector(prefixes.get("to")),
            iif=values.interface(label + "iif", options["iif"]) if options["iif"] is not None else "",
            mark=mark,
            mask=mask,
            table=values.table(label + "table", options["table"]) if options["table"] is not None else 0,
        )
        for family in families
    ]


def _selector(prefix: values.Network | None) -> str:
    """The kernel drops a selector of length 0: it selects nothing."""
    return "" if prefix is None or prefix.prefixlen == 0 else str(prefix)


def _families(family: str | None, prefixes: Mapping[str, values.Network], label: str) -> list[int]:
    found = {values.family_of(prefix) for prefix in prefixes.values()}
    if len(found) > 1:
        raise BadInput(label + "to", str(prefixes["to"]), f"is not of the family of from: {str(prefixes['from'])!r}.")
    if family is None:
        if not found:
            raise BadInput(label + "family", None, "is missing: the rule names no address to take it from.")
        return sorted(found)
    if family == "both":
        if found:
            raise BadInput(label + "family", family, "cannot go with an address, which has one family.")
        return [values.IPV4, values.IPV6]
    if found and found != {values.FAMILIES[family]}:
        raise BadInput(label + "family", family, "is not the family of the addresses given.")
    return [values.FAMILIES[family]]
