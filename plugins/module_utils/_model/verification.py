# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of each kind of host, and the table of all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._model import findings, services, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.findings import BAD, NOTE, OK, Finding, Reading

_STATES = (OK, NOTE, BAD)
_DIRECTOR, _REALSERVER, _ROUTER = (f"run lvs.vipless.{role}" for role in ("director", "realserver", "router"))
_FORWARDING = "net.ipv4.ip_forward and net.ipv6.conf.all.forwarding"
_RESTORE = "run /etc/lvs-vipless/{unit}/restore on it, or {playbook}"


def director(declared: Sequence[services.Service], bit: int, told: Reading) -> Iterator[Finding]:
    """A director: are packets marked, delivered and balanced, now and after a reboot?"""
    around, name = told["around"], told["unit"]
    todo = _RESTORE.format(unit=name, playbook=_DIRECTOR) if name else _DIRECTOR
    interfaces = told["interfaces"]
    yield findings.unchanged("marks", told["marks"], "packets for the VIPs are marked as declared", todo, blocks=True)
    yield from findings.markers(around["markers"], bit)
    questions = findings.asked(declared, bit, interfaces, told["sources"])
    yield from findings.delivered(questions, told["delivery"]["packets"], todo)
    yield from findings.balanced(declared, bit, told["ipvs"], _DIRECTOR, keep_weights=told["keep_weights"])
    yield from findings.settings(told["sysctls"], around, _DIRECTOR, reapplied=bool(name))
    routed = [service.name for service in declared if service.forwarding == "masquerade"]
    closed = [name for name in interfaces if not around["interfaces"].get(name, {}).get("forwarding", 1)]
    if routed and closed:
        found = f"{', '.join(routed)} is masqueraded, and {', '.join(closed)} does not forward"
        yield Finding("", "sysctl", BAD, found, "set net.ipv4.ip_forward to 1", blocks=True)
    yield Finding("", "interfaces", OK, findings.in_force(interfaces, around))
    yield from _host(around, name)


def realserver(declared: Sequence[services.Service], told: Reading) -> Iterator[Finding]:
    """A realserver: does it accept the VIPs, and is it silent about them?"""
    around, name = told["around"], told["unit"]
    todo = _RESTORE.format(unit=name, playbook=_REALSERVER) if name else _REALSERVER
    if not told["interfaces"]:
        has = ", ".join(sorted(around["addresses"]))
        found = f"no realserver of the services is this host, which has {has}"
        yield Finding("", "delivery", BAD, found, "give lvs_services the address by which directors reach it")
    questions = findings.asked(declared, 0, told["interfaces"], told["sources"])
    yield from findings.delivered(questions, told["delivery"]["packets"], todo)
    yield findings.unchanged("silence", told["silence"], findings.in_force(told["interfaces"], around), _REALSERVER)
    yield from findings.overridden(told["silence"]["overridden"])
    if told["heard"]:
        yield from findings.silent(told["heard"]["answers"], told["heard"]["interface"], told["control"])
    yield from _host(around, name, told["hop_unit"])


def router(declared: Sequence[services.Service], told: Reading) -> Iterator[Finding]:
    """A router: does it send packets for the VIPs to the director, whoever that is now?"""
    around, name, way = told["around"], told["unit"], told["way"]
    todo = _RESTORE.format(unit=name, playbook=_ROUTER) if name else _ROUTER
    for family, source in ((values.family_of(values.address("sources", s)), s) for s in told["sources"]):
        here = [s for s in declared if family in s.families()]
        if here and not around["towards"].get(source):
            found = f"no interface leads to a client such as {source}, so that nothing could be asked"
            yield Finding(
                "", "route", BAD, found, "give it a route to the clients, or name one it knows in lvs_verify_from"
            )
    questions = routed_questions(declared, told)
    for service, answers in findings.by_service(questions, told["delivery"]["packets"]):
        yield _led(service, answers, way, todo)
    if told["neighbors"]:
        yield findings.unchanged("neighbours", told["neighbors"], f"each VIP is at {way['mac']}", todo, blocks=True)
    if way["recorded"] and way["recorded"] != way["declared"]:
        found = f"sends to {way['recorded']} since a failover; router_active is {way['declared']}"
        yield Finding("", "director", NOTE, found)
    yield from findings.silent(told["heard"]["answers"], told["heard"]["interface"], told["control"])
    yield from _host(around, name)


