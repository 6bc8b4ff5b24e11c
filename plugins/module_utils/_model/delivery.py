# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A packet that comes in, and what becomes of it by rules and routes."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, describe
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, rule_report, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, OTHER_TYPES, TYPES, UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule

_HIGHEST_PORT = 65535
_PROTOCOLS = {"tcp": {values.IPV4: 6, values.IPV6: 6}, "udp": {values.IPV4: 17, values.IPV6: 17}}
PROTOCOLS = {**_PROTOCOLS, "icmp": {values.IPV4: 1, values.IPV6: 58}}
"""The protocols that the kernel's lookup takes, each with its number in each family (rtm_getroute_parse_ip_proto())."""


class Packet(NamedTuple):
    """What rules and routes look at. Ports are 0 where the packet has none."""

    family: int
    destination: str
    source: str
    iif: str
    mark: int
    ipproto: int
    sport: int
    dport: int


class Answer(NamedTuple):
    """What the kernel's lookup says of a packet: the route that it takes, or an errno."""

    route: Route | None
    errno: int = 0


class Circumstances(NamedTuple):
    """What a host does with packets of a family that come in on an interface, whatever its rules and routes say."""

    is_up: bool
    forwards: bool
    rp_filter: int
    src_valid_mark: bool


def parse(options: Mapping[str, Any], label: str = "") -> Packet:
    """The packet that one entry of the module's options describes."""
    family, destination = plain.address(label + "destination", options["destination"])
    if values.address("destination", destination).is_multicast:
        raise BadInput(label + "destination", destination, "is a multicast address, which no rule delivers.")
    for name in ("source", "iif"):
        if options[name] is None:
            raise BadInput(label + name, None, "is missing: the lookup needs it.")
    source_family, source = plain.address(label + "source", options["source"])
    if source_family != family:
        raise BadInput(label + "source", source, f"is not of the family of destination: {destination!r}.")
    ports = [_port(options, label, name) for name in ("source_port", "destination_port")]
    return Packet(
        family,
        destination,
        source,
        values.interface(label + "iif", options["iif"]),
        values.number(label + "fwmark", options["fwmark"], 0, values.FULL_MASK),
        PROTOCOLS[options["protocol"]][family],
        *ports,
    )


def _port(options: Mapping[str, Any], label: str, name: str) -> int:
    value = options[name]
    if value is None:
        return 0
    if options["protocol"] not in _PROTOCOLS:
        raise BadInput(label + name, value, f"cannot go with protocol {options['protocol']}, which has no ports.")
    return values.number(label + name, value, 1, _HIGHEST_PORT)


def report(packet: Packet, answer: Answer, rule: Rule | None, around: Circumstances) -> dict[str, Any]:
    """What the module returns of one packet."""
    route = answer.route
    delivered = route is not None and route.kind == LOCAL and around.is_up
    found: dict[str, Any] = {
        "destination": packet.destination,
        "source": packet.source,
        "iif": packet.iif,
        "delivered": delivered,
        "type": values.name_of({**TYPES, **OTHER_TYPES}, route.kind) if route else None,
        "table": values.name_of(values.TABLES, route.table) if route else None,
        "device": (route.device or None) if route else None,
        "gateway": (route.gateway or None) if route else None,
        "rule": rule_report.report(rule) if rule else None,
        "forwards": around.forwards,
        "reason": None if delivered else _reason(packet, answer, rule, around),
    }
    way = " by ".join(filter(None, [f"'{route.line}'" if route else "", f"rule '{rule.line}'" if rule else ""]))
    what = f"delivered here: {way}." if delivered else f"not delivered here: {found['reason']}"
    return {**found, "summary": f"{packet.destination} from {packet.source} on {packet.iif} is {what}"}


def _reason(packet: Packet, answer: Answer, rule: Rule | None, around: Circumstances) -> str:
    """Why a packet is not delivered, and what to do."""
    if not around.is_up:
        return f"{packet.iif} is down. Bring it up."
    if answer.route:
        return _elsewhere(answer.route, around)
    if rule:
        return f"the rule '{rule.line}' refuses it. Remove the rule, or put one that delivers before it."
    if answer.errno == errno.EINVAL and packet.family == values.IPV4:
        return _martian(packet, around)
    if answer.errno == errno.EHOSTUNREACH and not around.forwards:
        return "no rule and no route delivers it, and this host does not forward. Give it a rule or a local route."
    return (
        f"the kernel answers '{describe(answer.errno)}': no route, or one that refuses it. "
        "Give it a rule or a local route."
    )


def _elsewhere(route: Route, around: Circumstances) -> str:
    way = f"the route '{route.line}'"
    if route.kind != UNICAST:
        return f"{way} takes it, which is not local delivery."
    if not around.forwards:
        return f"{way} takes it, and this host does not forward, so it is dropped. Give it a rule or a local route."
    return f"{way} takes it, so it is forwarded. Give it a rule or a local route."


def _martian(packet: Packet, around: Circumstances) -> str:
    """IPv4 answers EINVAL for a source that it does not believe, and for a blackhole."""
    found = [f"rp_filter is {around.rp_filter} on {packet.iif}"]
    found.append(f"src_valid_mark is {int(around.src_valid_mark)}")
    remedy = "look whether that source is an address of this host, or a rule without iif takes the way back to it too"
    if around.src_valid_mark and packet.mark:
        remedy = "name the interface in the rule by firewall mark (iif), so that it is not asked for the way back"
    elif around.rp_filter == 1:
        remedy = f"route {packet.source} by {packet.iif}, or set rp_filter to 2 or 0"
    return (
        f"the kernel drops it as one whose source {packet.source} cannot be, or by a blackhole ({', '.join(found)}). "
        f"To cure it, {remedy}."
    )
