# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which two marks claim the same packets."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark

Span = tuple[int, int, int]
"""First port, last port, and the place of the mark."""


class _Prefix(NamedTuple):
    """A prefix as its length and its leading bits."""

    length: int
    leading: int

    def around(self, length: int) -> _Prefix:
        """The wider prefix of that length that holds it."""
        return _Prefix(length, self.leading >> (self.length - length))


_EVERYWHERE = _Prefix(0, 0)


def overlap(marks: Sequence[Mark]) -> tuple[int, int] | None:
    """The places of two marks that share a packet and are looked up together, the lower first, or None.

    A prefix meets only those around it and itself. So each mark, the widest VIPs first, is compared with what the few
    prefix lengths above its own hold at its address: n log n steps and not n². Its source may lie in theirs or hold it.
    """
    groups: dict[Hashable, list[tuple[_Prefix, _Prefix, Span]]] = defaultdict(list)
    for place, mark in enumerate(marks):
        protocol, low, high = _span(mark.port)
        kind = (mark.family, protocol, "/" in mark.port, mark.iif, bool(mark.source))
        source = _prefix(mark.source) if mark.source else _EVERYWHERE
        groups[kind].extend((vip, source, (low, high, place)) for vip in _prefixes(mark.vip))
    for group in groups.values():
        group.sort()
        pair = _overlap(group)
        if pair:
            return min(pair), max(pair)
    return None


def _overlap(group: Sequence[tuple[_Prefix, _Prefix, Span]]) -> tuple[int, int] | None:
    vip_lengths: set[int] = set()
    source_lengths = {source.length for _vip, source, _span in group}
    held: dict[tuple[_Prefix, _Prefix], list[Span]] = {}
    # The spans of the sources that a wider one holds, by that.
    below: dict[tuple[_Prefix, _Prefix], list[Span]] = defaultdict(list)
    for vip, source, span in group:
        for outer in map(vip.around, vip_lengths | {vip.length}):
            around = (held.get((outer, source.around(n)), ()) for n in source_lengths if n <= source.length)
            other = next((found for spans in around if (found := _meets(spans, span)) is not None), None)
            if other is None:
                within = below.get((outer, source), ())
                other = next((place for low, high, place in within if low <= span[1] and high >= span[0]), None)
            if other is not None:
                return other, span[2]
        vip_lengths.add(vip.length)
        insort(held.setdefault((vip, source), []), span)
        for length in source_lengths:
            if length < source.length:
                below[vip, source.around(length)].append(span)
    return None


def _meets(spans: Sequence[Span], span: Span) -> int | None:
    """The place of the one that shares a port. Those of one prefix are sorted and apart: the last that starts in time
    is the only candidate."""
    at = bisect_left(spans, (span[1] + 1, 0, 0)) - 1
    return spans[at][2] if at >= 0 and spans[at][1] >= span[0] else None


def _prefixes(vip: str) -> Iterator[_Prefix]:
    """Several where the kernel holds a range of addresses."""
    first, dash, last = vip.partition("-")
    yield from map(_prefix, map(vip_text, between(first, last)) if dash else [first])


def _prefix(text: str) -> _Prefix:
    written, _slash, length_text = text.partition("/")
    address = ipaddress.ip_address(written)
    length = int(length_text or address.max_prefixlen)
    return _Prefix(length, int(address) >> (address.max_prefixlen - length))


def between(first: str, last: str) -> list[values.Network]:
    """The fewest prefixes that together hold the addresses from first to last."""
    return list(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))


def vip_text(network: values.Network) -> str:
    """A prefix, or the address alone where it holds no other."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _span(port: str) -> tuple[str, int, int]:
    """Protocol, first and last port."""
    protocol, _slash, ports = port.partition("/")
    low, _dash, high = ports.partition("-")
    return protocol, int(low or 0), int(high or low or 0)
