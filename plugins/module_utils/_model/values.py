# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checked values: addresses, prefixes, marks, numbers. Each function takes the option's name for its error."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Protocol, TypeVar, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput

IPV4 = 2
"""AF_INET, include/linux/socket.h"""
IPV6 = 10
"""AF_INET6"""
FAMILIES = {"ipv4": IPV4, "ipv6": IPV6}
FAMILY_NAMES = {IPV4: "ipv4", IPV6: "ipv6"}
ANYWHERE = {IPV4: "0.0.0.0/0", IPV6: "::/0"}
FULL_MASK = 0xFFFFFFFF

OWN_PROTOCOL = 117
"""The routing protocol number by which rules and routes of this collection are known (see ip-route(8), PROTOCOL)."""
PROTOCOLS = {"kernel": 2, "boot": 3, "static": 4}
"""Numbers of include/uapi/linux/rtnetlink.h that are the same on every host."""
OTHERS_PROTOCOLS = {
    **dict.fromkeys((*range(8, 19), 42, 84, 99, *range(186, 199)), "a routing daemon's"),
    1: "the kernel's",
    2: "the kernel's",
    3: "ip(8)'s own",
    4: "the administrator's, systemd-networkd's and NetworkManager's",
    9: "router advertisements'",
    16: "DHCP clients'",
}
"""Numbers that name somebody else: include/uapi/linux/rtnetlink.h, and lib/route_types.txt of FRR for 193 to 198."""
TRANSPORTS = {"tcp": 6, "udp": 17, "sctp": 132}
"""The protocols with ports that IPVS balances (IANA, Protocol Numbers)."""
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
_NFT_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}")
TABLES = {"default": 253, "main": 254, "local": 255}

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Keyed(Protocol):
    @property
    def key(self) -> Hashable:
        """What tells it from others of its kind."""

    @property
    def line(self) -> str:
        """It in words, as the diff shows it."""


K = TypeVar("K", bound=Keyed)


def network(option: str, text: str) -> Network:
    """A prefix such as 203.0.113.0/24; an address alone is its host prefix. Host bits are an error, not a guess."""
    if "%" in text:
        raise BadInput(option, text, "has a zone; give the prefix alone.")
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadInput(option, text, "is not an IPv4 or IPv6 prefix or address.") from None
    raise BadInput(option, text, f"has host bits set; the prefix is {meant}.")


def address(option: str, text: str) -> Address:
    """One IPv4 or IPv6 address, without prefix length or zone."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise BadInput(option, text, "is not an IPv4 or IPv6 address.") from None
    if getattr(found, "scope_id", None):
        raise BadInput(option, text, "has a zone; give the address alone.")
    return found


def outermost(networks: Iterable[Network]) -> list[Network]:
    """Those that are in no other, in order: an nft set has no overlaps. Many prefixes have few lengths, so each looks
    its own surroundings up."""
    named = dict.fromkeys(networks)
    lengths = {(one.version, one.prefixlen) for one in named}
    return [
        one
        for one in named
        if not any(
            version == one.version and length < one.prefixlen and one.supernet(new_prefix=length) in named
            for version, length in lengths
        )
    ]


network_of = lru_cache(maxsize=None)(ipaddress.ip_network)
"""The network of a prefix or an address in text: few of them are asked for again and again."""
_address_of = lru_cache(maxsize=None)(ipaddress.ip_address)


def holds(prefix: str, address: str) -> bool:
    """Whether an address lies in a prefix."""
    return _address_of(address) in network_of(prefix)


def family_of(net: Network | Address) -> int:
    return IPV4 if net.version == 4 else IPV6


def number(option: str, value: int | str, lowest: int, highest: int) -> int:
    """A whole number in decimal or 0x notation, within limits."""
    try:
        found = int(value, 0) if isinstance(value, str) else value
    except ValueError:
        raise BadInput(option, value, "is not a whole number.") from None
    if not lowest <= found <= highest:
        raise BadInput(option, value, f"is not between {lowest} and {highest}.")
    return found


def mark_and_mask(option: str, text: str) -> tuple[int, int]:
    """A firewall mark as MARK or MARK/MASK, decimal or 0x. A bit outside the mask could never match."""
    value, slash, mask_text = text.partition("/")
    try:
        mask = number(option, mask_text, 1, FULL_MASK) if slash else FULL_MASK
        mark = number(option, value, 0, FULL_MASK)
    except BadInput:
        if not slash:
            raise
        raise BadInput(option, text, "is not MARK/MASK, numbers up to 0xffffffff with a mask above 0.") from None
    if mark & ~mask:
        raise BadInput(option, text, f"has bits outside its mask (mark {mark:#x}, mask {mask:#x}).")
    return mark, mask


def single_bit(option: str, value: int | str) -> int:
    """One bit of a mark, as a number."""
    found = number(option, value, 1, FULL_MASK)
    if found & (found - 1):
        raise BadInput(option, value, "has more than one bit set.")
    return found


def table(option: str, text: str) -> int:
    """A routing table by number, or by one of the names that every kernel has."""
    return TABLES[text] if text in TABLES else number(option, text, 1, FULL_MASK)


def protocol(option: str, text: str) -> int:
    """A routing protocol by number, or by one of the names that every kernel has."""
    return PROTOCOLS[text] if text in PROTOCOLS else number(option, text, 1, 255)


def owner(option: str, value: int | str) -> int:
    """The routing protocol number by which objects are known as ours, so nobody else may have it."""
    found = protocol(option, str(value))
    if found in OTHERS_PROTOCOLS:
        raise BadInput(
            option,
            value,
            f"is {OTHERS_PROTOCOLS[found]} number, and what carries it would be taken for this collection's. "
            f"Choose a number that nobody has on this host, such as {OWN_PROTOCOL}.",
        )
    return found


def interface(option: str, text: str) -> str:
    """An interface name of characters that stand for themselves wherever it is written.

    The kernel takes any 15 bytes without white space and slash (net/core/dev.c). In a file of ip(8), # begins a
    comment; in nft(8), * is a wildcard and a quote ends the name.
    """
    if not _INTERFACE.fullmatch(text) or text in {".", ".."}:
        reason = "is not an interface name (1 to 15 letters, digits, '_', '.', ':', '@', '+', '-')."
        raise BadInput(option, text, reason)
    return text


def nft_table(option: str, text: str) -> str:
    """The name of an nftables table as every command of nft takes it."""
    if not _NFT_TABLE.fullmatch(text):
        raise BadInput(option, text, "is not a table's name (letters, digits, '_', '.', '-'; not a digit first).")
    return text


def range_text(low: int, high: int) -> str:
    """A range as this collection writes it: one number where it holds no other."""
    return str(low) if low == high else f"{low}-{high}"


def name_of(names: dict[str, int], value: int) -> str:
    """The name of a number, or the number as text."""
    for name, candidate in names.items():
        if candidate == value:
            return name
    return str(value)


def distinct(labelled: Iterable[tuple[str, K]]) -> list[K]:
    """The objects, none named twice. Two entries for one object are an error even where they agree."""
    seen: dict[Hashable, tuple[str, K]] = {}
    for label, obj in labelled:
        if obj.key in seen:
            first = seen[obj.key][0].rstrip(".")
            raise BadInput(label.rstrip("."), obj.line, f"names the same object as {first}.")
        seen[obj.key] = (label, obj)
    return [obj for _label, obj in seen.values()]
