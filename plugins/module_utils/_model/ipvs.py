# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IPVS service and its destinations (ipvsadm(8), include/uapi/linux/ip_vs.h)."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from typing import NamedTuple, Union

from ansible_collections.lvs.vipless.plugins.module_utils._model import values

MASQUERADE, TUNNEL, DIRECT = 0, 2, 3
FORWARDING = {"direct": DIRECT, "tunnel": TUNNEL, "masquerade": MASQUERADE}
"""IP_VS_CONN_F_…: how a packet gets to the destination."""
FORWARDING_FOUND = {**FORWARDING, "local": 1, "bypass": 4}
"""All that a service can hold. The other two cannot be asked for."""
TUNNEL_TYPES = {"ipip": 0, "gue": 1, "gre": 2}
"""IP_VS_CONN_F_TUNNEL_TYPE_…"""
FLAGS = {"ops": 0x4, "flag-1": 0x8, "flag-2": 0x10}
"""IP_VS_SVC_F_…, as ipvsadm(8) names them: one-packet scheduling and the two flags that schedulers read."""
SINGLE_CLIENT = {values.IPV4: "32", values.IPV6: "128"}
"""The netmask under which every client is one of its own."""


class ServiceId(NamedTuple):
    """What the kernel knows a service by: family and fwmark, or family, protocol, VIP and port."""

    family: int
    fwmark: int = 0
    protocol: int = 0
    vip: str = ""
    port: int = 0

    @property
    def line(self) -> str:
        family = values.FAMILY_NAMES.get(self.family, str(self.family))
        if self.fwmark:
            return f"{family} fwmark {self.fwmark:#x}"
        return f"{family} {values.name_of(values.TRANSPORTS, self.protocol)} {_endpoint(self.vip, self.port)}"


class Service(NamedTuple):
    """One service. ``persistent`` is its timeout in seconds, or None; ``netmask`` a prefix length, or an IPv4 mask
    that is none. ``flags`` (beside persistence) and ``engine`` are kept as found."""

    id: ServiceId
    scheduler: str
    persistent: int | None = None
    netmask: str = ""
    flags: int = 0
    engine: str = ""

    @property
    def key(self) -> Hashable:
        return self.id

    @property
    def line(self) -> str:
        words = [self.id.line, "scheduler", self.scheduler]
        if self.persistent is not None:
            words += ["persistent", str(self.persistent)]
            words += ["netmask", self.netmask] if self.netmask != SINGLE_CLIENT[self.id.family] else []
        words += [name for name, bit in FLAGS.items() if self.flags & bit]
        words += ["engine", self.engine] if self.engine else []
        return " ".join(words)


class Destination(NamedTuple):
    """One realserver of a service. The thresholds and all of the tunnel but that it is one are kept as found."""

    service: ServiceId
    address: str
    port: int
    forwarding: int
    weight: int
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel_type: int = 0
    tunnel_port: int = 0
    tunnel_flags: int = 0

    @property
    def key(self) -> Hashable:
        """Identity: address and port within the service."""
        return self[:3]

    @property
    def line(self) -> str:
        words = [self.service.line, "server", _endpoint(self.address, self.port)]
        words += [values.name_of(FORWARDING_FOUND, self.forwarding), "weight", str(self.weight)]
        if self.tunnel_type or self.tunnel_port or self.tunnel_flags:
            kind = values.name_of(TUNNEL_TYPES, self.tunnel_type)
            words += ["tunnel-type", kind, "tunnel-port", str(self.tunnel_port), "tunnel-flags", str(self.tunnel_flags)]
        words += ["upper", str(self.upper_threshold)] if self.upper_threshold else []
        words += ["lower", str(self.lower_threshold)] if self.lower_threshold else []
        return " ".join(words)


Entry = Union[Service, Destination]
"""What a plan for IPVS is made of."""


def service_of(entry: Entry) -> ServiceId:
    """The service that an entry is, or belongs to."""
    return entry.id if isinstance(entry, Service) else entry.service


def keep_found(wanted: Entry, found: Entry, keep_weights: bool) -> Entry:
    """What is asked for, with all that is not asked for as it was found: the kernel only takes whole records."""
    if isinstance(wanted, Service) and isinstance(found, Service):
        return wanted._replace(flags=found.flags, engine=found.engine)
    if isinstance(wanted, Destination) and isinstance(found, Destination):
        weight = found.weight if keep_weights else wanted.weight
        return found._replace(forwarding=wanted.forwarding, weight=weight)
    return wanted


def netmask_text(mask: str) -> str:
    """An IPv4 mask as a prefix length, or as it is where it has gaps, which IPVS allows."""
    bits = f"{int(ipaddress.IPv4Address(mask)):032b}".rstrip("0")
    return mask if "0" in bits else str(len(bits))


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
