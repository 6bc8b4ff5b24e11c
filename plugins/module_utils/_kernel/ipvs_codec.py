# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS services and destinations as netlink attributes, by number (include/uapi/linux/ip_vs.h).

Numbers are in the host's byte order, but ports and IPv4 addresses and masks in the network's. The netmask of an IPv6
service is a prefix length in the host's order.
"""

from __future__ import annotations

import struct
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import attribute, attributes
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import (
    SINGLE_CLIENT,
    Destination,
    Service,
    ServiceId,
    netmask_text,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_report import Counters
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, IPV4, IPV6

# IPVS_SVC_ATTR_…
_AF, _PROTOCOL, _VIP, _VIP_PORT, _FWMARK, _SCHEDULER = 1, 2, 3, 4, 5, 6
_FLAGS, _TIMEOUT, _NETMASK, _ENGINE, _SERVICE_STATS = 7, 8, 9, 11, 12
# IPVS_DEST_ATTR_…
_ADDRESS, _PORT, _FORWARDING, _WEIGHT, _UPPER, _LOWER = 1, 2, 3, 4, 5, 6
_ACTIVE, _INACTIVE, _PERSISTENT_CONNECTIONS, _FAMILY, _DESTINATION_STATS = 7, 8, 9, 11, 12
_TUNNEL_TYPE, _TUNNEL_PORT, _TUNNEL_FLAGS = 13, 14, 15

_PERSISTENT, _HASHED = 0x1, 0x2
_FORWARDING_BITS = 0x7
_ADDRESS_BYTES = 16
"""union nf_inet_addr"""
_COUNT_BYTES = 8
"""The attribute of a number of connections."""
_CARRIED = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")
_STATS = (*_CARRIED, *(f"{name}_per_second" for name in _CARRIED))
"""IPVS_STATS_ATTR_…, from 1 on."""

_U16 = struct.Struct("=H")
_BE16 = struct.Struct("!H")
_U32 = struct.Struct("=I")
_BOTH_U32 = struct.Struct("=II")
_U64 = struct.Struct("=Q")


def encode_id(identity: ServiceId) -> bytes:
    """The attributes by which the kernel finds a service."""
    family = attribute(_AF, _U16.pack(identity.family))
    if identity.fwmark:
        return family + attribute(_FWMARK, _U32.pack(identity.fwmark))
    return b"".join(
        (
            family,
            attribute(_PROTOCOL, _U16.pack(identity.protocol)),
            attribute(_VIP, _address(identity.vip)),
            attribute(_VIP_PORT, _BE16.pack(identity.port)),
        )
    )


def encode_service(service: Service) -> bytes:
    """A whole record. The kernel takes absent attributes for their zero, in an edit too."""
    persistent = 0 if service.persistent is None else _PERSISTENT
    parts = [
        encode_id(service.id),
        attribute(_SCHEDULER, service.scheduler.encode() + b"\0"),
        attribute(_FLAGS, _BOTH_U32.pack((service.flags or 0) | persistent, FULL_MASK)),
        attribute(_TIMEOUT, _U32.pack(service.persistent or 0)),
        attribute(_NETMASK, _netmask(service)),
    ]
    if service.engine:
        parts.append(attribute(_ENGINE, service.engine.encode() + b"\0"))
    return b"".join(parts)


def encode_destination_id(destination: Destination) -> bytes:
    """The attributes by which the kernel finds a destination within its service."""
    address = _address(destination.address)
    family = _U16.pack(IPV6 if ":" in destination.address else IPV4)
    return attribute(_ADDRESS, address) + attribute(_PORT, _BE16.pack(destination.port)) + attribute(_FAMILY, family)


def encode_destination(destination: Destination) -> bytes:
    """A whole record, as for a service."""
    return b"".join(
        (
            encode_destination_id(destination),
            attribute(_FORWARDING, _U32.pack(destination.forwarding)),
            attribute(_WEIGHT, _U32.pack(destination.weight)),
            attribute(_UPPER, _U32.pack(destination.upper_threshold or 0)),
            attribute(_LOWER, _U32.pack(destination.lower_threshold or 0)),
            attribute(_TUNNEL_TYPE, bytes([destination.tunnel_type or 0])),
            attribute(_TUNNEL_PORT, _BE16.pack(destination.tunnel_port or 0)),
            attribute(_TUNNEL_FLAGS, _U16.pack(destination.tunnel_flags or 0)),
        )
    )


def decode_service(data: bytes) -> Service:
    """A service as the kernel dumps it. Timeout and netmask say nothing where it is not persistent."""
    found = dict(attributes(data))
    family = _U16.unpack(found[_AF])[0]
    if _FWMARK in found:
        identity = ServiceId(family, fwmark=_U32.unpack(found[_FWMARK])[0])
    else:
        protocol, port = _U16.unpack(found[_PROTOCOL])[0], _BE16.unpack(found[_VIP_PORT])[0]
        identity = ServiceId(family, 0, protocol, _text(family, found[_VIP]), port)
    flags = _BOTH_U32.unpack(found[_FLAGS])[0]
    persistent, netmask = None, SINGLE_CLIENT[family]
    if flags & _PERSISTENT:
        persistent = _U32.unpack(found[_TIMEOUT])[0]
        mask = found[_NETMASK]
        netmask = netmask_text(inet.text(mask)) if family == IPV4 else str(_U32.unpack(mask)[0])
    scheduler, engine = (found.get(name, b"").rstrip(b"\0").decode() for name in (_SCHEDULER, _ENGINE))
    return Service(identity, scheduler, persistent, netmask, flags & ~(_PERSISTENT | _HASHED), engine)


def decode_destination(service: ServiceId, data: bytes) -> Destination:
    """A destination as the kernel dumps it. Kernels before 3.18 name no family, and before 5.3 no tunnel."""
    found = dict(attributes(data))
    family = _U16.unpack(found[_FAMILY])[0] if _FAMILY in found else service.family
    return Destination(
        service=service,
        address=_text(family, found[_ADDRESS]),
        port=_BE16.unpack(found[_PORT])[0],
        forwarding=_U32.unpack(found[_FORWARDING])[0] & _FORWARDING_BITS,
        weight=_U32.unpack(found[_WEIGHT])[0],
        upper_threshold=_U32.unpack(found[_UPPER])[0],
        lower_threshold=_U32.unpack(found[_LOWER])[0],
        tunnel_type=found.get(_TUNNEL_TYPE, b"\0")[0],
        tunnel_port=_BE16.unpack(found.get(_TUNNEL_PORT, b"\0\0"))[0],
        tunnel_flags=_U16.unpack(found.get(_TUNNEL_FLAGS, b"\0\0"))[0],
    ).sound()


class Destinations:
    """Decodes the destinations of one kernel's dumps. What many have in common is read once."""

    def __init__(self) -> None:
        self._made: dict[bytes, tuple[Any, ...]] = {}
        self._parts: tuple[slice, slice] | None = None

    def decode(self, service: ServiceId, data: bytes) -> Destination:
        """As decode_destination()."""
        before, after = self._parts or self._find(data)
        shared = data[before] + data[after]
        made = self._made.get(shared)
        if made is None:
            made = self._made[shared] = decode_destination(service, data)[1:]
        return Destination._make((service, *made))

    def _find(self, data: bytes) -> tuple[slice, slice]:
        """What stands beside the numbers of connections and the statistics. A kernel writes every record alike, with
        all its attributes, in its order (ip_vs_genl_fill_dest())."""
        connections, after = _offset(data, _ACTIVE), _offset(data, _PERSISTENT_CONNECTIONS) + _COUNT_BYTES
        self._parts = slice(connections), slice(after, _offset(data, _DESTINATION_STATS))
        return self._parts


