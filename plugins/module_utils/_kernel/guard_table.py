# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table that guards VIPs: read whole, repaired and changed in one transaction.

It stands at hook input with priority filter, where IPVS has not been yet (NF_IP_PRI_NAT_SRC - 2 in
net/netfilter/ipvs/ip_vs_core.c). The sets have two fields, so that the kernel changes a copy of them while packets read
the old one (net/netfilter/nft_set_pipapo.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import nft
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, IPV4, IPV6
from ansible_collections.lvs.vipless.plugins.module_utils._model.vip_guard import Entry, Table, Vip
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held, refuse_hiding

CHAIN = "input"
HOOK = {"type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
SETS = {IPV4: "vips_v4", IPV6: "vips_v6"}
_TYPES = {IPV4: ["ipv4_addr", "nf_proto"], IPV6: ["ipv6_addr", "nf_proto"]}
_PROTOCOLS = {IPV4: "ip", IPV6: "ip6"}
_ICMP = {IPV4: 1, IPV6: 58}
_PORT_UNREACHABLE = 1
"""NFT_REJECT_ICMPX_PORT_UNREACH"""
_MARK = {"meta": {"key": "mark"}}

Rule = tuple[str, list[nft.Json]]
"""A rule as nft takes it and as it lists it."""


def rules(mask: int) -> list[Rule]:
    """Two for each family. ICMP passes: IPVS takes errors to the realserver that they are about, and pings are
    answered. All else is refused whose mark IPVS does not balance.

    What a fragment of IPv6 holds is unknown where its headers go on in the next one. A match for what it is not would
    let it through, so that ICMP is matched for what it is, in a rule of its own.
    """
    return [rule for family in SETS for rule in (_passing(family), _refusing(family, mask))]


def _passing(family: int) -> Rule:
    text, match = _guarded(family)
    icmp = _ICMP[family]
    return f"{text} meta l4proto {icmp} accept", [match, _match({"meta": {"key": "l4proto"}}, icmp), {"accept": None}]


def _refusing(family: int, mask: int) -> Rule:
    text, match = _guarded(family)
    # nft lists no mask that takes every bit.
    every = mask == FULL_MASK
    unmarked = f"{'meta mark' if every else f'meta mark & {mask:#x}'} == 0"
    return f"{text} {unmarked} reject with icmpx type port-unreachable", [
        match,
        _match(_MARK if every else {"&": [_MARK, mask]}, 0),
        {"reject": {"type": "icmpx", "expr": _PORT_UNREACHABLE}},
    ]


def _guarded(family: int) -> tuple[str, nft.Json]:
    """What matches packets for the VIPs of a family."""
    protocol, name = _PROTOCOLS[family], SETS[family]
    address = {"payload": {"protocol": protocol, "field": "daddr"}}
    match = _match({"concat": [address, {"meta": {"key": "nfproto"}}]}, f"@{name}")
    return f"{protocol} daddr . meta nfproto @{name}", match


def _match(left: nft.Json, right: object) -> nft.Json:
    return {"match": {"op": "==", "left": left, "right": right}}


@dataclass
class _Content:
    """What a table holds."""

    sets: set[int] = field(default_factory=set)
    hook: nft.Json = field(default_factory=dict)
    rules: list[list[nft.Json]] = field(default_factory=list)
    vips: list[Vip] = field(default_factory=list)

    @property
    def is_hooked(self) -> bool:
        return all(self.hook.get(key) == value for key, value in HOOK.items())

    def mask(self) -> int:
        """What the first rule looks at that looks at marks; 0 where none of ours does."""
        for one in (expression for rule in self.rules for expression in rule):
            left = one.get("match", {}).get("left", {})
            if left == _MARK:
                return FULL_MASK
            if left.get("&", [None])[0] == _MARK and isinstance(left["&"][1], int):
                return left["&"][1]
        return 0

    def damage(self) -> tuple[str, ...]:
        """The parts that are missing or altered."""
        meant = [listed for _text, listed in rules(self.mask())]
        return (
            *(f"set {name}" for family, name in SETS.items() if family not in self.sets),
            *([] if self.is_hooked else [f"chain {CHAIN}"]),
            *([] if self.rules == meant else [f"rules of {CHAIN}"]),
        )


class GuardTable:
    """One table of family inet. It is ours if it holds nothing but what this module makes."""

    def __init__(self, name: str, held: Callable[[], Sequence[Held]] | None = None) -> None:
        """``held`` tells at which addresses the host has to be reached; without it nothing is refused for them."""
        self._name = name
        self._held = held
        self._changes = nft.Transactions()
        self._content = _Content()

    def read(self) -> list[Entry]:
        """All that the table means, and the table itself; nothing where the host has no such table."""
        listing = nft.listing("inet", self._name)
        content = self._content = _Content()
        if listing is None:
            return []
        for item in listing:
            ((kind, body),) = item.items()
            self._take(kind, body)
        return [Table(self._name, content.mask(), content.damage()), *content.vips]

    def check(self, plan: Plan[Entry]) -> None:
        """Refuse VIPs that hold an address of the host itself, be they there already: it may have got one since."""
        refuse_hiding([entry.vip for entry in plan.after if isinstance(entry, Vip)], self._held)

    def apply(self, plan: Plan[Entry]) -> None:
        """One transaction, so that a packet meets the old table or the new one. With the last VIP the table goes."""
        gone = plan.removals()
        if any(isinstance(entry, Table) for entry in gone):
            commands = [f"delete table inet {self._name}"]
        else:
            commands = list(self._commands(gone, [*plan.additions(), *(after for _before, after in plan.edits())]))
        self._changes.carry_out(f"the table inet {self._name}", commands)

    def written_out(self, entries: Sequence[Entry]) -> list[str]:
        """The commands that make a table of these where there is none. For a table that has not been read."""
        return [line for command in self._commands([], list(entries)) for line in command.splitlines()]

    def _take(self, kind: str, body: nft.Json) -> None:
        """Add one object of the listing to the content, or refuse the table for it."""
        content, name = self._content, str(body.get("name"))
        family = next((family for family, known in SETS.items() if kind == "set" and name == known), None)
        if kind == "rule" and body["chain"] == CHAIN:
            content.rules.append(body["expr"])
        elif kind == "chain" and name == CHAIN:
            content.hook = body
        elif family and body["type"] == _TYPES[family] and body.get("flags") in (["interval"], "interval"):
            content.sets.add(family)
            content.vips += [self._vip(family, element) for element in body.get("elem", [])]
        elif kind != "table":
            raise self._foreign(f"a {kind} {name}")
        elif body.get("flags"):
            # Asleep, or owned by a process that is alive: in both cases somebody means it to be so.
            raise self._foreign("flags")

    def _vip(self, family: int, element: nft.Json) -> Vip:
        first = element.get("concat", [None])[0] if isinstance(element, dict) else None
        if isinstance(first, str):
            return Vip(family, first)
        if isinstance(first, dict) and "prefix" in first:
            return Vip(family, f"{first['prefix']['addr']}/{first['prefix']['len']}")
        if isinstance(first, dict) and "range" in first:
            return Vip(family, "-".join(first["range"]))
        raise self._foreign(f"an element {element} in the set {SETS[family]}")

    def _foreign(self, what: str) -> Refused:
        reason = f"the table inet {self._name} of this host has {what}, which this module did not make."
        return Refused("table", self._name, f"{reason} Choose another name, or remove that.")

    def _commands(self, gone: Iterable[Entry], added: Sequence[Entry]) -> Iterator[str]:
        """Each step after those that it needs. The rules are two: where something changes, both are written anew."""
        for table in added:
            if isinstance(table, Table):
                yield f"add table inet {self._name}"
                for family, name in SETS.items():
                    if family not in self._content.sets:
                        kind = " . ".join(_TYPES[family])
                        yield f"add set inet {self._name} {name} {{ type {kind}; flags interval; }}"
                yield from self._chain(table.mask)
        yield from self._elements("delete", gone)
        yield from self._elements("add", added)

    def _chain(self, mask: int) -> Iterator[str]:
        place = f"inet {self._name} {CHAIN}"
        if self._content.hook:
            yield f"flush chain {place}"
        if not self._content.is_hooked:
            if self._content.hook:
                yield f"delete chain {place}"
            definition = f"type {HOOK['type']} hook {HOOK['hook']} priority {HOOK['prio']}; policy {HOOK['policy']};"
            yield f"add chain {place} {{ {definition} }}"
        yield from (f"add rule {place} {text}" for text, _listed in rules(mask))

    def _elements(self, step: str, entries: Iterable[Entry]) -> Iterator[str]:
        """One command for each set: nft takes many elements of one command at once, and commands one by one."""
        vips = [entry for entry in entries if isinstance(entry, Vip)]
        for family, name in SETS.items():
            elements = ",\n".join(f"{vip.vip} . {family}" for vip in vips if vip.family == family)
            if elements:
                yield f"{step} element inet {self._name} {name} {{\n{elements}\n}}"
