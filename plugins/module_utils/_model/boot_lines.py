# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the commands that bring them back at boot, in the format of the tool that reads them. Pure.

A line for ip(8) begins with -4 or -6, since ``ip -batch`` takes the family for a whole run: what restores the file
gives each family its own. A line for ipvsadm(8) is as ``ipvsadm --restore`` takes it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import Address
from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.tunnel import Tunnel

_IP = {values.IPV4: "-4", values.IPV6: "-6"}
_TRANSPORTS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
_FORWARDING = {ipvs.DIRECT: "-g", ipvs.TUNNEL: "-i", ipvs.MASQUERADE: "-m"}
_CHECKSUMS = {"none": "--tun-nocsum", "csum": "--tun-csum", "remcsum": "--tun-remcsum"}


def of_rules(rules: Iterable[Rule]) -> list[str]:
    """For ip(8), whose own listing differs in the priority's place and in one name."""
    found = []
    for rule in rules:
        _family, priority, words = rule.line.split(" ", 2)
        words = words.replace("lookup [l3mdev-table]", "l3mdev")
        found.append(f"{_IP[rule.family]} rule add priority {priority[:-1]} {words}")
    return found


def of_routes(routes: Iterable[Route]) -> list[str]:
    """For ip(8)."""
    return [f"{_IP[route.family]} route add {route.line.partition(' ')[2]}" for route in routes]


def of_tunnels(tunnels: Iterable[Tunnel]) -> list[str]:
    """For ip(8), to which the family of these lines means nothing. Asking for a fallback interface loads its module."""
    found = []
    for one in tunnels:
        ends = [word for end in (("local", one.local), ("remote", one.remote)) if end[1] for word in end]
        found.append(" ".join(["-4 link add name", one.name, "type", one.kind, *ends]))
        found.append(f"-4 link set dev {one.name}{f' alias {one.owner}' if one.owner else ''} up")
    return found


def of_addresses(addresses: Iterable[Address]) -> list[str]:
    """For ip(8). Without the owner: ip takes it from iproute2 6.3 on."""
    found = []
    for one in addresses:
        words = [_IP[one.family], "address add", one.prefix, *(["peer", one.peer] if one.peer else [])]
        words += ["dev", one.device, *(["nodad"] if one.nodad else [])]
        if one.family == values.IPV4:
            words += ["scope", str(one.scope)]
        found.append(" ".join(words))
    return found


def of_neighbors(neighbors: Iterable[Neighbor]) -> list[str]:
    """For ip(8)."""
    found = []
    for one in neighbors:
        what = "proxy " if one.proxy else ""
        mac = f" lladdr {one.mac} nud permanent" if not one.proxy else ""
        owner = f" protocol {one.protocol}" if one.protocol else ""
        found.append(f"{_IP[one.family]} neighbour replace {what}{one.address} dev {one.device}{mac}{owner}")
    return found


def of_services(entries: Iterable[ipvs.Entry]) -> list[str]:
    """For ipvsadm(8), each service before its destinations."""
    found = sorted(entries, key=lambda entry: (ipvs.service_of(entry), isinstance(entry, ipvs.Destination), entry.key))
    return [_service(entry) if isinstance(entry, ipvs.Service) else _destination(entry) for entry in found]


def _service(service: ipvs.Service) -> str:
    words = ["-A", _id(service.id), "-s", service.scheduler]
    if service.persistent is not None:
        words += ["-p", str(service.persistent)]
        if service.netmask != ipvs.SINGLE_CLIENT[service.id.family]:
            words += ["-M", _mask(service)]
    flags = ipvs.flag_names(service)
    named = ",".join(flag for flag in flags if flag != "one-packet")
    words += ["-b", named] if named else []
    words += ["-o"] if "one-packet" in flags else []
    words += ["--pe", service.engine] if service.engine else []
    return " ".join(words)


def _destination(one: ipvs.Destination) -> str:
    words = ["-a", _id(one.service), "-r", ipvs.endpoint(one.address, one.port), _FORWARDING[one.forwarding]]
    words += ["-w", str(one.weight)]
    kind = values.name_of(ipvs.TUNNEL_TYPES, one.tunnel_type or 0)
    if kind != "ipip":
        words += ["--tun-type", kind, *(["--tun-port", str(one.tunnel_port)] if one.tunnel_port else [])]
        words.append(_CHECKSUMS[values.name_of(ipvs.TUNNEL_CHECKSUMS, one.tunnel_flags or 0)])
    for switch, threshold in (("-x", one.upper_threshold), ("-y", one.lower_threshold)):
        words += [switch, str(threshold)] if threshold else []
    return " ".join(words)


def _id(service: ipvs.ServiceId) -> str:
    if service.fwmark:
        return f"-f {service.fwmark}{' -6' if service.family == values.IPV6 else ''}"
    transport = values.name_of(values.TRANSPORTS, service.protocol)
    return f"{_TRANSPORTS[transport]} {ipvs.endpoint(service.vip, service.port)}"


def _mask(service: ipvs.Service) -> str:
    """IPv4's is a mask to ipvsadm, IPv6's a length."""
    if service.id.family == values.IPV6 or "." in service.netmask:
        return service.netmask
    return str(ipaddress.ip_network(f"0.0.0.0/{service.netmask}").netmask)
