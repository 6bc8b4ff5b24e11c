# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules in the words of the options that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import ACTIONS, GOTO, PROTOCOLS, TO_TABLE, Rule


class Wanted(NamedTuple):
    """Which rules to tell of; None stands for all of a kind."""

    family: int | None
    priority: int | None
    table: int | None
    protocol: int | None

    def fits(self, rule: Rule) -> bool:
        """Whether to tell of it. The kernel's own rules are told of where its protocol is asked for."""
        if rule.protocol == values.PROTOCOLS["kernel"] != self.protocol:
            return False
        return all(
            asked in (None, has)
            for asked, has in ((self.priority, rule.priority), (self.table, rule.table), (self.protocol, rule.protocol))
        )


def wanted(options: Mapping[str, Any]) -> Wanted:
    """The filters of the module's options."""
    family, priority, table, protocol = (options[name] for name in Wanted._fields)
    return Wanted(
        values.FAMILIES[family] if family else None,
        values.number("priority", priority, 0, values.FULL_MASK) if priority is not None else None,
        values.table("table", table) if table is not None else None,
        values.protocol("protocol", protocol) if protocol is not None else None,
    )


def report(rule: Rule) -> dict[str, Any]:
    """One rule as an entry of options; what it does not have is left out."""
    mask = f"/{rule.mask:#x}" if rule.mask != values.FULL_MASK else ""
    found = {
        "priority": rule.priority,
        "family": values.FAMILY_NAMES.get(rule.family, str(rule.family)),
        "from": rule.source or None,
        "to": rule.destination or None,
        "iif": rule.iif or None,
        "oif": rule.oif or None,
        "fwmark": None if rule.mark is None else f"{rule.mark:#x}{mask}",
        "tos": f"{rule.tos:#04x}" if rule.tos else None,
        "dscp": rule.dscp,
        "ipproto": values.name_of(PROTOCOLS, rule.ipproto) if rule.ipproto else None,
        "sport": rule.sport or None,
        "dport": rule.dport or None,
        "uidrange": rule.uidrange or None,
        "not": rule.inverted or None,
        "action": values.name_of(ACTIONS, rule.action),
        "table": values.name_of(values.TABLES, rule.table) if rule.action == TO_TABLE and not rule.l3mdev else None,
        "l3mdev": rule.l3mdev or None,
        "goto": rule.target if rule.action == GOTO else None,
        "suppress_prefixlength": rule.suppress_prefixlength,
        "suppress_ifgroup": rule.suppress_ifgroup,
        "protocol": values.name_of(values.PROTOCOLS, rule.protocol),
    }
    return {name: value for name, value in found.items() if value is not None}
