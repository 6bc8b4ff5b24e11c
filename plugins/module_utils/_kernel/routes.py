# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that end here, over rtnetlink (include/uapi/linux/rtnetlink.h)."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._errors import KernelError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, TYPES, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import ANYWHERE, IPV4, IPV6
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held, refuse_covering, refuse_replacing

_RTM_F_CLONED = 0x200
_RT_TABLE_COMPAT = 252
_SCOPE_UNIVERSE, _SCOPE_HOST = 0, 254
_DST, _OIF, _GATEWAY, _PRIORITY, _TABLE = 1, 4, 5, 6, 15

_REFUSALS = frozenset(TYPES.values()) - {LOCAL}

_HEADER = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")


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
                self._names[index] = f"if{index}"
        return self._names[index]


def encode(route: Route) -> bytes:
    """struct rtmsg and attributes. IPv4 wants scope host for a local route, on deletion too."""
    packed, length = inet.split(route.prefix)
    scope = _SCOPE_UNIVERSE
    if route.family == IPV4 and route.kind == LOCAL:
        scope = _SCOPE_HOST
    table = route.table if route.table < 256 else _RT_TABLE_COMPAT
    parts = [_HEADER.pack(route.family, length, 0, route.tos, table, route.protocol, scope, route.kind, 0)]
    if length:
        parts.append(attribute(_DST, packed))
    parts.append(attribute(_TABLE, _U32.pack(route.table)))
    if route.metric:
        parts.append(attribute(_PRIORITY, _U32.pack(route.metric)))
    if route.device:
        parts.append(attribute(_OIF, _U32.pack(socket.if_nametoindex(route.device))))
    return b"".join(parts)


def decode(payload: bytes, devices: Devices) -> Route | None:
    """A route as the kernel dumps it; None for a cached exception, which is not configuration."""
    family, length, _src_len, tos, table, protocol, _scope, kind, flags = _HEADER.unpack_from(payload)
    if flags & _RTM_F_CLONED:
        return None
    prefix = ANYWHERE.get(family, "")
    metric = device = 0
    gateway = ""
    for number, value in attributes(payload[12:]):
        if number == _DST:
            prefix = f"{inet.text(value)}/{length}"
        elif number == _TABLE:
            table = _U32.unpack(value)[0]
        elif number == _PRIORITY:
            metric = _U32.unpack(value)[0]
        elif number == _OIF:
            device = _U32.unpack(value)[0]
        elif number == _GATEWAY:
            gateway = inet.text(value)
    # IPv6 hangs a refusal on lo; for the user it has no device.
    name = devices.name(device) if kind not in _REFUSALS else ""
    return Route(family, prefix, table, metric, kind, name, protocol, tos, gateway)


def dump(session: Session, family: int, table: int = 0, protocol: int = 0) -> list[Route]:
    """The routes of a family; of one table or one protocol where given (the kernel filters). No such table: none."""
    header = _HEADER.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0)
    body = header + (attribute(_TABLE, _U32.pack(table)) if table else b"")
    try:
        payloads = session.dump("routes", rtnl.RTM_GETROUTE, body)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
    devices = Devices()
    return list(dict.fromkeys(route for route in (decode(p, devices) for p in payloads) if route is not None))


class RouteTables:
    """The routes of some (family, table) pairs, and everything with an owner's protocol number where that is given.

    ``held`` tells what the host must not lose; without it nothing is refused for covering it.
    """

    def __init__(
        self,
        session: Session,
        tables: Iterable[tuple[int, int]],
        owner: int = 0,
        held: Callable[[Session, int], Sequence[Held]] | None = None,
    ) -> None:
        self._session = session
        self._tables = sorted(set(tables))
        self._owner = owner
        self._held = held

    def read(self) -> list[Route]:
        found: dict[Route, None] = {}
        for family, table in self._tables:
            found.update(dict.fromkeys(dump(self._session, family, table)))
        if self._owner:
            for family in (IPV4, IPV6):
                found.update(dict.fromkeys(dump(self._session, family, protocol=self._owner)))
        return list(found)

    def check(self, plan: Plan[Route]) -> None:
        """Refuse to replace what is not ours, and prefixes that hold an address the host needs."""
        refuse_replacing(plan.edits())
        new = plan.additions() + [after for _before, after in plan.edits()]
        if self._held is not None:
            for family in sorted({route.family for route in new}):
                refuse_covering(new, self._held(self._session, family))

    def apply(self, plan: Plan[Route]) -> None:
        """Additions, then replacements in place, then removals."""
        create, replace = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
        send(
            self._session,
            (
                [
                    Step(f"add {r.line}", Message(rtnl.RTM_NEWROUTE, create, encode(r)), ALREADY)
                    for r in plan.additions()
                ],
                [
                    Step(f"change {old.line} to {new.line}", Message(rtnl.RTM_NEWROUTE, replace, encode(new)))
                    for old, new in plan.edits()
                ],
                [Step(f"remove {r.line}", Message(rtnl.RTM_DELROUTE, 0, encode(r)), GONE) for r in plan.removals()],
            ),
        )
