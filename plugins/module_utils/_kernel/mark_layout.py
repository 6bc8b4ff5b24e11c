# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How marks lie in an nftables table, in the words of libnftables-json(5). Pure.

Verdict maps hold the VIPs; each distinct mark has a small chain, since a packet's mark cannot be set from a map while
some of its bits are kept. ``goto`` ends the lookups, so that a packet which its port has found is left alone by any.
Every map has two fields or more: the kernel changes a copy of such a map while packets read the old one
(net/netfilter/nft_set_pipapo.c), and nft does not load all of it to change one element.
"""

from __future__ import annotations

import re
from functools import cache
from ipaddress import ip_network
from operator import and_, or_, xor
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import ANY, Mark, between, vip_text
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, IPV4, IPV6, TRANSPORTS

Expression = Any
"""A number, a word, or an object of one key that names its kind."""

BASE = "prerouting"
HOOK = {"type": "filter", "hook": "prerouting", "prio": -150, "policy": "accept"}
"""Priority mangle: after connection tracking, before destination NAT and the routing decision."""

_META_MARK = {"meta": {"key": "mark"}}
_L4PROTO = {"meta": {"key": "l4proto"}}
_NFPROTO = {"meta": {"key": "nfproto"}}
_MARK_CHAIN = re.compile(r"mark_0x([0-9a-f]{1,8})(?:_0x([0-9a-f]{1,8}))?")
_PROTOCOL_NAMES = {str(number): name for name, number in TRANSPORTS.items()}
_BITWISE = {"&": and_, "|": or_, "^": xor}


class Map(NamedTuple):
    """A map: the family of its marks, the types of its fields, and where a packet has each of them."""

    family: int
    types: list[str]
    fields: list[Expression]


def _payload(protocol: str, field: str) -> dict[str, Expression]:
    return {"payload": {"protocol": protocol, "field": field}}


_PORT = [_L4PROTO, _payload("th", "dport")]
MAPS = {
    "v4_ports": Map(IPV4, ["ipv4_addr", "inet_proto", "inet_service"], [_payload("ip", "daddr"), *_PORT]),
    "v6_ports": Map(IPV6, ["ipv6_addr", "inet_proto", "inet_service"], [_payload("ip6", "daddr"), *_PORT]),
    "v4_any": Map(IPV4, ["ipv4_addr", "nf_proto"], [_payload("ip", "daddr"), _NFPROTO]),
    "v6_any": Map(IPV6, ["ipv6_addr", "nf_proto"], [_payload("ip6", "daddr"), _NFPROTO]),
}
"""In the order in which a packet meets them."""
LOOKUPS = [[{"vmap": {"key": {"concat": shape.fields}, "data": f"@{name}"}}] for name, shape in MAPS.items()]
"""The rules of the base chain."""


def is_map(listed: dict[str, Expression]) -> bool:
    """Whether a listed map is one of them. nft writes a single flag as a list or as a word."""
    shape = MAPS.get(listed["name"])
    if shape is None or listed.get("flags") not in (["interval"], "interval"):
        return False
    return (listed["type"], listed.get("map")) == (shape.types, "verdict")


def map_of(mark: Mark) -> str:
    """The name of the map that a mark belongs to."""
    return f"{'v4' if mark.family == IPV4 else 'v6'}_{ANY if mark.port == ANY else 'ports'}"


def target(mark: Mark) -> str:
    """The name of the chain that a mark leads to; empty for another's verdict that leads to none."""
    if mark.verdict:
        return mark.verdict.partition(" ")[2]
    return f"mark_{mark.mark:#x}" + (f"_{mark.mask:#x}" if mark.mask != FULL_MASK else "")


@cache
def mark_of(chain: str) -> tuple[int, int] | None:
    """The mark and mask in a chain's name, or None where it is no name that this collection gives."""
    match = _MARK_CHAIN.fullmatch(chain)
    if not match:
        return None
    mark, mask = int(match[1], 16), int(match[2], 16) if match[2] else FULL_MASK
    return (mark, mask) if chain == target(Mark(0, "", "", mark, mask)) and not mark & ~mask else None


