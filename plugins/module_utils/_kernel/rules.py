# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing policy rules over rtnetlink (net/core/fib_rules.c, include/uapi/linux/fib_rules.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import source_valid_mark
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import dump
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule_removal import moves
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import refuse_bare_mark, refuse_unselective

_INVERT = 0x2
_RT_TABLE_COMPAT = 252
_DST, _SRC, _IIF, _PRIORITY, _MARK = 1, 2, 3, 6, 10
_SUPPRESS_GROUP, _SUPPRESS_LENGTH, _TABLE, _MASK, _PROTOCOL = 13, 14, 15, 16, 21
_NUMBERED = {_PRIORITY, _MARK, _TABLE, _MASK}

_HEADER = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")
_UNSET = _U32.pack(FULL_MASK)


def encode(rule: Rule) -> bytes:
    """struct fib_rule_hdr and every attribute: a deletion that leaves one out removes the first rule that fits."""
    parts = [b""]
    lengths = [0, 0]
    for place, (number, prefix) in enumerate(((_DST, rule.destination), (_SRC, rule.source))):
        if prefix:
            packed, lengths[place] = inet.split(prefix)
            parts.append(attribute(number, packed))
    if rule.iif:
        parts.append(attribute(_IIF, rule.iif.encode() + b"\0"))
    parts.append(attribute(_PRIORITY, _U32.pack(rule.priority)))
    if rule.mark is not None:
        parts.append(attribute(_MARK, _U32.pack(rule.mark)))
        parts.append(attribute(_MASK, _U32.pack(rule.mask)))
    if rule.table:
        parts.append(attribute(_TABLE, _U32.pack(rule.table)))
    parts.append(attribute(_PROTOCOL, bytes([rule.protocol])))
    parts.append(rule.foreign)
    table = rule.table if rule.table < 256 else _RT_TABLE_COMPAT
    flags = _INVERT if rule.inverted else 0
    parts[0] = _HEADER.pack(rule.family, lengths[0], lengths[1], rule.tos, table, 0, 0, rule.action, flags)
    return b"".join(parts)


def decode(payload: bytes) -> Rule:
    """A rule as the kernel dumps it. What it writes for 'not set' is left out; so are the detached flags."""
    family, dst_len, src_len, tos, _table, _res1, _res2, action, flags = _HEADER.unpack_from(payload)
    number = dict.fromkeys(_NUMBERED, 0)
    texts = {_DST: "", _SRC: "", _IIF: ""}
    protocol = 0
    mark = None
    foreign: list[bytes] = []
    for kind, value in attributes(payload[12:]):
        if kind in _NUMBERED:
            number[kind] = _U32.unpack(value)[0]
        elif kind in (_DST, _SRC):
            texts[kind] = f"{inet.text(value)}/{dst_len if kind == _DST else src_len}"
        elif kind == _IIF:
            texts[kind] = value.rstrip(b"\0").decode()
        elif kind == _PROTOCOL:
            protocol = value[0]
        elif not (kind in (_SUPPRESS_GROUP, _SUPPRESS_LENGTH) and value == _UNSET):
            foreign.append(attribute(kind, value))
    if number[_MARK] or number[_MASK]:
        mark = number[_MARK]
    return Rule(
        family=family,
        priority=number[_PRIORITY],
        protocol=protocol,
        source=texts[_SRC],
        destination=texts[_DST],
        iif=texts[_IIF],
        mark=mark,
        mask=number[_MASK],
        inverted=bool(flags & _INVERT),
        tos=tos,
        foreign=b"".join(foreign),
        action=action,
        table=number[_TABLE],
    )


class RuleList:
    """The rules of a network namespace, in some families. ``owners`` are the protocol numbers of those that the plan is
    about; ``force`` skips the safety refusals."""

    def __init__(self, session: Session, families: Iterable[int], owners: Iterable[int], force: bool = False) -> None:
        self._session = session
        self._families = sorted(set(families))
        self._marks_of_owners = [attribute(_PROTOCOL, bytes([owner])) for owner in set(owners)]
        self._force = force
        self._listed: list[Rule] = []
        self._first_attempt = True

    def read(self) -> list[Rule]:
        """Each rule once: under concurrent change the kernel's dump can repeat one."""
        self._listed = []
        for family in self._families:
            body = _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            self._listed.extend(map(decode, self._session.dump("rules", rtnl.RTM_GETRULE, body, self._is_owned)))
        return list(dict.fromkeys(self._listed))

    def _is_owned(self, payload: bytes) -> bool:
        """Whether it may be a rule of one of the owners: their attribute is among its bytes."""
        return any(mark in payload for mark in self._marks_of_owners)

    def check(self, plan: Plan[Rule]) -> None:
        """Refuse what would end all traffic, or drop what it means to deliver."""
        new = plan.additions() + [after for _before, after in plan.edits()]
        if self._force or not new:
            return
        tables = {(rule.family, rule.table) for rule in new if rule.table}
        ending = {
            where for where in tables if any(r.is_default and r.kind == LOCAL for r in dump(self._session, *where))
        }
        refuse_unselective(new, frozenset(ending))
        refuse_bare_mark(new, source_valid_mark())

    def apply(self, plan: Plan[Rule]) -> None:
        """Additions first. The kernel cannot change a rule: its successor is added before it is deleted."""
        added = plan.additions() + [after for _before, after in plan.edits()]
        unwanted = [before for before, _after in plan.edits()] + plan.removals()
        send(
            self._session,
            (
                [_addition(rule, exclusively=self._first_attempt) for rule in added],
                [_addition(m.rule) if m.adds else _deletion(m.rule) for m in moves(self._listed + added, unwanted)],
            ),
        )
        self._first_attempt = False


def _addition(rule: Rule, exclusively: bool = False) -> Step:
    """Exclusively, the kernel refuses a second copy, but also 'to VIP' where 'from CLIENT to VIP' stands at the same
    priority (rule_exists()): what is still missing after that attempt is added without."""
    flags = netlink.NLM_F_CREATE | (netlink.NLM_F_EXCL if exclusively else 0)
    return Step(None, rule, Message(rtnl.RTM_NEWRULE, flags, encode(rule)), ALREADY)


def _deletion(rule: Rule) -> Step:
    return Step(rule, None, Message(rtnl.RTM_DELRULE, 0, encode(rule)), GONE)
