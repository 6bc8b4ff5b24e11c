# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to IPVS services and destinations, and to which of the others are to go."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs, ipvs_report, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, Entry, Service, ServiceId
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

_MOST_SECONDS = 31 * 24 * 3600
_MOST_WEIGHT = 65535
_MOST_PORT = 65535
_MOST_CONNECTIONS = 0x7FFFFFFF
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
    netmask = _netmask(options, label, identity.family)
    service = Service(
        identity, scheduler, persistent, netmask, _flags(options, label, identity), _engine(options, label)
    )
    found: list[tuple[str, Entry]] = [(label, service)]
    for place, entry in enumerate(options["destinations"] or []):
        where = f"{label}destinations[{place}]."
        found.append((where, destination(entry, where, identity)))
    return found


class Target(NamedTuple):
    """What the options ask for. ``in_scope`` tells which services have to be read to make the plan; ``surplus``, where
    there is to be one, collects those that it leaves for later while it is made."""

    desired: Desired[Entry]
    in_scope: Callable[[ServiceId], bool]
    surplus: dict[ServiceId, None] | None

    def told(self, result: dict[str, Any]) -> dict[str, Any]:
        """The module's result, with what is left."""
        if self.surplus is None:
            return result
        return {**result, "surplus": [ipvs_report.identity(service) for service in sorted(self.surplus)]}


def target(params: Mapping[str, Any], entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Target:
    """What is named, and of the rest what state, purge and purge_destinations say is to go."""
    surplus: dict[ServiceId, None] | None = {} if params["purge_later"] else None
    purged = _purged(params)
    parsed = [(entry, parse(entry, label)) for label, entry in entries]
    named = values.distinct(pair for _entry, pairs in parsed for pair in pairs)
    services = frozenset(ipvs.service_of(obj) for obj in named)
    if params["state"] == "absent":
        gone: Desired[Entry] = Desired(unwanted=lambda found: ipvs.service_of(found) in services)
        return Target(gone, services.__contains__, surplus)
    emptied = frozenset(
        ipvs.service_of(pairs[0][1])
        for entry, pairs in parsed
        if params["purge_destinations"] and entry["destinations"] is not None
    )

    def unwanted(found: Entry) -> bool:
        service = ipvs.service_of(found)
        if service in services:
            return isinstance(found, Destination) and service in emptied
        if surplus is not None and purged(service):
            surplus[service] = None
            return False
        return purged(service)

    named.sort(key=lambda obj: isinstance(obj, Destination))
    wanted = Desired(named, unwanted, functools.partial(ipvs.keep_found, keep_weights=params["keep_weights"]))
    return Target(wanted, lambda service: service in services or purged(service), surplus)


def _purged(params: Mapping[str, Any]) -> Callable[[ServiceId], bool]:
    """Whether a service that is not named is to go."""
    text = params["purge_fwmarks"]
    if params["purge_later"] and not params["purge"]:
        raise BadInput("purge_later", True, "goes with purge only.")
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


def destination(options: Mapping[str, Any], label: str, service: ServiceId) -> Destination:
    """The destination of one entry of the options, in a service."""
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
    thresholds = _thresholds(options, label)
    return Destination(service, str(address), port, forwarding, weight, *thresholds, *_tunnel(options, label))


def _flags(options: Mapping[str, Any], label: str, identity: ServiceId) -> int | None:
    names = options["flags"]
    if names is None:
        return None
    for name in names:
        scheduler, dash, _rest = name.partition("-")
        if name == "one-packet":
            if identity.vip and identity.protocol != values.TRANSPORTS["udp"]:
                raise BadInput(label + "flags", name, "is for services by udp or fwmark only.")
        elif dash and scheduler != options["scheduler"]:
            raise BadInput(label + "flags", name, f"is for scheduler {scheduler} only, not {options['scheduler']}.")
    return functools.reduce(operator.or_, (ipvs.FLAGS[name] for name in names), 0)


def _engine(options: Mapping[str, Any], label: str) -> str | None:
    engine: str | None = options["persistence_engine"]
    if engine and options["persistent"] is None:
        raise BadInput(label + "persistence_engine", engine, "goes with persistent only.")
    if engine and not _SCHEDULER.fullmatch(engine):
        raise BadInput(label + "persistence_engine", engine, "is not an engine's name, such as sip.")
    return engine


def _thresholds(options: Mapping[str, Any], label: str) -> tuple[int | None, int | None]:
    """The upper and the lower one."""
    names = ("upper_threshold", "lower_threshold")
    upper, lower = (
        values.number(label + name, options[name], 0, _MOST_CONNECTIONS) if options[name] is not None else None
        for name in names
    )
    if upper and lower and lower > upper:
        raise BadInput(label + "lower_threshold", lower, f"is above the upper one, {upper}.")
    return upper, lower


def _tunnel(options: Mapping[str, Any], label: str) -> tuple[int | None, int | None, int | None]:
    """Type, port and checksum flags."""
    kind, port, checksum = (options[f"tunnel_{name}"] for name in ("type", "port", "checksum"))
    for name, value in (("tunnel_type", kind), ("tunnel_port", port), ("tunnel_checksum", checksum)):
        if value is not None and options["forwarding"] != "tunnel":
            raise BadInput(label + name, value, "goes with forwarding: tunnel only.")
        if value is not None and kind is None:
            raise BadInput(label + name, value, "goes with tunnel_type only.")
    if kind is None:
        return None, None, None
    if kind == "gue" and port is None:
        raise BadInput(label + "tunnel_port", None, "is missing: packets of type gue go to a port.")
    if kind != "gue" and port is not None:
        raise BadInput(label + "tunnel_port", port, "goes with tunnel_type: gue only.")
    if checksum not in _CHECKSUMS_OF_TYPES[kind]:
        raise BadInput(label + "tunnel_checksum", checksum, f"is nothing that tunnel_type: {kind} has.")
    number = values.number(label + "tunnel_port", port, 1, _MOST_PORT) if port is not None else 0
    return ipvs.TUNNEL_TYPES[kind], number, ipvs.TUNNEL_CHECKSUMS[checksum or "none"]


_CHECKSUMS_OF_TYPES = {"ipip": (None, "none"), "gre": (None, "none", "csum"), "gue": (None, *ipvs.TUNNEL_CHECKSUMS)}
