# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a mark lies in an nftables table: the maps by what a packet is looked up by, and their elements. Pure.

Elements are written as nft(8) takes them and read as libnftables-json(5) lists them. Verdict maps hold the marks;
each distinct mark has a small chain, since a packet's mark cannot be set from a map while some of its bits are kept.
``goto`` ends the lookups, so that what the first map has found is left alone by the others.

A map without ranges is a hash table, in which the kernel adds and removes an element at once. In a map with ranges it
looks through all of them to remove one (pipapo_rules_same_key() in net/netfilter/nft_set_pipapo.c): ten of ten thousand
took 2 ms in the one and 380 ms in the other (measured, Linux 6.18). So there are both for each kind of lookup.

Where an element of a map with ranges takes another's place, packets find neither for as long as the kernel needs to
change the map, up to Linux 6.16: the old one is no more, the new one is in a copy (nft_pipapo_commit()). So a third
map, which is looked in before, holds the new ones meanwhile, and goes afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_network
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.nft_element import bare
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import ANY, PROTOCOLS, Mark, protocol_number
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark_overlap import between, vip_text
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, IPV4, IPV6, name_of

Expression = Any
"""A number, a word, or an object of one key that names its kind."""

_MARK_CHAIN = re.compile(r"mark_0x([0-9a-f]{1,8})(?:_0x([0-9a-f]{1,8}))?")


class Field(NamedTuple):
    """A part of a packet: its type, and where it is, as nft takes it and as it lists it."""

    type: str
    text: str
    json: Expression


def _payload(kind: str, protocol: str, field: str) -> Field:
    return Field(kind, f"{protocol} {field}", {"payload": {"protocol": protocol, "field": field}})


def _meta(kind: str, key: str) -> Field:
    return Field(kind, key if key == "iifname" else f"meta {key}", {"meta": {"key": key}})


_IIF = _meta("ifname", "iifname")
_L4PROTO = _meta("inet_proto", "l4proto")
_PORT = _payload("inet_service", "th", "dport")
_ADDRESSES = {
    family: {field: _payload(kind, protocol, field) for field in ("saddr", "daddr")}
    for family, kind, protocol in ((IPV4, "ipv4_addr", "ip"), (IPV6, "ipv6_addr", "ip6"))
}
_KINDS = {"ports": [_L4PROTO, _PORT], "protocol": [_L4PROTO], ANY: [_meta("nf_proto", "nfproto")]}
"""What a packet is looked up by beside addresses and interface. Two fields or more make a set of ranges one that the
kernel changes a copy of, while packets read the old one."""
_FAMILIES = {IPV4: "v4", IPV6: "v6"}


class Map(NamedTuple):
    """A map: what its marks have in common, and what a packet is looked up by. ``moving`` is one that holds new
    elements of another while they take the places of old ones."""

    family: int
    iif: bool
    source: bool
    kind: str
    exact: bool
    moving: bool = False

    @property
    def name(self) -> str:
        words = [_FAMILIES[self.family], "iif" if self.iif else "", "source" if self.source else "", self.kind]
        return "_".join(filter(None, [*words, "exact" if self.exact else "", "moving" if self.moving else ""]))

    @property
    def fields(self) -> list[Field]:
        addresses = _ADDRESSES[self.family]
        where = [*([_IIF] if self.iif else []), *([addresses["saddr"]] if self.source else []), addresses["daddr"]]
        return [*where, *_KINDS[self.kind]]


MAPS = {
    shape.name: shape
    for shape in (
        Map(family, iif, source, kind, *rest)
        for iif in (True, False)
        for source in (True, False)
        for kind in _KINDS
        for family in _FAMILIES
        for rest in ((True, False), (False, True), (False, False))
    )
}
"""In the order in which a packet meets them: what says more comes first."""


def is_map(listed: dict[str, Expression]) -> bool:
    """Whether a listed map is one of them. nft writes a single flag as a list or as a word."""
    shape = MAPS.get(listed["name"])
    flags = listed.get("flags", [])
    if shape is None or ([flags] if isinstance(flags, str) else flags) != ([] if shape.exact else ["interval"]):
        return False
    return (listed["type"], listed.get("map")) == ([field.type for field in shape.fields], "verdict")


