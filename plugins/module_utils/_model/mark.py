# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall mark that packets for a VIP get, and the nftables table that holds such marks."""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values

ANY = "any"
"""Every protocol and port. Looked up after the others, so that it never hides one of them."""

_PORT = re.compile(r"(tcp|udp|sctp)/([0-9]+)(?:-([0-9]+))?")
_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}")


class Mark(NamedTuple):
    """The packets for some addresses and ports, and what becomes of the bits of their mark within ``mask``.

    ``vip`` is an address or a prefix, ``port`` like ``tcp/80``, ``udp/4000-4999`` or ``any``. The kernel may hold what
    this collection never writes: a ``vip`` such as ``10.0.0.1-10.0.0.6``, and a ``verdict`` in place of a mark.
    """

    family: int
    vip: str
    port: str
    mark: int = 0
    mask: int = values.FULL_MASK
    verdict: str = ""

    @property
    def key(self) -> Hashable:
        """Identity: family, addresses, protocol and ports. The mark is what they get."""
        return self[:3]

    @property
    def line(self) -> str:
        mask = f"/{self.mask:#x}" if self.mask != values.FULL_MASK else ""
        does = self.verdict or f"mark {self.mark:#x}{mask}"
        return f"{values.FAMILY_NAMES[self.family]} {self.vip} {self.port} {does}"

    def within(self, keys: Container[Hashable]) -> bool:
        """Whether it is one of those."""
        return self.key in keys


@dataclass(frozen=True)
class Table:
    """The table itself. ``damage`` names the parts that are missing or altered, ``holds`` the keys of its marks."""

    name: str
    damage: tuple[str, ...] = ()
    holds: frozenset[Hashable] = field(default=frozenset(), compare=False)

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def line(self) -> str:
        return f"table inet {self.name}" + (f" (damaged: {', '.join(self.damage)})" if self.damage else "")

    def within(self, keys: frozenset[Hashable]) -> bool:
        """Whether nothing is left of it without those."""
        return self.holds <= keys


def parse(options: Mapping[str, Any], label: str = "", needs_mark: bool = True) -> list[tuple[str, Mark]]:
    """The marks that one entry of the module's options asks for, one for each VIP and port, with the VIP's option."""
    if not options["vips"]:
        raise BadInput(label + "vips", options["vips"], "is empty: name at least one VIP.")
    if options["mark"] is None and needs_mark:
        raise BadInput(label + "mark", None, "is missing: say which mark the packets get.")
    mark, mask = values.mark_and_mask(label + "mark", options["mark"] or "0")
    ports = _ports(label + "ports", options["ports"])
    found: list[tuple[str, Mark]] = []
    for place, text in enumerate(options["vips"]):
        option = f"{label}vips[{place}]"
        network = values.network(option, text)
        vip, family = vip_text(network), values.family_of(network)
        found.extend((option, Mark(family, vip, port, mark, mask)) for port in ports)
    return found


def vip_text(network: values.Network) -> str:
    """A prefix, or the address alone where it holds no other."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def table_name(option: str, text: str) -> str:
    """The name of a table as every command of nft takes it."""
    if not _TABLE_NAME.fullmatch(text):
        raise BadInput(option, text, "is not a table's name (letters, digits, '_', '.', '-'; not a digit first).")
    return text


def refuse_overlaps(labelled: Sequence[tuple[str, Mark]]) -> None:
    """Raise BadInput where two marks claim the same packets: which of them counts would be left to chance."""
    pair = overlap([mark for _label, mark in labelled])
    if pair:
        (first_label, first), (second_label, second) = (labelled[place] for place in pair)
        raise BadInput(second_label, second.line, f"overlaps {first_label}: {first.line!r}.")


def overlap(marks: Sequence[Mark]) -> tuple[int, int] | None:
    """The places of two marks that share a packet, the lower first, or None.

    A prefix meets only those around it and itself. So each mark, the widest prefixes first, is compared with what the
    few prefix lengths above its own hold at its address: n log n steps and not n².
    """
    lengths: dict[tuple[int, str], set[int]] = defaultdict(set)
    held: dict[tuple[tuple[int, str], int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for length, place, leading in sorted(_prefixes(marks)):
        protocol, low, high = _span(marks[place].port)
        group = (marks[place].family, protocol)
        for outer in lengths[group]:
            spans = held.get((group, outer, leading >> (length - outer)), [])
            # Spans of one prefix are sorted and apart: the last that starts in time is the only candidate.
            at = bisect_left(spans, (high + 1, 0, 0)) - 1
            if at >= 0 and spans[at][1] >= low:
                other = spans[at][2]
                return min(place, other), max(place, other)
        lengths[group].add(length)
        insort(held[group, length, leading], (low, high, place))
    return None


def _prefixes(marks: Iterable[Mark]) -> Iterator[tuple[int, int, int]]:
    """Prefix length, place and leading bits of each mark; several where the kernel holds a range of addresses."""
    for place, mark in enumerate(marks):
        first, dash, last = mark.vip.partition("-")
        for vip in map(vip_text, between(first, last)) if dash else [first]:
            text, _slash, length_text = vip.partition("/")
            address = ipaddress.ip_address(text)
            length = int(length_text or address.max_prefixlen)
            yield length, place, int(address) >> (address.max_prefixlen - length)


def between(first: str, last: str) -> list[values.Network]:
    """The fewest prefixes that together hold the addresses from first to last."""
    return list(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))


def _span(port: str) -> tuple[str, int, int]:
    """Protocol, first and last port."""
    protocol, _slash, ports = port.partition("/")
    low, _dash, high = ports.partition("-")
    return protocol, int(low or 0), int(high or low or 0)


def _ports(option: str, texts: Sequence[str] | None) -> list[str]:
    if not texts:
        raise BadInput(option, texts, f"{'is missing' if texts is None else 'is empty'}: name ports, or {ANY}.")
    if ANY in texts and len(texts) > 1:
        raise BadInput(option, texts, f"names ports beside {ANY}, which is all of them.")
    return [_port(f"{option}[{place}]", text) for place, text in enumerate(texts)]


def _port(option: str, text: str) -> str:
    """Canonical text of a port or a range of them."""
    if text == ANY:
        return ANY
    match = _PORT.fullmatch(text)
    if not match:
        raise BadInput(option, text, f"is not {ANY} nor a port such as tcp/80, udp/4000-4999 or sctp/2905.")
    low = int(match[2])
    high = int(match[3] or low)
    if not 1 <= low <= 65535 or not 1 <= high <= 65535:
        raise BadInput(option, text, "names a port that is not between 1 and 65535.")
    if low > high:
        raise BadInput(option, text, "ends before it starts.")
    return f"{match[1]}/{low}" + (f"-{high}" if high > low else "")
