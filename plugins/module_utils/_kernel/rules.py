# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routing policy rules of a network namespace, over rtnetlink (net/core/fib_rules.c)."""

from __future__ import annotations

import functools
import platform
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import answers, host
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import dump
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rule_codec import HEADER, decode_all, encode, owned_by
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Message, Session, Watched
from ansible_collections.lvs.vipless.plugins.module_utils._model import rule_safety
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, UNICAST
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule_removal import moves
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

_GROUPS = {IPV4: 8, IPV6: 19}
"""RTNLGRP_IPV4_RULE and RTNLGRP_IPV6_RULE of include/uapi/linux/rtnetlink.h"""
_DSCP_SINCE = (6, 12)


def require_dscp(named: Iterable[tuple[str, int | None]]) -> None:
    """Raise BadInput for the first (option, value) that selects by DSCP where the kernel would not notice: it ignores
    attributes that it does not know, and the rule would take every packet."""
    found = next(((option, value) for option, value in named if value is not None), None)
    release = platform.release()
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if found and numbers and (int(numbers[1]), int(numbers[2])) < _DSCP_SINCE:
        raise BadInput(*found, f"needs Linux 6.12 or newer, and this is {release}. Use tos, or mark the packets.")


def dump_rules(session: Session, family: int, owners: Iterable[int] = ()) -> list[Rule]:
    """The rules of a family in the kernel's order, with its identical copies: it takes them from who adds without
    NLM_F_EXCL.

    All of the protocol numbers ``owners`` are there, whatever is changed of others meanwhile.
    """
    marks = [owned_by(owner) for owner in owners]
    body = HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
    watched = Watched(_GROUPS[family], lambda payload: any(mark in payload for mark in marks))
    return list(decode_all(session.dump("rules", rtnl.RTM_GETRULE, body, watched)))


class RuleList:
    """The rules of a network namespace, in some families. ``owners`` are the protocol numbers of those that the plan is
    about; ``force`` skips the safety refusals."""

    def __init__(self, session: Session, families: Iterable[int], owners: Iterable[int], force: bool = False) -> None:
        self._session = session
        self._families = sorted(set(families))
        self._owners = frozenset(owners)
        self._force = force
        self._listed: list[Rule] = []
        # None before the first attempt; then the rules that the kernel held to be there already.
        self._refused: set[Rule] | None = None

    def read(self) -> list[Rule]:
        self._listed = [rule for family in self._families for rule in dump_rules(self._session, family, self._owners)]
        return self._listed

    def check(self, plan: Plan[Rule]) -> None:
        """Refuse what would end all traffic, or the controller's, or drop what it means to deliver."""
        new = plan.additions() + [after for _before, after in plan.edits()]
        if self._force or not new:
            return
        tables = {(rule.family, rule.table) for rule in new if rule.table}
        routes_of = functools.cache(functools.partial(dump, self._session))
        ending = {where for where in tables if any(r.is_default and r.kind == LOCAL for r in routes_of(*where))}
        rule_safety.refuse_unselective(new, frozenset(ending))
        leaving = {where for where in tables if (found := routes_of(*where)) and all(r.kind == UNICAST for r in found)}
        rule_safety.refuse_bare_mark(new, host.source_valid_mark(), leaving)
        gone = Counter([*plan.removals(), *(before for before, _after in plan.edits())])
        # One that goes may have a copy that stays.
        staying = (Counter(self._listed) - gone).elements()
        after = sorted([*staying, *new], key=lambda rule: rule.priority)
        for packet in (one for family in self._families for one in answers.answers(self._session, family)):
            rule_safety.refuse_ending(after, new, packet, routes_of)

    def apply(self, plan: Plan[Rule]) -> None:
        """Additions first. The kernel cannot change a rule: its successor is added before it is deleted."""
        added = plan.additions()
        edits = plan.edits()
        unwanted = [*(before for before, _after in edits), *plan.removals()]
        already = send(
            self._session,
            (
                [*self._additions(added), *(_addition(after) for _before, after in edits)],
                [
                    _addition(move.rule) if move.adds else _deletion(move.rule)
                    for move in moves([*self._listed, *added, *(after for _before, after in edits)], unwanted)
                ],
            ),
        )
        self._refused = {step.after for step in already if isinstance(step.after, Rule)}

    def _additions(self, rules: Sequence[Rule]) -> list[Step]:
        """At first exclusively. The kernel then refuses a second copy, but also 'to VIP' where 'from CLIENT to VIP'
        stands at the same priority (rule_exists()): what it refused is added without. What it took and does not show
        is not added again, as a kernel that does not know an attribute would hold a copy more each time."""
        if self._refused is None:
            return [_addition(rule, netlink.NLM_F_EXCL) for rule in rules]
        return [_addition(rule) for rule in rules if rule in self._refused]


def _addition(rule: Rule, flags: int = 0) -> Step:
    return Step(None, rule, Message(rtnl.RTM_NEWRULE, netlink.NLM_F_CREATE | flags, encode(rule)), ALREADY)


def _deletion(rule: Rule) -> Step:
    return Step(rule, None, Message(rtnl.RTM_DELRULE, 0, encode(rule)), GONE)
