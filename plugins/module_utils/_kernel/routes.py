# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that end here, over rtnetlink (include/uapi/linux/rtnetlink.h)."""

from __future__ import annotations

import errno
import functools
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import KernelError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import links
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.inet import packed as bytes_of
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.inet import split, text
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_ipv6
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    Watched,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, TYPES, UNICAST, Route, ends_here
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import ANYWHERE, IPV4, IPV6
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import (
    Held,
    refuse_covering,
    refuse_odd,
    refuse_replacing,
)

_RTM_F_CLONED = 0x200
_RT_TABLE_COMPAT = 252
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_HOST = 0, 253, 254
_DST, _OIF, _GATEWAY, _PRIORITY, _SOURCE, _METRICS, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 6, 7, 8, 9, 15, 18
_CACHEINFO, _PREF = 12, 20
"""Counters, and RTA_PREF, which every IPv6 route has."""
_MEDIUM = b"\0"
_ADVMSS = 8
"""RTAX_ADVMSS, within RTA_METRICS."""
_METRIC_NAMES = {1: "lock", 2: "mtu", 3: "window", 6: "ssthresh", 7: "cwnd", 10: "hoplimit", 11: "initcwnd"}
"""Others of RTAX_…, as ip-route(8) calls them."""
_ONLINK = 4
"""RTNH_F_ONLINK: the next hop is taken to be on the link."""

_IPV6_ROUTES = 11
"""RTNLGRP_IPV6_ROUTE"""
_PROTOCOL_AT = 5
"""Where struct rtmsg has the protocol."""
_PREFIX_ENDS = {attribute(_DST, bytes(size))[:4]: 24 + size for size in (4, 16)}
"""Where a prefix ends in a dumped route, by the header of the attribute that holds it."""

_REFUSALS = frozenset(TYPES.values()) - {LOCAL}

_HEADER = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")
_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: its length with its attributes, flags, weight, interface."""


class Devices:
    """Interface numbers and names, each asked of the kernel once."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {0: ""}

    def name(self, index: int) -> str:
        if index not in self._names:
            try:
                self._names[index] = socket.if_indextoname(index)
            except OSError:
                # It went away between the dump and now: its routes are going too.
                self._names[index] = f"#{index}"
        return self._names[index]


