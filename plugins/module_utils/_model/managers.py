# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs that manage a host's network, and which of them would undo what this collection does. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

UNITS = ("systemd-networkd.service", "NetworkManager.service", "firewalld.service", "keepalived.service")
NFTABLES = "nftables.service"
_KEPT = ("ManageForeignRoutingPolicyRules", "ManageForeignRoutes")
_NO = frozenset({"no", "false", "0", "n", "f", "off"})
_FLUSH = re.compile(r"^\s*flush\s+ruleset\b", re.MULTILINE)
_BALANCES = re.compile(r"^\s*virtual_server(_group)?\s", re.MULTILINE)


# What a filter of another program must let through at each hook.
_HOOKS = {
    "input": "it must let the services' ports in, before IPVS takes them",
    "forward": "it must let through what is routed or masqueraded",
    "output": "it must let answers out",
}
_FAMILIES = ("ip", "ip6", "inet")
_ANYWAY = {"counter", "log", "drop", "reject"}
"""What a rule consists of that drops whatever reaches it."""


class UnitState(NamedTuple):
    """What systemd says of a unit."""

    enabled: bool
    active: bool


class Files(NamedTuple):
    """Text of the configuration files that matter, joined in the order in which the programs read them."""

    networkd: str = ""
    nftables: str = ""
    keepalived: str = ""
    restored: bool = False
    """Whether nftables.service runs a script of this collection after each start."""


def parse_units(shown: str) -> dict[str, UnitState]:
    """What ``systemctl show --property=Id,ActiveState,UnitFileState`` says, a block a unit."""
    found = {}
    for block in shown.strip().split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        enabled = said.get("UnitFileState", "").startswith("enabled")
        found[said.get("Id", "")] = UnitState(enabled, said.get("ActiveState") in ("active", "reloading"))
    found.pop("", None)
    return found


def judge(units: Mapping[str, UnitState], files: Files) -> list[dict[str, Any]]:
    """Each manager that is there, whether it harms, and what to do."""
    active = {name for name in UNITS if name in units and units[name].active}
    nftables = units.get(NFTABLES, UnitState(False, False))
    found: list[dict[str, Any]] = []
    if "systemd-networkd.service" in active:
        found.append(_networkd(files.networkd))
    if "NetworkManager.service" in active:
        found.append(_entry("NetworkManager", "", "leaves rules and routes alone that it did not make"))
    if "firewalld.service" in active:
        found.append(
            _entry("firewalld", "", "filters packets that are delivered here: it must let the services' ports in")
        )
    if "keepalived.service" in active:
        balances = _BALANCES.search(files.keepalived)
        remedy = "take virtual_server out of its configuration, or leave IPVS to it alone" if balances else ""
        concern = "manages IPVS services too" if balances else "runs, without services of IPVS in its configuration"
        found.append(_entry("keepalived", remedy, concern))
    if (nftables.enabled or nftables.active) and _FLUSH.search(files.nftables) and not files.restored:
        found.append(
            _entry(
                "nftables",
                "run the role again, which adds a drop-in to nftables.service",
                "flushes all tables when it starts",
            )
        )
    return found


def filters(ruleset: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each chain of nftables (libnftables-json(5)) that drops, by its policy or last rule, what it does not name.

    IPVS stands behind those at hook input (NF_IP_PRI_NAT_SRC - 2, net/netfilter/ipvs/ip_vs_core.c).
    """
    last = {tuple(one[key] for key in ("family", "table", "chain")): one["expr"] for one in _all("rule", ruleset)}
    found = []
    for one in _all("chain", ruleset):
        place = (one["family"], one["table"], one["name"])
        filters_here = one["family"] in _FAMILIES and one.get("type") == "filter" and one["hook"] in _HOOKS
        if filters_here and (one["policy"] == "drop" or _drops(last.get(place, []))):
            concern = f"drops what it does not name at hook {one['hook']}: {_HOOKS[one['hook']]}"
            found.append(_entry(" ".join(("nftables chain", *place)), "", concern))
    return found


def _all(kind: str, ruleset: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (item[kind] for item in ruleset if kind in item)


def _drops(rule: Sequence[Mapping[str, Any]]) -> bool:
    words = [word for expression in rule for word in expression]
    return words[-1:] in (["drop"], ["reject"]) and _ANYWAY.issuperset(words)


def _networkd(text: str) -> dict[str, Any]:
    settings = dict(_assignments(text))
    deletes = [name for name in _KEPT if settings.get(name, "yes").lower() not in _NO]
    if not deletes:
        return _entry("systemd-networkd", "", "leaves rules and routes alone that it did not make")
    remedy = f"set {' and '.join(f'{name}=no' for name in deletes)} in networkd.conf, as the roles do"
    return _entry("systemd-networkd", remedy, "deletes rules or routes that it did not make")


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            yield name.strip(), value.strip()


def _entry(name: str, remedy: str, concern: str) -> dict[str, Any]:
    return {"name": name, "harmful": bool(remedy), "concern": concern, "remedy": remedy or None}


def names(units: Iterable[str]) -> list[str]:
    """All units to ask systemd about, each once."""
    return list(dict.fromkeys([*units, *UNITS, NFTABLES]))
