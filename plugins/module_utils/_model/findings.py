# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers found, held against the declaration: one finding a check, each with what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import services, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_order import Source
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_value import as_shown

OK, NOTE, BAD = "OK", "NOTE", "BAD"
SAMPLE = 64
"""A packet is asked about for so many prefixes of a service and family, of which there may be ten thousand."""
_SHOWN = 3
Reading = Mapping[str, Any]


class Finding(NamedTuple):
    """One check. ``blocks``: packets for the VIPs would be lost here, so that no router may send any."""

    service: str
    what: str
    state: str
    found: str
    todo: str = ""
    blocks: bool = False


class Asked(NamedTuple):
    """A packet that was asked about, and the service that it is for."""

    service: services.Service
    family: int
    packet: Mapping[str, Any]


def asked(
    declared: Sequence[services.Service], bit: int, interfaces: Sequence[str], sources: Sequence[str]
) -> list[Asked]:
    """A packet for each of the first prefixes of each service and family, and for each interface."""
    found = []
    for service in declared:
        for family in service.families():
            vips = [vip for vip in service.vips if values.family_of(vip) == family][:SAMPLE]
            some = services.packets([service.with_vips(vips)], bit, interfaces, sources)
            found += [Asked(service, family, packet) for packet in some]
    return found


def by_service(questions: Sequence[Asked], answers: Sequence[Reading]) -> Iterator[tuple[str, list[Reading]]]:
    """The answers of each service and family, in order."""
    if len(questions) != len(answers):
        raise BadInput("delivery", len(answers), f"answers, where {len(questions)} packets were asked about.")
    found: dict[str, list[Reading]] = {}
    for question, answer in zip(questions, answers):
        found.setdefault(named(question.service, question.family), []).append(answer)
    yield from found.items()


def named(service: services.Service, family: int) -> str:
    """A service and family, as the table names it."""
    return f"{service.name} {values.FAMILY_NAMES[family]}"


def delivered(questions: Sequence[Asked], answers: Sequence[Reading], todo: str) -> Iterator[Finding]:
    """Whether packets for each service are delivered to the host."""
    for name, found in by_service(questions, answers):
        lost = [one for one in found if not one["delivered"]]
        if lost:
            more = f" (and so {len(lost) - 1} more of {len(found)})" if len(lost) > 1 else ""
            yield Finding(name, "delivery", BAD, f"{lost[0]['summary']}{more}", todo, blocks=True)
        else:
            ways = sorted({f"{one['iif']} by table {one['table']}" for one in found})
            yield Finding(name, "delivery", OK, f"{len(found)} packets would be delivered: {', '.join(ways)}")


def balanced(
    declared: Sequence[services.Service], bit: int, ipvs: Reading, todo: str, *, keep_weights: bool
) -> Iterator[Finding]:
    """Whether IPVS has each service with its scheduler, realservers and weights; ``keep_weights`` leaves those to
    somebody else."""
    there = {(one["family"], int(one["fwmark"], 0)): one for one in ipvs["configuration"] if "fwmark" in one}
    for service in declared:
        for wanted in services.balanced([service], bit):
            name = f"{service.name} {wanted['family']}"
            one = there.get((wanted["family"], int(wanted["fwmark"], 0)))
            if one is None:
                reason = f"IPVS has no service of mark {wanted['fwmark']}" if ipvs["loaded"] else "ip_vs is not loaded"
                yield Finding(name, "ipvs", BAD, reason, todo, blocks=True)
            else:
                yield _compared(name, wanted, one, todo, keep_weights)


def _compared(name: str, wanted: Reading, one: Reading, todo: str, keep_weights: bool) -> Finding:
    want, have = (
        {(d["address"], d["port"]): (d["forwarding"], d["weight"]) for d in side["destinations"]}
        for side in (wanted, one)
    )
    if keep_weights:
        want = {key: (forwarding, have.get(key, (forwarding, weight))[1]) for key, (forwarding, weight) in want.items()}
    wrong = [f"{_place(key)} is missing" for key in want if key not in have]
    wrong += [f"{_place(key)} is not declared" for key in have if key not in want]
    for key in (key for key in want if key in have and want[key] != have[key]):
        wrong.append(
            f"{_place(key)} is {have[key][0]} of weight {have[key][1]}, declared {want[key][0]} of {want[key][1]}"
        )
    if one["scheduler"] != wanted["scheduler"]:
        wrong.append(f"its scheduler is {one['scheduler']}, declared {wanted['scheduler']}")
    takes = any(weight for _forwarding, weight in have.values())
    if not takes:
        wrong.insert(0, "no realserver has a weight")
    if wrong:
        restore = " (a drained realserver: lvs.vipless.drain -e drain_state=restored)"
        return Finding(name, "ipvs", BAD, _some(wrong), todo + restore, blocks=not takes)
    return Finding(name, "ipvs", OK, f"{one['scheduler']}, realservers as declared: {len(have)}")


