# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration ``lvs_services`` that all roles share: checked as a whole, then given to each module in its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options, special, values

_WITH_PORTS = ("tcp", "udp")
"""The protocols whose ports the kernel's lookup looks at."""
_SERVICE_OPTIONS = ("persistent", "persistent_netmask", "flags", "persistence_engine")
_REALSERVER_OPTIONS = ("upper_threshold", "lower_threshold", "tunnel_type", "tunnel_port", "tunnel_checksum")
"""What the module ``ipvs_service`` checks, and nobody else has to know."""
_EXAMPLES = {values.IPV4: "192.0.2.1", values.IPV6: "2001:db8::1"}
"""Some destination, where every one is meant (RFC 5737, RFC 3849)."""
MASQUERADE = "masquerade"
FORWARDING = ("direct", "tunnel", MASQUERADE)


@dataclass(frozen=True)
class RealServer:
    """One realserver of a service. ``port`` is 0 where packets keep their own; ``options`` are those of IPVS alone."""

    address: values.Address
    weight: int
    port: int
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """One entry of ``lvs_services``: any addresses and ports under one mark. ``options`` are those of IPVS alone."""

    label: str
    name: str
    mark: int
    vips: Sequence[values.Network]
    ports: Sequence[str]
    scheduler: str
    forwarding: str
    realservers: Sequence[RealServer]
    options: Mapping[str, Any]

    def families(self) -> list[int]:
        """The families of its VIPs: IPVS keeps one service for each."""
        return sorted({values.family_of(vip) for vip in self.vips})

    def with_vips(self, vips: Sequence[values.Network]) -> Service:
        """The same service, of these of its VIPs."""
        return replace(self, vips=vips)


def parse(entries: Sequence[Mapping[str, Any]], option: str = "lvs_services") -> list[Service]:
    """Every service, or BadInput for the first value that cannot be meant."""
    found = [_service(entry, f"{option}[{place}]") for place, entry in enumerate(entries)]
    _require_distinct(found, "name", [service.name for service in found])
    _require_distinct(found, "mark", [service.mark for service in found])
    claims = [
        claim for service in found for claim in mark_options.parse(_claim(service, service.mark), f"{service.label}.")
    ]
    mark_options.refuse_overlaps(claims)
    protected = [(server.address, service.name) for service in found for server in service.realservers]
    for service in found:
        for place, vip in enumerate(service.vips):
            label = f"{service.label}.vips[{place}]"
            if vip.prefixlen == 0:
                _require_ports(service, label, vip)
                continue
            for address, name in protected:
                if address in vip:
                    raise BadInput(label, str(vip), f"holds {address}, a realserver of {name}.")
    return found


def _require_ports(service: Service, label: str, vip: values.Network) -> None:
    """Every destination is a service that forwarded traffic is chosen for. Without ports it would take in what is meant
    for the director itself."""
    if not all("/" in port for port in service.ports):
        reason = f"is every destination: name the ports of {service.name}, such as tcp/80, and nothing without one."
        raise BadInput(label, str(vip), reason)