class Encoder:
    """Routes into bytes: struct rtmsg and attributes. Routes that differ in their prefix alone share all other bytes,
    which are made once; an encoder is good for as long as interfaces keep their numbers."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def encode(self, route: Route) -> bytes:
        packed, length = split(route.prefix)
        shape = (route.family, length, *route[2:])
        around = self._made.get(shape)
        if around is None:
            around = self._made[shape] = _around(route, packed, length)
        return around[0] + packed + around[1] if length else around[0] + around[1]


def _around(route: Route, packed: bytes, length: int) -> tuple[bytes, bytes]:
    """The bytes before and after the prefix. IPv4 wants scope host for a local route, and link for one that has no next
    hop, on deletion too."""
    scope = _SCOPE_UNIVERSE
    if route.family == IPV4 and route.kind == LOCAL:
        scope = _SCOPE_HOST
    elif route.family == IPV4 and route.kind == UNICAST and not route.gateway:
        scope = _SCOPE_LINK
    table = route.table if route.table < 256 else _RT_TABLE_COMPAT
    header = _HEADER.pack(route.family, length, 0, route.tos, table, route.protocol, scope, route.kind, 0)
    before = header + (attribute(_DST, packed)[: -len(packed)] if length else b"")
    parts = [attribute(_TABLE, _U32.pack(route.table))]
    if route.metric:
        parts.append(attribute(_PRIORITY, _U32.pack(route.metric)))
    if route.device:
        parts.append(attribute(_OIF, _U32.pack(links.number(route.device))))
    if route.gateway:
        parts.append(attribute(_GATEWAY, bytes_of(route.gateway)))
    if route.source:
        parts.append(attribute(_SOURCE, bytes_of(route.source)))
    if route.advmss:
        parts.append(attribute(_METRICS, attribute(_ADVMSS, _U32.pack(route.advmss))))
    return before, b"".join(parts)


def decode(payload: bytes, devices: Devices) -> Route | None:
    """A route as the kernel dumps it; None for a cached exception, which is not configuration."""
    family, length, _src_len, tos, table, protocol, _scope, kind, flags = _HEADER.unpack_from(payload)
    if flags & _RTM_F_CLONED:
        return None
    prefix = ANYWHERE.get(family, "")
    numbers = {_TABLE: table, _PRIORITY: 0, _OIF: 0}
    advmss = 0
    gateway = source = ""
    foreign = ["onlink"] if flags & _ONLINK else []
    hops: tuple[tuple[str, str], ...] = ()
    for number, value in attributes(payload[12:]):
        if number == _DST:
            prefix = f"{text(value)}/{length}"
        elif number in numbers:
            numbers[number] = _U32.unpack(value)[0]
        elif number in (_GATEWAY, _VIA):
            gateway = _gateway(number, value)
        elif number == _MULTIPATH:
            hops = tuple(_hops(value, devices))
        elif number == _SOURCE:
            source = text(value)
        elif number == _METRICS:
            advmss = _U32.unpack(dict(attributes(value)).get(_ADVMSS, bytes(4)))[0]
            foreign += _other_metrics(value)
        elif number != _CACHEINFO and (number, value) != (_PREF, _MEDIUM):
            foreign.append(f"attribute {number} {value.hex()}")
    # IPv6 hangs a refusal on lo; for the user it has no device.
    name = devices.name(numbers[_OIF]) if kind not in _REFUSALS else ""
    place = numbers[_TABLE], numbers[_PRIORITY]
    return Route(family, prefix, *place, kind, name, protocol, tos, gateway, source, advmss, hops, " ".join(foreign))


def _other_metrics(value: bytes) -> Iterator[str]:
    for number, metric in attributes(value):
        if number != _ADVMSS:
            name = _METRIC_NAMES.get(number, f"metric-{number}")
            yield f"{name} {_U32.unpack(metric)[0] if len(metric) == _U32.size else metric.hex()}"


def _hops(value: bytes, devices: Devices) -> Iterator[tuple[str, str]]:
    """Gateway and device of each next hop of a route that has several."""
    while value:
        length, _flags, _weight, device = _HOP.unpack_from(value)
        found = dict(attributes(value[_HOP.size : length]))
        gateways = [_gateway(number, found[number]) for number in (_GATEWAY, _VIA) if number in found]
        yield "".join(gateways), devices.name(device)
        value = value[-(-length // 4) * 4 :]


def _gateway(number: int, value: bytes) -> str:
    """struct rtvia, of a next hop of the other family, has the number of that family before its address."""
    return text(value[2:] if number == _VIA else value)


def decode_all(payloads: Iterable[bytes]) -> Iterator[Route]:
    """The routes of a dump. What many have in common beside their prefix is read once, as in Encoder."""
    devices = Devices()
    made: dict[bytes, tuple[Route | None, tuple[Any, ...]]] = {}
    make, cut = Route._make, _PREFIX_ENDS.get
    for payload in payloads:
        # The prefix is the second attribute, after that of the table, for every route but a default.
        end = cut(payload[20:24], 24)
        rest = payload[:24] + payload[end:]
        try:
            route, tail = made[rest]
        except KeyError:
            route = decode(payload, devices)
            tail = route[2:] if route else ()
            made[rest] = route, tail
        if route is not None:
            yield route if end == 24 else make((route[0], f"{text(payload[24:end])}/{payload[1]}", *tail))


def dump(
    session: Session, family: int, table: int = 0, protocol: int = 0, owners: Collection[int] = (), kind: int = 0
) -> list[Route]:
    """The routes of a family; of one table, protocol or type where given (the kernel filters). No such table: none.

    ``owners`` are the protocol numbers of the routes that must all be there. A dump of IPv6 routes under concurrent
    change misses some and repeats others; one of IPv4 routes does not (measured, Linux 6.18).
    """
    header = _HEADER.pack(family, 0, 0, 0, 0, protocol, 0, kind, 0)
    body = header + (attribute(_TABLE, _U32.pack(table)) if table else b"")
    try:
        watched = Watched(_IPV6_ROUTES, lambda payload: payload[_PROTOCOL_AT] in owners) if family == IPV6 else None
        payloads = session.dump("routes", rtnl.RTM_GETROUTE, body, watched)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
    return list(decode_all(dict.fromkeys(payloads)))


class RouteTables:
    """The routes of some (family, table) pairs, and all of a protocol number, ``everywhere``, where that is given.

    ``owners`` are the protocol numbers of the routes that the plan is about. ``held`` tells what the host must not
    lose; without it nothing is refused for covering it.
    """

    def __init__(
        self,
        session: Session,
        tables: Iterable[tuple[int, int]],
        owners: Iterable[int],
        everywhere: int = 0,
        held: Callable[[Session, int], Sequence[Held]] | None = None,
    ) -> None:
        self._session = session
        self._tables = frozenset(tables)
        self._owners = frozenset(owners)
        self._everywhere = everywhere
        self._held = held

    def read(self) -> list[Route]:
        read = functools.partial(dump, self._session, owners=self._owners)
        found = [route for family, table in self._tables for route in read(family, table)]
        if self._everywhere:
            owned = (route for family in (IPV4, IPV6) for route in read(family, protocol=self._everywhere))
            found.extend(route for route in owned if (route.family, route.table) not in self._tables)
        return found

    def check(self, plan: Plan[Route]) -> None:
        """Refuse to replace what is not ours, to cover an address that the host needs, and IPv6 where it is off.

        What ends here is asked about again where it stays: the host may have got an address or a next hop since.
        """
        refuse_replacing(plan.edits())
        new = plan.additions() + [after for _before, after in plan.edits()]
        require_ipv6((route.line, route.device) for route in new if route.family == IPV6)
        if self._held is not None:
            ending = [route for route in plan.after if ends_here(route)]
            refuse_odd("prefixes", (route.prefix for route in ending if route.kind == LOCAL))
            asked = [*ending, *(route for route in new if not ends_here(route))]
            for family in sorted({route.family for route in asked}):
                refuse_covering(asked, self._held(self._session, family))

    def apply(self, plan: Plan[Route]) -> None:
        """Additions, then replacements in place, then removals."""
        create, replace = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
        encode = Encoder().encode
        send(
            self._session,
            (
                [Step(None, r, Message(rtnl.RTM_NEWROUTE, create, encode(r)), ALREADY) for r in plan.additions()],
                [Step(old, new, Message(rtnl.RTM_NEWROUTE, replace, encode(new))) for old, new in plan.edits()],
                [Step(r, None, Message(rtnl.RTM_DELROUTE, 0, encode(r)), GONE) for r in plan.removals()],
            ),
        )