def routed_questions(declared: Sequence[services.Service], told: Reading) -> list[findings.Asked]:
    """A client's packet for each service, as it comes in at a router from where the client is."""
    found: list[findings.Asked] = []
    for source in told["sources"]:
        family = values.family_of(values.address("sources", source))
        interface = told["around"]["towards"].get(source)
        if interface:
            some = [s.with_vips([v for v in s.vips if v.prefixlen and values.family_of(v) == family]) for s in declared]
            found += findings.asked([s for s in some if s.vips], 0, [interface], [source])
    return found


def _led(service: str, answers: Sequence[Reading], way: Reading, todo: str) -> Finding:
    """Whether a router sends the packets of a service where it should."""
    hops = {values.family_of(values.address("next_hops", hop)): hop for hop in way["next_hops"]}
    for one in answers:
        hop = hops.get(values.family_of(values.address("destination", one["destination"])))
        if one["type"] != "unicast" or one["device"] != way["device"] or one["gateway"] != hop:
            goes = (
                f"via {one['gateway']} on {one['device']}"
                if one["type"] == "unicast"
                else f"nowhere: {one['reason'].rstrip('.')}"
            )
            wanted = f"{f'via {hop}' if hop else 'straight'} on {way['device']}"
            return Finding(
                service, "route", BAD, f"{one['destination']} goes {goes}; it should go {wanted}", todo, blocks=True
            )
        if not one["forwards"]:
            found = (
                f"{one['destination']} would go via {one['gateway']}, but what comes in on {one['iif']} goes no further"
            )
            return Finding(service, "sysctl", BAD, found, f"set {_FORWARDING} to 1", blocks=True)
    who = f"{way['director']} " if way["director"] else ""
    return Finding(
        service, "route", OK, f"{len(answers)} packets would go to {who}{answers[0]['gateway'] or way['mac']}"
    )


def client(declared: Sequence[services.Service], connections: Sequence[Reading]) -> Iterator[Finding]:
    """A client: is each service answered?"""
    questions = list(requests(declared))
    for (name, target), one in zip(((n, t) for n, t in questions if t), connections):
        where = f"{target['address']} port {target['port']}"
        if one["connected"]:
            yield Finding(name, "request", OK, f"{where} took a connection after {one['seconds']} s")
        else:
            todo = "see the other lines; if there is none, look whether the realservers' daemon listens"
            yield Finding(name, "request", BAD, f"{where}: {one['reason']}", todo)
    for name in (name for name, target in questions if not target):
        yield Finding(name, "request", NOTE, "names no TCP port or no address, so that it cannot be asked")


def requests(declared: Sequence[services.Service]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Where a client connects to for each service and family: its first address and first TCP port."""
    for service in declared:
        for family in service.families():
            yield findings.named(service, family), _target(service, family)


def _target(service: services.Service, family: int) -> dict[str, Any] | None:
    ports = [port.partition("/")[2] for port in service.ports if port.startswith("tcp/")]
    vip = next(vip for vip in service.vips if values.family_of(vip) == family)
    if not ports or not vip.prefixlen:
        return None
    # The address of a network itself is nobody's, as a rule.
    place = vip[1] if vip.num_addresses > 2 else vip[0]
    return {"address": str(place), "port": int(ports[0].partition("-")[0])}


def unasked(reason: str, meant: bool = False) -> Finding:
    """A host that could not be asked, or was meant not to be. Nobody knows what it does with packets."""
    if meant:
        return Finding("", "asking", NOTE, f"was not asked: {reason}")
    return Finding("", "asking", BAD, f"cannot be asked: {reason}", "cure this, and verify again", blocks=True)


def _host(around: Reading, *units: str) -> Iterator[Finding]:
    yield findings.managers(around)
    for unit in filter(None, units):
        yield findings.unit(f"lvs-vipless-{unit}.service", around["units"], blocks=True)


def table(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A line a check, the worst last, since the end is what is read first; what to do stands below."""
    lines = sorted(rows, key=lambda row: _STATES.index(row[1]["state"]))
    heads = ("", "host", "service", "check")
    cells = [heads, *((one["state"], host, one["service"], one["what"]) for host, one in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    found = ["  ".join(cell.ljust(width) for cell, width in zip(heads, widths)) + "  found"]
    for (_host, one), row in zip(lines, cells[1:]):
        found.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + f"  {one['found']}")
        if one["todo"] and one["state"] == BAD:
            found.append(f"{'':>{widths[0]}}  do: {one['todo']}")
    counts = ", ".join(f"{sum(one['state'] == state for _host, one in lines)} {state}" for state in _STATES)
    return [*found, counts]