def marked(
    services: Iterable[Service], delivery_bit: int, interfaces: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """What the module ``fwmark`` takes: addresses and ports of each service, with its mark and the delivery bit; where
    ``interfaces`` are named, for what comes in on those alone."""
    where = {} if interfaces is None else {"iif": list(interfaces)}
    return [{**_claim(service, _full_mark(service, delivery_bit)), **where} for service in services]


def balanced(services: Iterable[Service], delivery_bit: int) -> list[dict[str, Any]]:
    """What the module ``ipvs_service`` takes: one fwmark service for each service and family."""
    return [
        {
            "fwmark": f"{_full_mark(service, delivery_bit):#x}",
            "family": values.FAMILY_NAMES[family],
            "scheduler": service.scheduler,
            **service.options,
            "destinations": [
                {
                    "address": str(server.address),
                    "port": server.port,
                    "forwarding": service.forwarding,
                    "weight": server.weight,
                    **server.options,
                }
                for server in _servers(service, family)
            ],
        }
        for service in services
        for family in service.families()
    ]


def packets(
    services: Iterable[Service], delivery_bit: int, interfaces: Sequence[str], sources: Sequence[str]
) -> list[dict[str, Any]]:
    """What the module ``delivery_info`` takes: a client's packet for the first address of each prefix and for each
    interface, with the mark that it would have by then, or without one where there is no delivery bit."""
    clients = {values.family_of(address): str(address) for address in _clients(sources)}
    found: list[dict[str, Any]] = []
    for service in services:
        protocol, _slash, ports = service.ports[0].partition("/")
        told = (
            {"protocol": protocol, "destination_port": int(ports.partition("-")[0])} if protocol in _WITH_PORTS else {}
        )
        for vip in service.vips:
            family = values.family_of(vip)
            if family not in clients:
                raise BadInput("sources", list(sources), f"has no {values.FAMILY_NAMES[family]} address.")
            destination = str(vip[0]) if vip.prefixlen else _EXAMPLES[family]
            asked = {"destination": destination, "source": clients[family], **told}
            mark = f"{_full_mark(service, delivery_bit) if delivery_bit else 0:#x}"
            found += [{**asked, "fwmark": mark, "iif": interface} for interface in interfaces]
    return found


def _clients(sources: Sequence[str]) -> list[values.Address]:
    return [values.address(f"sources[{place}]", text) for place, text in enumerate(sources)]


def vip_prefixes(services: Iterable[Service], *, outermost: bool = False) -> list[str]:
    """The VIPs of all services, each once, in order; ``outermost`` leaves out those that lie in another. Every
    destination is no VIP: nobody holds it or routes it."""
    found = dict.fromkeys(vip for service in services for vip in service.vips if vip.prefixlen)
    return [str(vip) for vip in (values.outermost(found) if outermost else found)]


def replies(services: Iterable[Service], gateways: Sequence[str], addresses: Sequence[str]) -> list[dict[str, Any]]:
    """What the module ``ip_rule`` takes to know the answers of masqueraded services by: the RIPs, a protocol and a
    source port. ``addresses`` are the RIPs of one host, if it names any; those of all realservers otherwise."""
    families = {values.family_of(values.address(f"gateways[{i}]", text)) for i, text in enumerate(gateways)}
    chosen = {values.address(f"addresses[{i}]", text) for i, text in enumerate(addresses)}
    found: dict[tuple[str, str], dict[str, None]] = {}
    for service in services:
        if service.forwarding != MASQUERADE:
            continue
        for place, server in enumerate(service.realservers):
            if chosen and server.address not in chosen:
                continue
            if values.family_of(server.address) not in families:
                option = f"{service.label}.realservers[{place}].address"
                raise BadInput(option, str(server.address), f"has no next hop of its family among {list(gateways)}.")
            for selector in _answering(service, server):
                found.setdefault(selector, {})[str(server.address)] = None
    return [
        {"from": list(rips), "ipproto": protocol, "sport": ports} for (protocol, ports), rips in sorted(found.items())
    ]


def _answering(service: Service, server: RealServer) -> list[tuple[str, str]]:
    """The protocols and ports that a realserver answers from."""
    claims = [port.partition("/")[::2] for port in service.ports]
    if server.port:
        protocols = {protocol for protocol, _ports in claims if protocol in values.TRANSPORTS} or set(_WITH_PORTS)
        return [(protocol, str(server.port)) for protocol in protocols]
    found = [(protocol, ports) for protocol, ports in claims if protocol in values.TRANSPORTS and ports]
    if len(found) < len(claims):
        reason = "leaves open what is an answer, so that all of a realserver would go by the director. Name the ports."
        raise BadInput(f"{service.label}.ports", list(service.ports), reason)
    return found


def realserver_addresses(services: Iterable[Service]) -> list[str]:
    """The RIPs of all services, each once, in order."""
    return list(dict.fromkeys(str(server.address) for service in services for server in service.realservers))


def _port(option: str, port: object) -> str:
    """A port as ``fwmark`` takes it. To that module a number is a protocol; who writes 80 here means a port."""
    if str(port).isdigit():
        raise BadInput(option, port, f"is a number alone: a port has its protocol before it, such as tcp/{port}.")
    return str(port)


def _service(entry: Mapping[str, Any], label: str) -> Service:
    for name in ("name", "mark", "vips", "realservers"):
        if not entry.get(name):
            raise BadInput(f"{label}.{name}", entry.get(name), "is missing or empty.")
    forwarding = entry.get("forwarding", "direct")
    if forwarding not in FORWARDING:
        raise BadInput(f"{label}.forwarding", forwarding, f"is not one of {', '.join(FORWARDING)}.")
    service = Service(
        label=label,
        name=str(entry["name"]),
        mark=values.number(f"{label}.mark", entry["mark"], 1, values.FULL_MASK),
        vips=[special.vip(f"{label}.vips[{i}]", str(vip)) for i, vip in enumerate(entry["vips"])],
        ports=[_port(f"{label}.ports[{i}]", port) for i, port in enumerate(entry.get("ports", ["any"]))],
        scheduler=entry.get("scheduler", "wlc"),
        forwarding=forwarding,
        realservers=[_realserver(server, f"{label}.realservers[{i}]") for i, server in enumerate(entry["realservers"])],
        options=_given(entry, _SERVICE_OPTIONS),
    )
    for family in service.families():
        if not _servers(service, family):
            name = values.FAMILY_NAMES[family]
            raise BadInput(
                f"{label}.realservers", [str(s.address) for s in service.realservers], f"has no {name} address."
            )
    return service


def _realserver(entry: Mapping[str, Any], label: str) -> RealServer:
    address = values.address(f"{label}.address", str(entry.get("address", "")))
    weight = values.number(f"{label}.weight", entry.get("weight", 1), 0, 65535)
    port = values.number(f"{label}.port", entry.get("port") or 0, 0, 65535)
    return RealServer(address, weight, port, _given(entry, _REALSERVER_OPTIONS))


def _given(entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: entry[name] for name in names if entry.get(name) is not None}


def _claim(service: Service, number: int) -> dict[str, Any]:
    """The packets that a service claims, in the words of the module ``fwmark``."""
    return {"vips": [str(vip) for vip in service.vips], "ports": list(service.ports), "mark": f"{number:#x}"}


def _servers(service: Service, family: int) -> list[RealServer]:
    return [server for server in service.realservers if values.family_of(server.address) == family]


def _full_mark(service: Service, delivery_bit: int) -> int:
    if service.mark >= delivery_bit:
        raise BadInput(f"{service.label}.mark", service.mark, f"is not below the delivery bit, {delivery_bit:#x}.")
    return service.mark | delivery_bit


def _require_distinct(services: Sequence[Service], option: str, found: Sequence[object]) -> None:
    first: dict[object, Service] = {}
    for service, value in zip(services, found):
        if value in first:
            raise BadInput(
                f"{service.label}.{option}", value, f"is that of {first[value].label} ({first[value].name}) too."
            )
        first[value] = service
