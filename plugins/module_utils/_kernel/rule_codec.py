# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing policy rules as netlink attributes, by number (include/uapi/linux/fib_rules.h)."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.inet import ipv4_text, split, text
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import attribute, attributes
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, range_text

HEADER = struct.Struct("=BBBBBBBBI")
"""struct fib_rule_hdr: family, lengths of destination and source, tos, table, two reserved, action, flags"""
_INVERT = 0x2
_RT_TABLE_COMPAT = 252

_ATTRIBUTE = struct.Struct("=HH")
_U8 = struct.Struct("=B")
_U32 = struct.Struct("=I")
_PORTS = struct.Struct("=HH")
_USERS = struct.Struct("=II")

# FRA_…
_DESTINATION, _SOURCE, _PROTOCOL, _MASK = 1, 2, 21, 16
_SUPPRESS_IFGROUP, _SUPPRESS_PREFIXLEN = 13, 14
_SPORT_MASK, _DPORT_MASK, _DSCP_MASK = 28, 29, 30

_NUMBERS = {
    "target": (4, _U32),
    "priority": (6, _U32),
    "mark": (10, _U32),
    "suppress_ifgroup": (_SUPPRESS_IFGROUP, _U32),
    "suppress_prefixlength": (_SUPPRESS_PREFIXLEN, _U32),
    "table": (15, _U32),
    "mask": (_MASK, _U32),
    "l3mdev": (19, _U8),
    "protocol": (_PROTOCOL, _U8),
    "ipproto": (22, _U8),
    "dscp": (25, _U8),
}
_NAMES = {"iif": 3, "oif": 17}
_RANGES = {"uidrange": (20, _USERS), "sport": (23, _PORTS), "dport": (24, _PORTS)}
"""Each field of Rule with its attribute's number, and how its value is packed."""

_SENT_WHEN_ZERO = {"priority", "protocol", "mark", "dscp", "suppress_ifgroup", "suppress_prefixlength"}

_NOTHING = {
    (_SUPPRESS_IFGROUP, _U32.pack(FULL_MASK)),
    (_SUPPRESS_PREFIXLEN, _U32.pack(FULL_MASK)),
    # Newer kernels tell that what a rule compares is compared whole.
    (_SPORT_MASK, b"\xff\xff"),
    (_DPORT_MASK, b"\xff\xff"),
    (_DSCP_MASK, b"\x3f"),
}
"""What a dump says where a rule has nothing of the kind."""


def owned_by(protocol: int) -> bytes:
    """The bytes that every rule with that protocol number has in a dump."""
    return attribute(_PROTOCOL, _U8.pack(protocol))


def encode(rule: Rule) -> bytes:
    """struct fib_rule_hdr and every attribute: a deletion that leaves one out removes the first rule that fits."""
    parts = [b""]
    lengths = [0, 0]
    for place, (number, prefix) in enumerate(((_DESTINATION, rule.destination), (_SOURCE, rule.source))):
        if prefix:
            packed, lengths[place] = split(prefix)
            parts.append(attribute(number, packed))
    for field, (number, shape) in _NUMBERS.items():
        value = getattr(rule, field)
        if value or (value is not None and field in _SENT_WHEN_ZERO):
            parts.append(attribute(number, shape.pack(value)))
    for field, number in _NAMES.items():
        if getattr(rule, field):
            parts.append(attribute(number, getattr(rule, field).encode() + b"\0"))
    for field, (number, shape) in _RANGES.items():
        if getattr(rule, field):
            low, _dash, high = getattr(rule, field).partition("-")
            parts.append(attribute(number, shape.pack(int(low), int(high or low))))
    parts.append(rule.foreign)
    table = rule.table if rule.table < 256 else _RT_TABLE_COMPAT
    flags = _INVERT if rule.inverted else 0
    parts[0] = HEADER.pack(rule.family, *lengths, rule.tos, table, 0, 0, rule.action, flags)
    return b"".join(parts)


def decode(payload: bytes) -> Rule:
    """A rule as the kernel dumps it. What it writes for 'not set' is left out; so are the detached flags."""
    family, dst_len, src_len, tos, _table, _res1, _res2, action, flags = HEADER.unpack_from(payload)
    found: dict[str, Any] = {"priority": 0, "protocol": 0}
    foreign: list[bytes] = []
    for number, value in attributes(payload[HEADER.size :]):
        if number == _DESTINATION:
            found["destination"] = f"{text(value)}/{dst_len}"
        elif number == _SOURCE:
            found["source"] = f"{text(value)}/{src_len}"
        elif number in _READERS:
            field, shape = _READERS[number]
            if (number, value) not in _NOTHING:
                found[field] = _value(shape, value)
        elif (number, value) not in _NOTHING:
            foreign.append(attribute(number, value))
    found["l3mdev"] = bool(found.get("l3mdev"))
    if "mask" in found:
        found.setdefault("mark", 0)
    return Rule(
        family=family, inverted=bool(flags & _INVERT), tos=tos, action=action, foreign=b"".join(foreign), **found
    )


def decode_all(payloads: Iterable[bytes]) -> Iterator[Rule]:
    """The rules of a dump. What many have in common beside their destination is read once."""
    made: dict[bytes, tuple[int, tuple[Any, ...], tuple[Any, ...], str]] = {}
    # As Rule._make(), which counts the fields every time.
    make: Callable[[tuple[Any, ...]], Rule] = functools.partial(tuple.__new__, Rule)
    read = text
    start = end = 0
    for payload in payloads:
        # Most rules have their destination where the one before had it.
        known = made.get(payload[:start] + payload[end:])
        if known is None or known[0] != start:
            rule = decode(payload)
            start, end = _destination_in(payload)
            if start:
                read = ipv4_text if end - start == 4 else text
                known = start, rule[:_AROUND], rule[_AROUND + 1 :], f"/{payload[1]}"
                made[payload[:start] + payload[end:]] = known
            yield rule
        else:
            _start, before, after, length = known
            yield make((*before, read(payload[start:end]) + length, *after))


_AROUND = Rule._fields.index("destination")


def _destination_in(payload: bytes) -> tuple[int, int]:
    """Where the value of the destination begins and ends."""
    offset = HEADER.size
    while offset + 4 <= len(payload):
        length, number = _ATTRIBUTE.unpack_from(payload, offset)
        if number == _DESTINATION:
            return offset + 4, offset + length
        offset += (length + 3) & ~3
    return 0, 0


def _value(shape: struct.Struct | None, value: bytes) -> int | str:
    if shape is None:
        return value.rstrip(b"\0").decode()
    numbers = shape.unpack(value)
    return range_text(*numbers) if len(numbers) == 2 else int(numbers[0])


_READERS: dict[int, tuple[str, struct.Struct | None]] = {
    **{number: (field, shape) for field, (number, shape) in (*_NUMBERS.items(), *_RANGES.items())},
    **{number: (field, None) for field, number in _NAMES.items()},
}