def decode_service_counters(data: bytes) -> Counters:
    return Counters(_stats(dict(attributes(data))[_SERVICE_STATS]))


def decode_destination_counters(data: bytes) -> Counters:
    found = dict(attributes(data))
    counts = (_U32.unpack(found[name])[0] for name in (_ACTIVE, _INACTIVE, _PERSISTENT_CONNECTIONS))
    return Counters(_stats(found[_DESTINATION_STATS]), *counts)


def _offset(data: bytes, number: int) -> int:
    """Where an attribute begins, or the end where there is none."""
    offset = 0
    for found, value in attributes(data):
        if found == number:
            break
        offset += 4 + len(value) + -len(value) % 4
    return offset


def _stats(data: bytes) -> dict[str, int]:
    found = dict(attributes(data))
    return {name: _U64.unpack(found[number])[0] for number, name in enumerate(_STATS, 1)}


def _netmask(service: Service) -> bytes:
    if service.id.family != IPV4:
        return _U32.pack(int(service.netmask))
    if "." in service.netmask:
        return inet.packed(service.netmask)
    return (FULL_MASK << (32 - int(service.netmask)) & FULL_MASK).to_bytes(4, "big")


def _address(written: str) -> bytes:
    return inet.packed(written).ljust(_ADDRESS_BYTES, b"\0")


def _text(family: int, packed: bytes) -> str:
    return inet.text(packed[:4] if family == IPV4 else packed)
