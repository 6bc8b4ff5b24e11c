# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeouts and sync daemons of IPVS, over generic netlink (net/netfilter/ipvs/ip_vs_ctl.c)."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import genl, inet, ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import NEED, VERSION, resolve
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_config import (
    DEFAULT_TIMEOUTS,
    ROLES,
    Daemon,
    Entry,
    Timeouts,
    is_ipv6,
)
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

# IPVS_CMD_…
_NEW_DAEMON, _DELETE_DAEMON, _GET_DAEMON, _SET_CONFIG, _GET_CONFIG, _GET_INFO = 9, 10, 11, 12, 13, 15
# IPVS_CMD_ATTR_…
_DAEMON = 3
_TIMEOUTS = {"tcp": 4, "tcp_fin": 5, "udp": 6}
# IPVS_DAEMON_ATTR_…
_STATE, _INTERFACE, _ID, _MAXLEN, _GROUP, _GROUP6, _PORT, _TTL = 1, 2, 3, 4, 5, 6, 7, 8
# IPVS_INFO_ATTR_…
_INFO_VERSION, _INFO_SIZE = 1, 2

_U8, _U16, _U32 = struct.Struct("=B"), struct.Struct("=H"), struct.Struct("=I")
_OPTIONAL = {"maxlen": (_MAXLEN, _U16), "port": (_PORT, _U16), "ttl": (_TTL, _U8)}


class Info(NamedTuple):
    """The version of ip_vs, and the number of rows in its table of connections."""

    version: str
    connection_table_size: int


class Config:
    """The timeouts and daemons of a network namespace."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self) -> list[Entry]:
        """A kernel that never loaded ip_vs has the timeouts that it will start with, and no daemon."""
        require_net_admin(NEED)
        if not ipvs_modules.loaded():
            return [DEFAULT_TIMEOUTS]
        number = resolve(self._session)
        return [_timeouts(self._session, number), *_daemons(self._session, number)]

    def check(self, plan: Plan[Entry]) -> None:
        """Nothing here can cut the host off."""

    def apply(self, plan: Plan[Entry]) -> None:
        """Timeouts, then daemons. The kernel cannot edit a daemon: it is stopped and started."""
        number = resolve(self._session)

        def message(command: int, data: bytes) -> Message:
            return Message(number, 0, genl.request(command, VERSION, data))

        timeouts = [
            Step(old, new, message(_SET_CONFIG, _encode_timeouts(new)))
            for old, new in plan.edits()
            if isinstance(new, Timeouts)
        ]
        stopped = [(old, new) for old, new in plan.edits() if isinstance(old, Daemon)]
        send(
            self._session,
            (
                timeouts,
                [Step(old, None, message(_DELETE_DAEMON, _encode(old)), GONE) for old, _new in stopped]
                + [Step(old, None, message(_DELETE_DAEMON, _encode(old)), GONE) for old in plan.removals()],
                [Step(None, new, message(_NEW_DAEMON, _encode(new))) for _old, new in stopped]
                + [Step(None, new, message(_NEW_DAEMON, _encode(new))) for new in plan.additions()],
            ),
        )


def info(session: Session) -> Info:
    """What GET_INFO tells. Loads ip_vs."""
    body = genl.request(_GET_INFO, VERSION)
    found = dict(genl.contents(session.query("IPVS", resolve(session), body)))
    number = _U32.unpack(found[_INFO_VERSION])[0]
    version = ".".join(str(number >> shift & 0xFF) for shift in (16, 8, 0))
    return Info(version, _U32.unpack(found[_INFO_SIZE])[0])


def _timeouts(session: Session, number: int) -> Timeouts:
    found = dict(genl.contents(session.query("IPVS timeouts", number, genl.request(_GET_CONFIG, VERSION))))
    return Timeouts(*(_U32.unpack(found[kind])[0] for kind in _TIMEOUTS.values()))


def _daemons(session: Session, number: int) -> list[Entry]:
    payloads = session.dump("IPVS sync daemons", number, genl.request(_GET_DAEMON, VERSION))
    return [_decode(value) for payload in payloads for kind, value in genl.contents(payload) if kind == _DAEMON]


def _encode_timeouts(timeouts: Timeouts) -> bytes:
    """The kernel takes 0 for what shall stay."""
    return b"".join(attribute(number, _U32.pack(getattr(timeouts, name) or 0)) for name, number in _TIMEOUTS.items())


def _encode(entry: Entry) -> bytes:
    if isinstance(entry, Timeouts):
        return _encode_timeouts(entry)
    parts = [
        attribute(_STATE, _U32.pack(ROLES[entry.role])),
        attribute(_INTERFACE, entry.interface.encode() + b"\0"),
        attribute(_ID, _U32.pack(entry.id)),
    ]
    if entry.group is not None:
        parts.append(attribute(_GROUP6 if is_ipv6(entry.group) else _GROUP, inet.packed(entry.group)))
    for name, (number, shape) in _OPTIONAL.items():
        if getattr(entry, name) is not None:
            parts.append(attribute(number, shape.pack(getattr(entry, name))))
    return attribute(_DAEMON, b"".join(parts))


def _decode(data: bytes) -> Daemon:
    found = dict(attributes(data))
    state = _U32.unpack(found[_STATE])[0]
    group = found.get(_GROUP) or found.get(_GROUP6)
    numbers: dict[str, Any] = {
        name: shape.unpack(found[number])[0] for name, (number, shape) in _OPTIONAL.items() if number in found
    }
    return Daemon(
        next(name for name, number in ROLES.items() if number == state),
        found[_INTERFACE].rstrip(b"\0").decode(),
        _U32.unpack(found[_ID])[0],
        group=inet.text(group) if group else None,
        **numbers,
    )
