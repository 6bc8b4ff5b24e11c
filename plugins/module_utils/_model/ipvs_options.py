# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to IPVS services and destinations, and to which of the others are to go."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, Entry, Service, ServiceId
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

_MOST_SECONDS = 31 * 24 * 3600
_MOST_WEIGHT = 65535
_MOST_PORT = 65535
_BROADCAST = "255.255.255.255"
_SCHEDULER = re.compile(r"[A-Za-z0-9_-]{1,15}")
"""IP_VS_SCHEDNAME_MAXLEN is 16, the end included."""


def parse(options: Mapping[str, Any], label: str = "") -> list[tuple[str, Entry]]:
    """The service of one entry of the module's options, then its destinations, each with its option's name."""
    identity = _identity(options, label)
    scheduler = options["scheduler"]
    if not _SCHEDULER.fullmatch(scheduler):
        raise BadInput(label + "scheduler", scheduler, "is not a scheduler's name (1 to 15 letters, digits, _ or -).")
    persistent = options["persistent"]
    if persistent is not None:
        values.number(label + "persistent", persistent, 1, _MOST_SECONDS)
    elif identity.vip and not identity.port:
        raise BadInput(label + "port", 0, "stands for every port, which IPVS only balances with persistent.")
    service = Service(identity, scheduler, persistent, _netmask(options, label, identity.family))
    found: list[tuple[str, Entry]] = [(label, service)]
    for place, entry in enumerate(options["destinations"] or []):
        where = f"{label}destinations[{place}]."
        found.append((where, _destination(entry, where, identity)))
    return found


def desired(
    params: Mapping[str, Any], entries: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[Desired[Entry], Callable[[ServiceId], bool]]:
    """The plan's target: what is named, and of the rest what state, purge and purge_destinations say is to go.
    With it, which services have to be read to make the plan."""
    purged = _purged(params)
    parsed = [(entry, parse(entry, label)) for label, entry in entries]
    named = values.distinct(pair for _entry, pairs in parsed for pair in pairs)
    services = frozenset(ipvs.service_of(obj) for obj in named)
    if params["state"] == "absent":
        return Desired(unwanted=lambda found: ipvs.service_of(found) in services), services.__contains__
    emptied = frozenset(
        ipvs.service_of(pairs[0][1])
        for entry, pairs in parsed
        if params["purge_destinations"] and entry["destinations"] is not None
    )

    def unwanted(found: Entry) -> bool:
        service = ipvs.service_of(found)
        if service in services:
            return isinstance(found, Destination) and service in emptied
        return purged(service)

    named.sort(key=lambda obj: isinstance(obj, Destination))
    target = Desired(named, unwanted, functools.partial(ipvs.keep_found, keep_weights=params["keep_weights"]))
    return target, lambda service: service in services or purged(service)


def _purged(params: Mapping[str, Any]) -> Callable[[ServiceId], bool]:
    """Whether a service that is not named is to go."""
    text = params["purge_fwmarks"]
    if text is None:
        purge = bool(params["purge"])
        return lambda _service: purge
    if not params["purge"]:
        raise BadInput("purge_fwmarks", text, "goes with purge only.")
    mark, mask = values.mark_and_mask("purge_fwmarks", text)
    if not mark:
        raise BadInput("purge_fwmarks", text, "names no bit by which a service could be known.")
    return lambda service: service.fwmark & mask == mark


def _identity(options: Mapping[str, Any], label: str) -> ServiceId:
    if options["fwmark"] is None:
        return _address_identity(options, label)
    for name in ("vip", "protocol", "port"):
        if options[name] is not None:
            raise BadInput(label + name, options[name], "cannot go with fwmark, which takes any address and port.")
    if options["family"] is None:
        raise BadInput(label + "family", None, "is missing: a fwmark service has ipv4 or ipv6.")
    mark = values.number(label + "fwmark", options["fwmark"], 1, values.FULL_MASK)
    return ServiceId(values.FAMILIES[options["family"]], fwmark=mark)


def _address_identity(options: Mapping[str, Any], label: str) -> ServiceId:
    if options["vip"] is None:
        raise BadInput(label + "vip", None, "is missing, and so is fwmark: a service has one of them.")
    for name in ("protocol", "port"):
        if options[name] is None:
            raise BadInput(label + name, None, "is missing: a service by vip has a protocol and a port.")
    vip = _unicast(label + "vip", options["vip"])
    family = values.family_of(vip)
    if options["family"] is not None and values.FAMILIES[options["family"]] != family:
        raise BadInput(label + "family", options["family"], f"is not the family of vip, {vip}.")
    port = values.number(label + "port", options["port"], 0, _MOST_PORT)
    return ServiceId(family, 0, values.TRANSPORTS[options["protocol"]], str(vip), port)


def _unicast(option: str, text: str) -> values.Address:
    found = values.address(option, text)
    if found.is_multicast or found.is_unspecified or str(found) == _BROADCAST:
        raise BadInput(option, text, "is not the address of one host.")
    return found


def _netmask(options: Mapping[str, Any], label: str, family: int) -> str:
    """A prefix length as text; an IPv4 mask is written as one, unless it has gaps, which the kernel allows."""
    text = options["persistent_netmask"]
    if text is None:
        return ipvs.SINGLE_CLIENT[family]
    option = label + "persistent_netmask"
    if options["persistent"] is None:
        raise BadInput(option, text, "goes with persistent only.")
    if family == values.IPV4 and "." in text:
        return ipvs.netmask_text(str(values.address(option, text)))
    # An IPv6 prefix length of 0 is an error to the kernel.
    return str(values.number(option, text, int(family == values.IPV6), int(ipvs.SINGLE_CLIENT[family])))


def _destination(options: Mapping[str, Any], label: str, service: ServiceId) -> Destination:
    address = _unicast(label + "address", options["address"])
    if address.version == 6 and address.is_link_local:
        raise BadInput(label + "address", str(address), "is a link-local address, which IPVS does not take.")
    forwarding = ipvs.FORWARDING[options["forwarding"]]
    if values.family_of(address) != service.family and forwarding != ipvs.TUNNEL:
        family = values.FAMILY_NAMES[service.family]
        raise BadInput(
            label + "address", str(address), f"is not {family} as the service is: only forwarding: tunnel can do that."
        )
    port = service.port
    if options["port"] is not None:
        port = values.number(label + "port", options["port"], 0, _MOST_PORT)
    if service.vip and port != service.port and forwarding != ipvs.MASQUERADE:
        raise BadInput(
            label + "port", port, f"is not the service's, {service.port}: only forwarding: masquerade can change it."
        )
    weight = values.number(label + "weight", options["weight"], 0, _MOST_WEIGHT)
    return Destination(service, str(address), port, forwarding, weight)
