# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of devices over rtnetlink (include/uapi/linux/if_addr.h)."""

from __future__ import annotations

import errno
import platform
import re
import struct
from collections.abc import Callable, Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet, links
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_ipv6
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import Devices
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import SCOPES, UNOWNED, Address, by_network
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FAMILIES, IPV4, IPV6, name_of
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

_ADDRESS, _LOCAL, _PROTOCOL = 1, 2, 11
_SECONDARY, _NODAD, _PERMANENT = 0x01, 0x02, 0x80
_OWNERS_SINCE = (5, 18)

_HEADER = struct.Struct("=BBBBI")

_REMOVED = GONE | {errno.EADDRNOTAVAIL}


def encode(address: Address) -> bytes:
    """struct ifaddrmsg and attributes. Without IFA_CACHEINFO the lifetime has no end."""
    own = inet.packed(address.address)
    flags = _NODAD if address.nodad else 0
    index = links.number(address.device)
    parts = [
        _HEADER.pack(address.family, address.length, flags, address.scope, index),
        attribute(_LOCAL, own),
        attribute(_ADDRESS, inet.packed(address.peer) if address.peer else own),
    ]
    if address.protocol != UNOWNED:
        parts.append(attribute(_PROTOCOL, bytes([address.protocol])))
    return b"".join(parts)


def decode(payload: bytes, devices: Devices) -> Address:
    """An address as the kernel dumps it. Label, broadcast address and the like are not ours to compare."""
    family, length, flags, scope, index = _HEADER.unpack_from(payload)
    own = other = b""
    protocol = UNOWNED
    for number, value in attributes(payload[_HEADER.size :]):
        if number == _LOCAL:
            own = value
        elif number == _ADDRESS:
            other = value
        elif number == _PROTOCOL:
            protocol = value[0]
    return Address(
        family=family,
        address=inet.text(own or other),
        length=length,
        device=devices.name(index),
        protocol=protocol,
        scope=scope if family == IPV4 else 0,
        nodad=family == IPV6 and bool(flags & _NODAD),
        peer=inet.text(other) if own and own != other else "",
        lasting=bool(flags & _PERMANENT),
        secondary=family == IPV4 and bool(flags & _SECONDARY),
    )


def dump(session: Session, family: int) -> list[Address]:
    """The addresses of a family, on every device."""
    devices = Devices()
    payloads = session.dump("addresses", rtnl.RTM_GETADDR, _HEADER.pack(family, 0, 0, 0, 0))
    return [decode(payload, devices) for payload in payloads]


def keeps_owner(session: Session) -> bool:
    """Whether the kernel keeps an address's protocol. Older ones ignore it and never show one."""
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release and (int(release[1]), int(release[2])) >= _OWNERS_SINCE:
        return True
    # A distribution's older kernel may have it all the same, and then shows it of ::1.
    return any(found.protocol != UNOWNED for family in FAMILIES.values() for found in dump(session, family))


def remade(plan: Plan[Address]) -> list[tuple[Address, Address]]:
    """The edits that the kernel cannot make in place: the old address goes before the new one can come."""
    return [(old, new) for old, new in plan.edits() if old.fixed != new.fixed]


class AddressList:
    """The addresses of a network namespace, in some families. ``guard`` raises Refused for a plan that does harm."""

    def __init__(
        self, session: Session, families: Iterable[int], guard: Callable[[Session, Plan[Address]], None] | None = None
    ) -> None:
        self._session = session
        self._families = sorted(set(families))
        self._guard = guard

    def read(self) -> list[Address]:
        return [found for family in self._families for found in dump(self._session, family)]

    def check(self, plan: Plan[Address]) -> None:
        """Refuse what the kernel would refuse half-way, and what would cut the host off."""
        self._refuse_two_scopes(plan)
        require_ipv6((new.line, new.device) for new in plan.additions() if new.family == IPV6)
        if self._guard:
            self._guard(self._session, plan)

    def apply(self, plan: Plan[Address]) -> None:
        """Additions, then edits, then removals. What cannot be edited is removed and added in one breath, and first: a
        network on a device takes in no address of another scope than it has."""
        again = remade(plan)
        added = [*(new for _old, new in again), *plan.additions()]
        send(
            self._session,
            (
                [*(_remove(old) for old, _new in again), *(_add(new) for new in added)],
                [_replace(old, new) for old, new in plan.edits() if old.fixed == new.fixed],
                [_remove(old) for old in plan.removals()],
            ),
        )

    def _refuse_two_scopes(self, plan: Plan[Address]) -> None:
        """The addresses of an IPv4 network on a device have one scope: the kernel would refuse the odd one half-way."""
        again = remade(plan)
        new = [a for a in [*plan.additions(), *(after for _before, after in again)] if a.family == IPV4]
        if not new:
            return
        gone = {before for before, _after in again}
        staying = [found for found in dump(self._session, IPV4) if found not in gone]
        for first, *others in by_network([*staying, *new]).values():
            for other in others:
                if other.scope != first.scope:
                    reason = f"{other.prefix} is of the network of {first.line}, which has one scope."
                    raise Refused("scope", name_of(SCOPES, other.scope), reason)


def _add(new: Address) -> Step:
    flags = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
    return Step(None, new, Message(rtnl.RTM_NEWADDR, flags, encode(new)), ALREADY)


def _replace(old: Address, new: Address) -> Step:
    flags = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
    return Step(old, new, Message(rtnl.RTM_NEWADDR, flags, encode(new)))


def _remove(old: Address) -> Step:
    return Step(old, None, Message(rtnl.RTM_DELADDR, 0, encode(old)), _REMOVED)
