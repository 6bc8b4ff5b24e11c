# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an nftables table keeps a host silent about on ARP, and in whose name the host asks instead."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp import ALL
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired


class Vip(NamedTuple):
    """An address or a prefix that nobody hears of. The kernel may hold a range, which we never write."""

    vip: str

    @property
    def key(self) -> Hashable:
        """Identity: the addresses."""
        return self

    @property
    def line(self) -> str:
        return f"vip {self.vip}"


class Source(NamedTuple):
    """The address that the host asks as on an interface, or on ALL, where it would have asked as a VIP."""

    interface: str
    address: str


@dataclass(frozen=True)
class Table:
    """The table itself: the interfaces that the host is silent on (or ALL), and the addresses that it asks as, both
    sorted. ``damage`` names the parts that are missing or altered, ``holds`` are its VIPs."""

    name: str
    silent: tuple[str, ...]
    sources: tuple[Source, ...]
    damage: tuple[str, ...] = ()
    holds: frozenset[Vip] = field(default=frozenset(), compare=False)

    @property
    def key(self) -> Hashable:
        """Identity: the name, which is no VIP's."""
        return ("table", self.name)

    @property
    def line(self) -> str:
        words = [f"table arp {self.name}", *(f"silent on {name}" for name in self.silent)]
        words += [f"asks on {interface} as {address}" for interface, address in self.sources]
        words += [f"damaged: {', '.join(self.damage)}"] if self.damage else []
        return "; ".join(words)


Entry = Union[Vip, Table]


class Wanted(NamedTuple):
    """The module's options, checked: ``names_vips`` where the VIPs were given, be they none; ``source`` is empty where
    the module finds the addresses."""

    table: str
    vips: list[Vip]
    names_vips: bool
    interfaces: list[str]
    source: str


def parse(options: Mapping[str, Any], present: bool) -> Wanted:
    """What the options for method nftables ask for."""
    if present and options["vips"] is None:
        raise BadInput("vips", None, "is missing: method nftables needs to know them.")
    if not options["interfaces"]:
        raise BadInput("interfaces", options["interfaces"], f"is empty: name at least one interface, or {ALL}.")
    if ALL in options["interfaces"] and len(options["interfaces"]) > 1:
        raise BadInput("interfaces", options["interfaces"], f"names interfaces beside {ALL}, which is all of them.")
    labelled = [(f"vips[{place}]", text) for place, text in enumerate(options["vips"] or [])]
    vips = values.distinct((option, _vip(option, text)) for option, text in labelled)
    _refuse_overlaps([vip.vip for vip in vips])
    source = plain.address("source", options["source"]) if options["source"] is not None else (values.IPV4, "")
    if source[0] != values.IPV4:
        raise BadInput("source", source[1], "is not an IPv4 address.")
    if source[1] and is_within(source[1], vips):
        raise BadInput("source", source[1], "is one of the VIPs, in whose name nobody is to be asked.")
    table = values.nft_table("table", options["table"])
    return Wanted(table, vips, options["vips"] is not None, list(dict.fromkeys(options["interfaces"])), source[1])


def desired(wanted: Wanted, sources: Iterable[Source], present: bool) -> Desired[Entry]:
    """The table with exactly these VIPs; or without these VIPs, or without any where none is named. It goes with the
    last of them."""
    if present and wanted.vips:
        table = Table(wanted.table, tuple(sorted(wanted.interfaces)), tuple(sorted(sources)))
        return Desired([table, *wanted.vips], lambda _found: True)
    gone = frozenset(wanted.vips)
    everything = present or not wanted.names_vips

    def is_unwanted(found: Entry) -> bool:
        return everything or (found.holds <= gone if isinstance(found, Table) else found in gone)

    return Desired(unwanted=is_unwanted)


def chosen(wanted: Wanted, addresses: Sequence[tuple[str, str]]) -> list[Source]:
    """The address that each interface asks as: the one that was named, or the first it has that is no VIP."""
    if wanted.source:
        return [Source(name, wanted.source) for name in wanted.interfaces]
    found: dict[str, str] = {}
    for device, address in addresses:
        counts = device in wanted.interfaces or ALL in wanted.interfaces
        if counts and device not in found and device != "lo" and not is_within(address, wanted.vips):
            found[device] = address
    return [Source(*pair) for pair in found.items()]


def is_within(address: str, vips: Sequence[Vip]) -> bool:
    """Whether an address is a VIP or in a prefix of VIPs."""
    held = {vip.vip for vip in vips}
    lengths = {int(vip.partition("/")[2] or 32) for vip in held}
    return any(_text(ipaddress.ip_network(f"{address}/{length}", strict=False)) in held for length in lengths)


def _vip(option: str, text: str) -> Vip:
    family, prefix = plain.prefix(option, text)
    if family != values.IPV4:
        raise BadInput(option, text, "is not IPv4. IPv6 needs nothing of the kind.")
    if prefix.endswith("/0"):
        raise BadInput(option, text, "is every address: the host would be silent about its own.")
    return Vip(prefix[:-3] if prefix.endswith("/32") else prefix)


def _text(network: values.Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _refuse_overlaps(vips: Sequence[str]) -> None:
    """nft would refuse them too, and not say which."""
    prefixes = [vip for vip in vips if "/" in vip]
    lengths = sorted({int(vip.partition("/")[2]) for vip in prefixes})
    held = frozenset(prefixes)
    for vip in vips:
        own = int(vip.partition("/")[2] or 32)
        for length in lengths:
            if length < own:
                outer = str(ipaddress.ip_network(f"{vip.partition('/')[0]}/{length}", strict=False))
                if outer in held:
                    raise BadInput("vips", vip, f"is within {outer}, which is named too.")
