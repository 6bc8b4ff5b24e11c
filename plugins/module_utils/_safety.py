# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would cut a host or its traffic off. Pure decisions over facts that the kernel side collects."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import MAIN_PRIORITY, REFUSALS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, PROTOCOLS, TABLES


class Held(NamedTuple):
    """An address that must stay reachable, what it is, and the device that has it (or nothing)."""

    address: str
    what: str
    device: str


def refuse_replacing(edits: Iterable[tuple[Route, Route]]) -> None:
    """A route of the kernel, or one that leads somewhere, is not ours to turn into another. Its owner may give it
    another next hop."""
    for before, after in edits:
        is_same = before.kind == after.kind and before.protocol == after.protocol
        if (before.kind == UNICAST and not is_same) or before.protocol == PROTOCOLS["kernel"]:
            raise Refused(
                "prefixes", after.prefix, f"this host has '{before.line}' there. Remove that, or choose another metric."
            )


def refuse_covering(routes: Iterable[Route], held: Sequence[Held]) -> None:
    """A prefix that ends here, in a table that every packet passes, must hold nothing the host needs beyond itself."""
    prefixes = dict.fromkeys(route.prefix for route in routes if route.table in TABLES.values())
    # Few addresses meet many prefixes: those that would hold an address are looked up, one for each length in use.
    lengths = {(":" in prefix, int(prefix.rpartition("/")[2])) for prefix in prefixes}
    for item in held:
        for is_ipv6, length in lengths:
            if item.device == "lo" or is_ipv6 != (":" in item.address):
                continue
            holding = str(ipaddress.ip_network(f"{item.address}/{length}", strict=False))
            if holding in prefixes:
                raise Refused("prefixes", holding, f"it holds {item.address}, {item.what}.", override="force: true")


def refuse_unselective(rules: Iterable[Rule], tables_with_default: frozenset[tuple[int, int]]) -> None:
    """A rule that ends every packet, or takes it to a table with a local default, takes the host off the network."""
    for rule in rules:
        if rule.selects and not rule.inverted:
            continue
        # Where routes of length 0 are suppressed, the default is the first that does not count.
        if (rule.family, rule.table) in tables_with_default and rule.suppress_prefixlength is None:
            reason = f"it takes every packet to table {rule.table}, where a local default route ends it."
            raise Refused("table", rule.line, reason, override="force: true")
        if rule.priority < MAIN_PRIORITY and (rule.action in REFUSALS.values() or rule.target > MAIN_PRIORITY):
            verb = "takes every packet past" if rule.target else "ends every packet before"
            reason = f"it {verb} the rule for table main, at priority {MAIN_PRIORITY}."
            raise Refused("action", rule.line, reason, override="force: true")


def refuse_bare_mark(rules: Iterable[Rule], interfaces: Sequence[str]) -> None:
    """With src_valid_mark the reverse lookup of a marked packet finds the local default, and the packet is dropped."""
    for rule in rules:
        if interfaces and rule.family == IPV4 and rule.mark is not None and not rule.iif:
            reason = (
                f"src_valid_mark is 1 on {', '.join(interfaces)}, so packets that this rule delivers are dropped "
                "without a word. Give the rule an iif, one rule for each interface."
            )
            raise Refused("fwmark", rule.line, reason, override="force: true")
