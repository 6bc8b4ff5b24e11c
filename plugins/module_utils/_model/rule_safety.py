# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that would cut a host or its traffic off. Pure decisions over facts that the kernel side collects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._errors import FORCE, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import MAIN_PRIORITY, REFUSALS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule_match import ending, longest, matches
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4


def refuse_unselective(rules: Iterable[Rule], tables_with_default: frozenset[tuple[int, int]]) -> None:
    """A rule that ends every packet, or takes it to a table with a local default, takes the host off the network."""
    for rule in rules:
        if rule.selects and not rule.inverted:
            continue
        # Where routes of length 0 are suppressed, the default is the first that does not count.
        if (rule.family, rule.table) in tables_with_default and rule.suppress_prefixlength is None:
            reason = f"it takes every packet to table {rule.table}, where a local default route ends it."
            raise Refused("table", rule.line, reason, override=FORCE)
        if rule.priority < MAIN_PRIORITY and (rule.action in REFUSALS.values() or rule.target > MAIN_PRIORITY):
            verb = "takes every packet past" if rule.target else "ends every packet before"
            reason = f"it {verb} the rule for table main, at priority {MAIN_PRIORITY}."
            raise Refused("action", rule.line, reason, override=FORCE)


def refuse_bare_mark(rules: Iterable[Rule], interfaces: Sequence[str], leaving: Collection[tuple[int, int]]) -> None:
    """With src_valid_mark the reverse lookup of a marked packet finds the local default, and the packet is dropped
    (__fib_validate_source(), net/ipv4/fib_frontend.c). Tables of which every route leaves this host, ``leaving``, have
    no such default; a rule with an oif takes what this host sends itself."""
    for rule in rules:
        delivers = rule.table and not rule.oif and (rule.family, rule.table) not in leaving
        if interfaces and rule.family == IPV4 and rule.mark is not None and not rule.iif and delivers:
            reason = (
                f"src_valid_mark is 1 on {', '.join(interfaces)}, so packets that this rule delivers are dropped "
                "without a word. Give the rule an iif, one rule for each interface."
            )
            raise Refused("fwmark", rule.line, reason, override=FORCE)


def refuse_ending(
    rules: Sequence[Rule], new: Sequence[Rule], packet: Packet, routes_of: Callable[[int, int], Sequence[Route]]
) -> None:
    """Raise Refused where a new rule is the one by which a packet that must leave goes nowhere. ``rules`` are all, of
    both families, in the order that they would have; ``routes_of`` gives those of a family's table."""
    if not any(rule.family == packet.family and matches(rule, packet) for rule in new):
        return
    own = [rule for rule in rules if rule.family == packet.family]
    found = ending(own, packet, lambda table: longest(routes_of(packet.family, table), packet.destination))
    if found in new and found is not None:
        does = "takes them to a table whose route ends here" if found.table else "ends them"
        reason = f"what this host sends from {packet.source} to {packet.destination} goes by it, and it {does}."
        raise Refused("priority", found.line, reason, override=FORCE)
