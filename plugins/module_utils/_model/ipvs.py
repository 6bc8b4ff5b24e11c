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
TUNNEL_CHECKSUMS = {"none": 0, "csum": 1, "remcsum": 2}
"""IP_VS_TUNNEL_ENCAP_FLAG_…: no checksum, one of the outer packet, or that and the inner one left to it."""
ONE_PACKET = 0x4
_SCHEDULER_FLAGS = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}
"""What a scheduler calls its two flags."""
FLAGS = {"one-packet": ONE_PACKET}
for _names in _SCHEDULER_FLAGS.values():
    FLAGS.update(zip(_names, (0x8, 0x10)))
"""IP_VS_SVC_F_…, as ipvsadm(8) names them."""
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
        return f"{family} {values.name_of(values.TRANSPORTS, self.protocol)} {endpoint(self.vip, self.port)}"


class Service(NamedTuple):
    """One service. ``persistent`` is its timeout in seconds, or None; ``netmask`` a prefix length, or an IPv4 mask
    that is none. ``flags`` are those beside persistence. They and ``engine`` are None where they were not asked for:
    they stay as they are, or become none."""

    id: ServiceId
    scheduler: str
    persistent: int | None = None
    netmask: str = ""
    flags: int | None = None
    engine: str | None = None

    @property
    def key(self) -> Hashable:
        return self.id

    @property
    def line(self) -> str:
        words = [self.id.line, "scheduler", self.scheduler]
        if self.persistent is not None:
            words += ["persistent", str(self.persistent)]
            words += ["netmask", self.netmask] if self.netmask != SINGLE_CLIENT[self.id.family] else []
        words += flag_names(self)
        words += ["engine", self.engine] if self.engine else []
        return " ".join(words)


class Destination(NamedTuple):
    """One realserver of a service. Thresholds, and all of the tunnel but that it is one, are None where they were not
    asked for: they stay as they are, or become 0."""

    service: ServiceId
    address: str
    port: int
    forwarding: int
    weight: int
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    tunnel_type: int | None = None
    tunnel_port: int | None = None
    tunnel_flags: int | None = None

    @property
    def key(self) -> Hashable:
        """Identity: address and port within the service."""
        return self[:3]

    def sound(self) -> Destination:
        """Without what the kernel keeps of a tunnel that this was once: it means nothing to another forwarding."""
        return self if self.forwarding == TUNNEL else self._replace(tunnel_type=0, tunnel_port=0, tunnel_flags=0)

    @property
    def line(self) -> str:
        words = [self.service.line, "server", endpoint(self.address, self.port)]
        words += [values.name_of(FORWARDING_FOUND, self.forwarding), "weight", str(self.weight)]
        if self.tunnel_type or self.tunnel_port or self.tunnel_flags:
            words += ["tunnel-type", values.name_of(TUNNEL_TYPES, self.tunnel_type or 0)]
            words += ["tunnel-port", str(self.tunnel_port)] if self.tunnel_port else []
            words += (
                ["tunnel-checksum", values.name_of(TUNNEL_CHECKSUMS, self.tunnel_flags)] if self.tunnel_flags else []
            )
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
        return wanted._replace(
            flags=found.flags if wanted.flags is None else wanted.flags,
            engine=found.engine if wanted.engine is None else wanted.engine,
        )
    if isinstance(wanted, Destination) and isinstance(found, Destination):
        asked = [has if want is None else want for want, has in zip(wanted, found)]
        target = Destination._make(asked).sound()
        return target._replace(weight=found.weight) if keep_weights else target
    return wanted


def flag_names(service: Service) -> list[str]:
    """The flags of a service, those that its scheduler has no name for as ``flag-1`` and ``flag-2``."""
    names = ("one-packet", *_SCHEDULER_FLAGS.get(service.scheduler, ("flag-1", "flag-2")))
    return [name for name, bit in zip(names, (ONE_PACKET, 0x8, 0x10)) if (service.flags or 0) & bit]


def netmask_text(mask: str) -> str:
    """An IPv4 mask as a prefix length, or as it is where it has gaps, which IPVS allows."""
    bits = f"{int(ipaddress.IPv4Address(mask)):032b}".rstrip("0")
    return mask if "0" in bits else str(len(bits))


def endpoint(address: str, port: int) -> str:
    """Address and port as ipvsadm(8) writes them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