def marking(mark: int, mask: int) -> list[Expression]:
    """The rule that sets the bits within the mask and keeps the others."""
    kept = {"&": [_META_MARK, ~mask & FULL_MASK]}
    return [{"mangle": {"key": _META_MARK, "value": {"|": [kept, mark]} if mask != FULL_MASK else mark}}]


def is_marking(rule: list[Expression], mark: int, mask: int) -> bool:
    """Whether a rule does that, in whatever words nft lists it: it rewrites masked expressions.

    They are bitwise, so that their outcome for no bit and for every bit says all.
    """
    mangle = rule[0].get("mangle", {}) if len(rule) == 1 else {}
    outcomes = [_outcome(mangle.get("value"), bits) for bits in (0, FULL_MASK)]
    return mangle.get("key") == _META_MARK and outcomes == [mark, mark | ~mask & FULL_MASK]


def _outcome(value: Expression, bits: int) -> int | None:
    """What an expression makes of a packet's mark; None where it is not made of the mark, numbers and bitwise steps."""
    if isinstance(value, int):
        return value
    if value == _META_MARK:
        return bits
    if not isinstance(value, dict) or not value or not value.keys() <= _BITWISE.keys():
        return None
    ((operator, operands),) = value.items()
    outcome: int | None = None
    for place, operand in enumerate(operands):
        part = _outcome(operand, bits)
        if part is None:
            return None
        outcome = _BITWISE[operator](outcome, part) if place else part
    return outcome


def encode_key(mark: Mark) -> dict[str, Expression]:
    """What a mark's element is found by."""
    address, slash, length = mark.vip.partition("/")
    vip = {"prefix": {"addr": address, "len": int(length)}} if slash else _encode_span(mark.vip, str)
    if mark.port == ANY:
        # NFPROTO_IPV4 and NFPROTO_IPV6 are the numbers of the address families.
        return {"concat": [vip, mark.family]}
    protocol, _slash, ports = mark.port.partition("/")
    number = TRANSPORTS[protocol] if protocol in TRANSPORTS else _encode_span(protocol, int)
    return {"concat": [vip, number, _encode_span(ports, int)]}


def encode(mark: Mark) -> list[Expression]:
    """A mark's element."""
    return [encode_key(mark), {"goto": {"target": target(mark)}}]


def decode(family: int, element: Expression) -> Mark | None:
    """A mark from an element as nft lists it; None for one that is not found by what this collection writes."""
    key, ((word, jump),) = element[0], element[1].items()
    if not isinstance(key, dict):
        return None
    # A comment that somebody has put on the element wraps its key.
    fields = key.get("elem", {}).get("val", key).get("concat", [])
    if len(fields) == 3:
        protocol = _decode_span(fields[1])
        port = f"{_PROTOCOL_NAMES.get(protocol, protocol)}/{_decode_span(fields[2])}"
    elif len(fields) == 2 and fields[1] == family:
        port = ANY
    else:
        return None
    vip = _decode_vip(fields[0])
    found = mark_of(jump["target"]) if word == "goto" else None
    if found:
        return Mark(family, vip, port, *found)
    return Mark(family, vip, port, verdict=f"{word} {jump['target']}" if jump else word)


def _encode_span(text: str, kind: type[int] | type[str]) -> Expression:
    first, dash, last = text.partition("-")
    return {"range": [kind(first), kind(last)]} if dash else kind(first)


def _decode_span(expression: Expression) -> str:
    return "-".join(str(end) for end in expression["range"]) if isinstance(expression, dict) else str(expression)


def _decode_vip(expression: Expression) -> str:
    """Canonical text. nft writes IPv4 inside IPv6 in dots, and could write a prefix as a range."""
    if isinstance(expression, str):
        text = expression
    elif "prefix" in expression:
        text = f"{expression['prefix']['addr']}/{expression['prefix']['len']}"
    else:
        networks = between(*expression["range"])
        return vip_text(networks[0]) if len(networks) == 1 else _decode_span(expression)
    return vip_text(ip_network(text)) if ":" in text and "." in text else text
