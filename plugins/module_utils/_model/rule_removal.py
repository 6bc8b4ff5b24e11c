# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to delete exactly the rule that is meant.

The kernel deletes the first rule that has every attribute of the request; an attribute that the request lacks fits any
(rule_find() in net/core/fib_rules.c). A request for 'to VIP' therefore deletes 'from CLIENT to VIP' where that stands
first at the same priority. There a copy of the rule that must stay is put behind the one that must go, and the first of
the two copies falls instead: at every moment one of them is in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule


class Move(NamedTuple):
    """One request: add a copy of a rule behind its equals, or delete the first that has the rule's attributes."""

    adds: bool
    rule: Rule


def moves(listed: Iterable[Rule], unwanted: Iterable[Rule]) -> Iterator[Move]:
    """The requests that delete each unwanted rule once. ``listed``: all rules, in the kernel's order."""
    order: dict[tuple[object, ...], list[Rule]] = {}
    for rule in listed:
        for bucket in _buckets(rule):
            order.setdefault(bucket, []).append(rule)
    for rule in unwanted:
        standing = order.get(_bucket(rule), [])
        while (first := next((other for other in standing if _fits(rule, other)), rule)) != rule:
            yield Move(True, first)
            yield Move(False, rule)
            for bucket in _buckets(first):
                order[bucket].remove(first)
                order[bucket].append(first)
        yield Move(False, rule)
        for bucket in _buckets(rule):
            if rule in order.get(bucket, ()):
                order[bucket].remove(rule)


def _bucket(rule: Rule) -> tuple[object, ...]:
    """Where every rule stands that a request for this one could hit: ten thousand destinations are not one list."""
    return (rule.family, rule.priority, rule.protocol, rule.destination)


def _buckets(rule: Rule) -> set[tuple[object, ...]]:
    return {_bucket(rule), _bucket(rule._replace(destination=""))}


def _fits(request: Rule, other: Rule) -> bool:
    """Whether a deletion of ``request`` could take ``other``: all that the request says, the other has."""
    return all(said == has or _says_nothing(name, said) for name, said, has in zip(Rule._fields, request, other))


def _says_nothing(name: str, said: object) -> bool:
    return said is None or name in _NOT_COMPARED or (not said and name not in _SAID_BY_ZERO)


_NOT_COMPARED = {"inverted", "target"}
_SAID_BY_ZERO = {"dscp", "suppress_prefixlength", "suppress_ifgroup"}