def map_of(mark: Mark) -> str:
    """The name of the map that a mark belongs to."""
    kind = ANY if mark.port == ANY else "ports" if "/" in mark.port else "protocol"
    ranges = "-" in mark.port or any("/" in address or "-" in address for address in (mark.vip, mark.source))
    return _map_name(mark.family, bool(mark.iif), bool(mark.source), kind, not ranges)


def moving(name: str) -> str:
    """The name of the map for what is to take a place in a map with ranges; empty for one without."""
    shape = MAPS[name]
    return "" if shape.exact else shape._replace(moving=True).name


@cache
def _map_name(*shape: Any) -> str:
    return Map(*shape).name


def target(mark: Mark) -> str:
    """The name of the chain that a mark leads to; empty for another's verdict that leads to none."""
    if mark.verdict:
        return mark.verdict.partition(" ")[2]
    return chain_of(mark.mark, mark.mask)


@cache
def chain_of(mark: int, mask: int) -> str:
    """The name of the chain that sets a mark."""
    return f"mark_{mark:#x}" + (f"_{mask:#x}" if mask != FULL_MASK else "")


@cache
def mark_of(chain: str) -> tuple[int, int] | None:
    """The mark and mask in a chain's name, or None where it is no name that this collection gives."""
    match = _MARK_CHAIN.fullmatch(chain)
    if not match:
        return None
    mark, mask = int(match[1], 16), int(match[2], 16) if match[2] else FULL_MASK
    return (mark, mask) if chain == chain_of(mark, mask) and not mark & ~mask else None


def encode_key(mark: Mark) -> str:
    """What a mark's element is found by."""
    where = f'"{mark.iif}" . ' if mark.iif else ""
    where += f"{mark.source} . {mark.vip}" if mark.source else mark.vip
    return f"{where} . {_encode_port(mark.port, mark.family)}"


@cache
def _encode_port(port: str, family: int) -> str:
    if port == ANY:
        # NFPROTO_IPV4 and NFPROTO_IPV6 are the numbers of the address families.
        return str(family)
    protocol, slash, ports = port.partition("/")
    number = protocol if "-" in protocol else str(protocol_number(protocol))
    return f"{number} . {ports}" if slash else number


def encode(mark: Mark) -> str:
    """A mark's element."""
    return f"{encode_key(mark)} : goto {target(mark)}"


def decode(shape: Map, element: Expression) -> Mark | None:
    """A mark from an element of a map as nft lists it; None for one by something that this collection never writes."""
    key, ((word, jump),) = element[0], element[1].items()
    if not isinstance(key, dict):
        return None
    fields: Iterator[Expression] = iter(bare(key).get("concat", []))
    try:
        iif = next(fields) if shape.iif else ""
        source = _decode_address(next(fields)) if shape.source else ""
        vip = _decode_address(next(fields))
        port = _decode_port(shape, *fields)
    except (StopIteration, TypeError):
        return None
    if port is None or not isinstance(iif, str):
        return None
    found = mark_of(jump["target"]) if word == "goto" else None
    if found:
        return Mark(shape.family, vip, port, *found, "", iif, source)
    verdict = f"{word} {jump['target']}" if jump else word
    return Mark(shape.family, vip, port, 0, FULL_MASK, verdict, iif, source)


def _decode_port(shape: Map, first: Expression, *ports: Expression) -> str | None:
    if shape.kind == ANY:
        return ANY if first == shape.family else None
    protocol = name_of(PROTOCOLS, first) if isinstance(first, int) else _decode_span(first)
    return "/".join([protocol, *map(_decode_span, ports)])


def _decode_span(expression: Expression) -> str:
    return "-".join(str(end) for end in expression["range"]) if isinstance(expression, dict) else str(expression)


def _decode_address(expression: Expression) -> str:
    """Canonical text. nft writes IPv4 inside IPv6 in dots, and could write a prefix as a range."""
    if isinstance(expression, str):
        text = expression
    elif "prefix" in expression:
        text = f"{expression['prefix']['addr']}/{expression['prefix']['len']}"
    else:
        networks = between(*expression["range"])
        return vip_text(networks[0]) if len(networks) == 1 else _decode_span(expression)
    return vip_text(ip_network(text)) if ":" in text and "." in text else text