def _place(key: tuple[str, int]) -> str:
    address, port = key
    return address if not port else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def unchanged(what: str, result: Reading, good: str, todo: str, *, blocks: bool = False) -> Finding:
    """Whether a module that ran in check mode found nothing to do."""
    if result["changes"]:
        return Finding("", what, BAD, f"not as declared: {_some(result['changes'])}", todo, blocks)
    return Finding("", what, OK, good)


def unit(name: str, units: Mapping[str, Reading], blocks: bool) -> Finding:
    """Whether a unit brings everything back at boot."""
    state = units.get(name, {"enabled": False, "active": False})
    wrong = [word for word in ("enabled", "active") if not state[word]]
    if wrong:
        told = f"{name} is not {' and not '.join(wrong)}: nothing comes back at boot"
        return Finding("", "boot", BAD, told, f"systemctl enable --now {name}; journalctl -u {name}", blocks)
    return Finding("", "boot", OK, f"{name} is enabled and active")


def managers(around: Reading) -> Finding:
    """Who else manages the host's network."""
    said = [f"{one['name']} {one['concern']}" for one in around["managers"]]
    harm = [one for one in around["managers"] if one["harmful"]]
    if harm:
        told = _some([f"{one['name']} {one['concern']}" for one in harm])
        return Finding("", "managers", BAD, told, "; ".join(one["remedy"] for one in harm))
    return Finding("", "managers", NOTE if said else OK, _some(said) or "nobody else manages this network")


def markers(told: Iterable[Reading], bit: int) -> Iterator[Finding]:
    """Who else may set the bit by which packets are delivered, or clear it."""
    found = [one["chain"] for one in told if int(one["bits"], 16) & bit]
    if found:
        said = f"may change the bit {bit:#x}: what has it is delivered here, what lost it is not"
        yield Finding("", "marks", NOTE, f"{_some(found)} {said}")


def settings(wanted: Mapping[str, Any], around: Reading, todo: str, reapplied: bool) -> Iterator[Finding]:
    """Whether the kernel parameters are as declared, now and after a reboot. ``reapplied``: whether the boot unit sets
    them once more after the files of others."""
    have, decided = around["sysctls"], around["sysctls_at_boot"]
    meant = {key: as_shown(key, str(value)) for key, value in wanted.items()}
    wrong = [key for key, value in meant.items() if have.get(key) != value]
    told = [f"{key} is {have.get(key)}, declared {meant[key]}" for key in wrong]
    alien = {key: one for key, value in meant.items() if (one := decided.get(key)) and one["value"] != value}
    if wrong:
        causes = [f"take it out of {alien[key]['file']}, which sets it at boot" for key in wrong if key in alien]
        yield Finding("", "sysctl", BAD, _some(told), "; ".join(dict.fromkeys([*causes, todo])))
    else:
        yield Finding("", "sysctl", OK, ", ".join(f"{key} {have[key]}" for key in wanted) or "none is declared")
    others = [{"key": k, "value": meant[k], "file": a["file"], "file_value": a["value"]} for k, a in alien.items()]
    yield from overridden(others, reapplied)


def overridden(others: Sequence[Reading], reapplied: bool = False) -> Iterator[Finding]:
    """Other files that decide about kernel parameters at boot."""
    told = [
        f"{Source(one['file'], one['file_value']).says_of(one['key'])} at boot, declared {one['value']}"
        for one in others
    ]
    if told:
        after = " (the boot unit sets it again after that; 'sysctl --system' would undo it)" if reapplied else ""
        files = ", ".join(dict.fromkeys(one["file"] for one in others))
        yield Finding("", "sysctl", NOTE if reapplied else BAD, _some(told) + after, f"take it out of {files}")


def in_force(interfaces: Iterable[str], around: Reading) -> str:
    """The settings of some interfaces that decide about packets, in words."""
    there = {name: around["interfaces"][name] for name in interfaces if name in around["interfaces"]}
    return "; ".join(f"{name}: {', '.join(f'{k} {v}' for k, v in sorted(there[name].items()))}" for name in there)


def silent(answers: Sequence[Reading], interface: str, control: Sequence[str]) -> Iterator[Finding]:
    """Whether nobody says on the link that it has a VIP, and whether somebody is heard at all."""
    about = [one for one in answers if one["target"] not in control]
    loud = [f"{one['target']} is answered for by {', '.join(one['macs'])}" for one in about if one["macs"]]
    if loud:
        todo = (
            "find the host of that MAC; on a realserver run lvs.vipless.realserver, on a director set arp_ignore to 1, "
            "and take the VIP off any other"
        )
        yield Finding("", "arp", BAD, _some(loud), todo)
    dead = [one["target"] for one in answers if one["target"] in control and one["asked"] and not one["macs"]]
    if dead:
        yield Finding(
            "", "arp", BAD, f"nobody on {interface} answers for {_some(dead)}", "look at that host and the link"
        )
    unasked = [one["target"] for one in about if not one["asked"]]
    if unasked:
        yield Finding(
            "", "arp", NOTE, f"{interface} has no address of the family of {_some(unasked)}, so it was not asked"
        )
    if not loud and len(unasked) < len(about):
        yield Finding("", "arp", OK, f"nobody on {interface} answers for any of {len(about) - len(unasked)} VIPs")


def _some(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more
