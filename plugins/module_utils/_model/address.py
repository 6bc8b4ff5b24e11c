# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address of a device (ip-address(8), net/ipv4/devinet.c, net/ipv6/addrconf.c)."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values

SCOPES = {"global": 0, "link": 253, "host": 254}
"""RT_SCOPE_… of include/uapi/linux/rtnetlink.h"""
UNOWNED = 0
"""The protocol of an address without an owner. Before Linux 5.18 none has one."""
KERNEL_PROTOCOLS = frozenset({1, 2, 3})
"""IFAPROT_KERNEL_… of include/uapi/linux/if_addr.h: ::1, router advertisements, link-local addresses."""
_BROADCAST = ipaddress.ip_address("255.255.255.255")


@dataclass(frozen=True)
class Address:
    """One address. ``peer`` is empty but on a point-to-point link, ``lasting`` false where its lifetime ends.

    IPv6 has no scope to set (always 0 here), IPv4 no duplicate address detection to leave out (``nodad`` false).
    ``secondary`` tells that the kernel removes an IPv4 address together with the first of its network.
    """

    family: int
    address: str
    length: int
    device: str
    protocol: int
    scope: int = 0
    nodad: bool = False
    peer: str = ""
    lasting: bool = True
    secondary: bool = field(default=False, compare=False)

    @property
    def key(self) -> Hashable:
        """Identity, the kernel's own: a device has an IPv6 address once, but an IPv4 address once for each length."""
        return (self.family, self.address, self.device, *(self.fixed[:2] if self.family == values.IPV4 else ()))

    @property
    def fixed(self) -> tuple[int, str, int]:
        """What the kernel cannot change in place."""
        return (self.length, self.peer, self.scope)

    @property
    def prefix(self) -> str:
        """Address and length."""
        return f"{self.address}/{self.length}"

    @property
    def network(self) -> values.Network:
        """The prefix that the address lies in; on a point-to-point link, the peer's."""
        return ipaddress.ip_network(f"{self.peer or self.address}/{self.length}", strict=False)

    @property
    def place(self) -> Hashable:
        """The network of the address on its device, with its length."""
        return (self.device, self.network)

    @property
    def line(self) -> str:
        """As ``ip -oneline address`` writes it, with the family in front."""
        words = [values.FAMILY_NAMES.get(self.family, str(self.family)), self.prefix]
        words += ["peer", self.peer] if self.peer else []
        words += ["dev", self.device]
        words += ["scope", values.name_of(SCOPES, self.scope)] if self.family == values.IPV4 else []
        words += ["nodad"] if self.nodad else []
        words += [] if self.lasting else ["dynamic"]
        words += ["proto", str(self.protocol)] if self.protocol != UNOWNED else []
        return " ".join(words)


def parse(options: Mapping[str, Any], label: str = "") -> list[tuple[str, Address]]:
    """The addresses that one entry of the module's options asks for, each with the name of its option."""
    if not options["prefixes"]:
        raise BadInput(label + "prefixes", options["prefixes"], "is empty: name at least one address.")
    device = values.interface(label + "device", options["device"])
    protocol = values.owner(label + "protocol", options["protocol"])
    found = []
    for place, text in enumerate(options["prefixes"]):
        option = f"{label}prefixes[{place}]"
        given = _interface_address(option, text)
        family = values.family_of(given.network)
        scope = _scope(label + "scope", options["scope"], given.ip)
        address = Address(
            family, str(given.ip), given.network.prefixlen, device, protocol, scope, nodad=family == values.IPV6
        )
        found.append((option, address))
    return found


def by_network(addresses: Iterable[Address]) -> dict[Hashable, list[Address]]:
    """The IPv4 addresses of each network on a device (``place``): all have one scope, and the first leads the rest."""
    found: dict[Hashable, list[Address]] = {}
    for address in addresses:
        if address.family == values.IPV4:
            found.setdefault(address.place, []).append(address)
    return found


def _interface_address(option: str, text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        given = ipaddress.ip_interface(text)
    except ValueError:
        raise BadInput(option, text, "is not an IPv4 or IPv6 address, with or without a prefix length.") from None
    if getattr(given, "scope_id", None):
        raise BadInput(option, text, "has a zone; name the device in its own option.")
    if given.ip.is_multicast or given.ip.is_unspecified or given.ip == _BROADCAST:
        raise BadInput(option, text, "is not an address that a device can have.")
    if given.network.prefixlen == 0:
        raise BadInput(option, text, "would take every address there is onto the device: give a longer prefix.")
    return given


def _scope(option: str, name: str | None, address: values.Address) -> int:
    if address.version == 6:
        if name is not None:
            raise BadInput(option, name, f"cannot be set for {address}: an IPv6 address has its scope in itself.")
        return 0
    return SCOPES[name or ("host" if address.is_loopback else "global")]
