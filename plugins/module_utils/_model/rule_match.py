# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rule a packet goes by, in the order of fib_rules_lookup() (net/core/fib_rules.c). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Answer, Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import OTHER_TYPES, UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import GOTO, REFUSALS, TO_TABLE, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import TABLES, holds, network_of

_REFUSED = frozenset(REFUSALS.values())
_THROW = OTHER_TYPES["throw"]


def leading(rules: Sequence[Rule], packet: Packet, answer: Answer) -> Rule | None:
    """The rule that led to the kernel's answer. None where that cannot be told: a rule before it has selectors that
    this collection does not read, or the table of a VRF; or the answer is a refusal that is no rule's.

    ``rules`` are those of the packet's family in the kernel's order.
    """
    for rule in _reached(rules, packet):
        if rule.foreign or (rule.action == TO_TABLE and rule.l3mdev):
            return None
        if rule.action in _REFUSED:
            return rule if answer.route is None else None
        if rule.action == TO_TABLE and answer.route is not None and rule.table == answer.route.table:
            if rule.suppress_ifgroup is not None:
                return None
            if not _suppresses(rule, answer.route):
                return rule
    return None


def ending(rules: Sequence[Rule], packet: Packet, lookup: Callable[[int], Route | None]) -> Rule | None:
    """The rule by which a packet that this host sends would go nowhere: it refuses it, or its table leads back to this
    host. None where it would leave, or where that cannot be told.

    ``rules`` are those of the packet's family in the kernel's order, ``lookup`` gives a table's route to where the
    packet goes.
    """
    for rule in _reached(rules, packet):
        if rule.foreign or rule.l3mdev or rule.suppress_ifgroup is not None:
            return None
        if rule.action in _REFUSED:
            return rule
        if rule.action == TO_TABLE:
            route = lookup(rule.table)
            if route is not None and route.kind != _THROW and not _suppresses(rule, route):
                return rule if route.kind != UNICAST and rule.table != TABLES["local"] else None
    return None


def _reached(rules: Sequence[Rule], packet: Packet) -> Iterator[Rule]:
    """The rules that a packet gets to and may match, for as long as none of them ends its way."""
    least = 0
    for rule in rules:
        if rule.priority >= least and matches(rule, packet):
            yield rule
            # Where nothing is at the target, the rule does nothing.
            if rule.action == GOTO and any(one.priority == rule.target for one in rules):
                least = rule.target


def longest(routes: Iterable[Route], address: str) -> Route | None:
    """The route of a table that an address goes by."""
    fitting = [route for route in routes if not route.tos and holds(route.prefix, address)]
    return min(fitting, key=lambda route: (-network_of(route.prefix).prefixlen, route.metric), default=None)


def _suppresses(rule: Rule, route: Route) -> bool:
    return rule.suppress_prefixlength is not None and network_of(route.prefix).prefixlen <= rule.suppress_prefixlength


def matches(rule: Rule, packet: Packet) -> bool:
    """Whether what this collection reads of a rule fits the packet: as far as that goes, for one with more."""
    selected = _selects(rule, packet)
    return True if rule.foreign and rule.inverted else selected != rule.inverted


def _selects(rule: Rule, packet: Packet) -> bool:
    """A packet has no interface to go out on yet, and here no type of service. Its user is root
    (sock_net_uid() in include/net/sock.h)."""
    return (
        (not rule.source or holds(rule.source, packet.source))
        and (not rule.destination or holds(rule.destination, packet.destination))
        and rule.iif in ("", packet.iif)
        and (rule.mark is None or not (rule.mark ^ packet.mark) & rule.mask)
        and rule.ipproto in (0, packet.ipproto)
        and _in_range(rule.sport, packet.sport)
        and _in_range(rule.dport, packet.dport)
        and _in_range(rule.uidrange, 0)
        and not (rule.oif or rule.tos or rule.dscp)
    )


def _in_range(span: str, number: int) -> bool:
    low, _dash, high = span.partition("-")
    return not span or int(low) <= number <= int(high or low)
