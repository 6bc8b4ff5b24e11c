# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A routing policy rule (ip-rule(8), net/core/fib_rules.c)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values

TO_TABLE, GOTO = 1, 2
"""FR_ACT_TO_TBL and FR_ACT_GOTO of include/uapi/linux/fib_rules.h"""
REFUSALS = {"blackhole": 6, "unreachable": 7, "prohibit": 8}
ACTIONS = {"lookup": TO_TABLE, "goto": GOTO, "nop": 3, **REFUSALS}
MAIN_PRIORITY = 32766
"""Where the kernel puts the rule for table main."""
PROTOCOLS = {**values.TRANSPORTS, "icmp": 1, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58}
"""Names of transport protocols (IANA, Protocol Numbers)."""


class Rule(NamedTuple):
    """One rule. A selector that the rule does not have is empty, 0 or None; ranges are text like ``80`` or ``80-89``.

    ``foreign`` holds the raw attributes of selectors that this collection does not write: such a rule is never
    equal to one of ours, and is sent back whole when it has to be deleted. What the rule does begins with ``action``.
    """

    family: int
    priority: int
    protocol: int
    source: str = ""
    destination: str = ""
    iif: str = ""
    oif: str = ""
    mark: int | None = None
    mask: int = 0
    inverted: bool = False
    tos: int = 0
    dscp: int | None = None
    ipproto: int = 0
    sport: str = ""
    dport: str = ""
    uidrange: str = ""
    foreign: bytes = b""
    action: int = TO_TABLE
    table: int = 0
    l3mdev: bool = False
    target: int = 0
    suppress_prefixlength: int | None = None
    suppress_ifgroup: int | None = None

    @property
    def key(self) -> Hashable:
        """Identity: family, priority, owner and the full selector; all else is what the rule does."""
        return self[:_IDENTITY]

    @property
    def selects(self) -> bool:
        """Whether the rule matches only some packets."""
        everything = Rule(*self[:3], mask=self.mask, inverted=self.inverted)
        return self.key != everything.key

    @property
    def line(self) -> str:
        """As ``ip -N rule`` shows it, with the family in front."""
        words = [f"{values.FAMILY_NAMES.get(self.family, self.family)} {self.priority}:"]
        words += ["not"] if self.inverted else []
        words += ["from", self.source or "all"]
        return " ".join([*words, *self._selectors(), *self._does(), "proto", str(self.protocol)])

    def _selectors(self) -> Iterator[str]:
        mask = f"/{self.mask:#x}" if self.mask != values.FULL_MASK else ""
        for name, value in (
            ("to", self.destination),
            ("tos", f"{self.tos:#04x}" if self.tos else ""),
            ("dscp", "" if self.dscp is None else str(self.dscp)),
            ("fwmark", "" if self.mark is None else f"{self.mark:#x}{mask}"),
            ("iif", self.iif),
            ("oif", self.oif),
            ("uidrange", self.uidrange),
            ("ipproto", values.name_of(PROTOCOLS, self.ipproto) if self.ipproto else ""),
            ("sport", self.sport),
            ("dport", self.dport),
            ("attributes", self.foreign.hex()),
        ):
            if value:
                yield from (name, value)

    def _does(self) -> Iterator[str]:
        if self.action != TO_TABLE:
            yield values.name_of(ACTIONS, self.action)
            if self.action == GOTO:
                yield str(self.target)
            return
        yield "lookup"
        yield "[l3mdev-table]" if self.l3mdev else values.name_of(values.TABLES, self.table)
        if self.suppress_prefixlength is not None:
            yield from ("suppress_prefixlength", str(self.suppress_prefixlength))
        if self.suppress_ifgroup is not None:
            yield from ("suppress_ifgroup", str(self.suppress_ifgroup))


_IDENTITY = Rule._fields.index("action")
