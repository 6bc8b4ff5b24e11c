# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbour tables over rtnetlink (include/uapi/linux/neighbour.h, net/core/neighbour.c)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, inet, links
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import Devices
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held, refuse_other_macs

_INCOMPLETE, _FAILED, _PERMANENT = 0x01, 0x20, 0x80
_UNKNOWN = frozenset({0, _INCOMPLETE, _FAILED})
"""States of an entry that has no MAC: the kernel asks, or has asked in vain."""
_PROXY = 0x08
_DST, _LLADDR, _PROTOCOL = 1, 2, 12

_DUMP_ATTEMPTS = 10

_HEADER = struct.Struct("=BBHiHBB")


class Encoder:
    """Entries into bytes: struct ndmsg and attributes. Entries that differ in their address alone share all other
    bytes, which are made once; an encoder is good for as long as interfaces keep their numbers."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def encode(self, entry: Neighbor) -> bytes:
        packed = inet.packed(entry.address)
        shape = (entry.family, *entry[2:])
        around = self._made.get(shape)
        if around is None:
            around = self._made[shape] = _around(entry, packed)
        return around[0] + packed + around[1]


def _around(entry: Neighbor, packed: bytes) -> tuple[bytes, bytes]:
    """The bytes before and after the address."""
    index = links.number(entry.device)
    header = _HEADER.pack(entry.family, 0, 0, index, _PERMANENT, _PROXY if entry.proxy else 0, 0)
    after = attribute(_LLADDR, bytes.fromhex(entry.mac.replace(":", ""))) if entry.mac else b""
    if entry.protocol:
        after += attribute(_PROTOCOL, bytes([entry.protocol]))
    return header + attribute(_DST, packed)[: -len(packed)], after


def decode(payload: bytes, devices: Devices) -> Neighbor | None:
    """An entry as the kernel dumps it; None for one that has no MAC yet, or none any more."""
    family, _pad1, _pad2, index, state, flags, _type = _HEADER.unpack_from(payload)
    proxy = bool(flags & _PROXY)
    if state in _UNKNOWN and not proxy:
        return None
    address = mac = ""
    protocol = 0
    for number, value in attributes(payload[_HEADER.size :]):
        if number == _DST:
            address = inet.text(value)
        elif number == _LLADDR:
            mac = value.hex(":")
        elif number == _PROTOCOL:
            protocol = value[0]
    return Neighbor(family, address, devices.name(index), proxy, mac, protocol, proxy or bool(state & _PERMANENT))


def dump(session: Session, family: int, proxy: bool, owners: Collection[int] = ()) -> list[Neighbor]:
    """The entries of a family: those of neighbours, or those to answer for.

    ``owners`` are the protocol numbers of the entries that must all be there. Under concurrent change a dump of proxy
    entries misses some and repeats others, 13 of 413 did, where one of neighbours does not (measured, Linux 6.18). No
    message tells of proxy entries that change, so that they are read until two dumps agree in those of the owners.
    """
    found = _dump_once(session, family, proxy)
    ever: dict[Neighbor, None] = {}
    for _attempt in range(_DUMP_ATTEMPTS if proxy and owners else 0):
        owned = dict.fromkeys(entry for entry in found if entry.protocol in owners)
        ever.update(owned)
        found = _dump_once(session, family, proxy)
        if owned == dict.fromkeys(entry for entry in found if entry.protocol in owners):
            return found
    return list(dict.fromkeys([*found, *ever]))


def _dump_once(session: Session, family: int, proxy: bool) -> list[Neighbor]:
    devices = Devices()
    body = _HEADER.pack(family, 0, 0, 0, 0, _PROXY if proxy else 0, 0)
    found = (decode(payload, devices) for payload in session.dump("neighbours", rtnl.RTM_GETNEIGH, body))
    return list(dict.fromkeys(entry for entry in found if entry is not None))


class NeighborTables:
    """The entries of some (family, proxy) tables. ``owners`` are the protocol numbers of those the plan is about."""

    def __init__(
        self,
        session: Session,
        tables: Iterable[tuple[int, bool]],
        owners: Iterable[int],
        held: Callable[[Session], Sequence[Held]] | None = None,
    ) -> None:
        """``held`` tells whom the host lives by; without it no MAC is refused."""
        self._session = session
        self._held = held
        self._tables = sorted(set(tables))
        self._owners = frozenset(owners)

    def read(self) -> list[Neighbor]:
        return [entry for where in self._tables for entry in dump(self._session, *where, owners=self._owners)]

    def check(self, plan: Plan[Neighbor]) -> None:
        """Refuse an address of the host itself, which is nobody's neighbour and answered for anyway, and another MAC
        for what the host lives by than the one that it has learned."""
        new = [*plan.additions(), *(after for _before, after in plan.edits())]
        for family in sorted({entry.family for entry in new}):
            own = {found.address: found.device for found in addresses.dump(self._session, family)}
            for entry in new:
                if entry.family == family and entry.address in own:
                    raise Refused("address", entry.address, f"it is an address of this host, on {own[entry.address]}.")
        learned = [(old, entry) for old, entry in plan.edits() if not old.proxy and old.protocol not in self._owners]
        if self._held is not None and learned:
            refuse_other_macs(learned, self._held(self._session))

    def apply(self, plan: Plan[Neighbor]) -> None:
        """Additions and edits, then removals. The kernel may learn an address between our reading and our writing, so
        that an addition replaces too."""
        flags = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
        encode = Encoder().encode
        written = [change for change in plan.changes if change.after is not None]
        send(
            self._session,
            (
                [
                    Step(c.before, c.after, Message(rtnl.RTM_NEWNEIGH, flags, encode(c.after)))
                    for c in written
                    if c.after
                ],
                [Step(old, None, Message(rtnl.RTM_DELNEIGH, 0, encode(old)), GONE) for old in plan.removals()],
            ),
        )
