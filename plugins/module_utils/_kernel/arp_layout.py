# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How silence on ARP lies in an nftables table, in the words of libnftables-json(5). Pure.

The set has two fields, as the maps of the marks have, so that the kernel changes a copy of it while frames read the old
one (net/netfilter/nft_set_pipapo.c); the second is the kind of address that ARP asks for, always IPv4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.nft_element import bare
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp import ALL
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp_silence import Source, Vip

Expression = Any
"""A number, a word, or an object of one key that names its kind."""

FAMILY = "arp"
SET = "vips"
SET_TYPE = ["ipv4_addr", "ether_type"]
IN, OUT = "input", "output"
HOOKS = {name: {"type": "filter", "hook": name, "prio": 0, "policy": "accept"} for name in (IN, OUT)}
_NAMES = {IN: "iifname", OUT: "oifname"}
_SENDER, _TARGET = "saddr ip", "daddr ip"


class Rule(NamedTuple):
    """A rule of a chain: what it does, on which interface (or ALL), and the address that it writes."""

    chain: str
    does: str
    interface: str
    address: str = ""


def _arp(field: str) -> Expression:
    return {"payload": {"protocol": "arp", "field": field}}


def _equals(left: Expression, right: Expression) -> Expression:
    return {"match": {"op": "==", "left": left, "right": right}}


def _is_vip(field: str) -> Expression:
    return _equals({"concat": [_arp(field), _arp("ptype")]}, f"@{SET}")


_REQUEST, _REPLY = (_equals(_arp("operation"), name) for name in ("request", "reply"))
_NUMBERS = {1: "request", 256: "request", 2: "reply", 512: "reply"}
"""nft 1.0.6 lists the numbers of ARP with their bytes swapped."""
_DROP = {"drop": None}
_WRITES = "asks as"
_BODIES: dict[str, list[Expression]] = {
    "drops questions": [_REQUEST, _is_vip(_TARGET), _DROP],
    "drops answers": [_REPLY, _is_vip(_SENDER), _DROP],
    "drops announcements": [_is_vip(_SENDER), _is_vip(_TARGET), _DROP],
    _WRITES: [_REQUEST, _is_vip(_SENDER)],
    "drops other questions": [_REQUEST, _is_vip(_SENDER), _DROP],
}
_SENDS = f"arp saddr ip . arp ptype @{SET}"
_WORDS = {
    "drops questions": f"arp operation request arp daddr ip . arp ptype @{SET} drop",
    "drops answers": f"arp operation reply {_SENDS} drop",
    "drops announcements": f"{_SENDS} arp daddr ip . arp ptype @{SET} drop",
    _WRITES: f"arp operation request {_SENDS} arp saddr ip set ",
    "drops other questions": f"arp operation request {_SENDS} drop",
}
"""The same as nft(8) reads it."""


def rules(silent: Sequence[str], sources: Sequence[Source]) -> list[Rule]:
    """The rules of both chains, in order. What no source has an address for is not asked at all."""
    return [
        *(Rule(IN, "drops questions", name) for name in silent),
        *(Rule(OUT, does, name) for name in silent for does in ("drops answers", "drops announcements")),
        *(Rule(OUT, _WRITES, source.interface, source.address) for source in sources),
        *(Rule(OUT, "drops other questions", name) for name in silent),
    ]


def encode(rule: Rule) -> list[Expression]:
    """A rule as nft lists it, but for numbers."""
    where = [] if rule.interface == ALL else [_equals({"meta": {"key": _NAMES[rule.chain]}}, rule.interface)]
    writes = [{"mangle": {"key": _arp(_SENDER), "value": rule.address}}] if rule.does == _WRITES else []
    return [*where, *_BODIES[rule.does], *writes]


def decode(chain: str, listed: list[Expression]) -> Rule | None:
    """A rule as nft lists it; None for one that is not ours, or not any more."""
    expressions = [_named(expression) for expression in listed]
    match = expressions[0].get("match", {}) if expressions else {}
    interface = match["right"] if match.get("left") == {"meta": {"key": _NAMES[chain]}} else ALL
    mangle = expressions[-1].get("mangle", {}) if expressions else {}
    address = mangle.get("value", "")
    if not isinstance(interface, str) or not isinstance(address, str):
        return None
    for does in _BODIES:
        rule = Rule(chain, does, interface, address if does == _WRITES else "")
        if encode(rule) == expressions:
            return rule
    return None


def told(found: Iterable[Rule | None]) -> tuple[tuple[str, ...], tuple[Source, ...]]:
    """What the rules of a table mean: the interfaces that are silent, and in whose name is asked."""
    rules_found = [rule for rule in found if rule]
    silent = {rule.interface for rule in rules_found if rule.chain == IN}
    sources = {rule.interface: Source(rule.interface, rule.address) for rule in rules_found if rule.does == _WRITES}
    return tuple(sorted(silent)), tuple(sorted(sources.values()))


def vip_of(listed: Expression) -> Vip | None:
    """An element of the set as a VIP; None for one that is not ours."""
    key = bare(listed)
    fields = key.get("concat", []) if isinstance(key, dict) else []
    first = fields[0] if len(fields) == 2 else None
    if isinstance(first, str):
        return Vip(first)
    if isinstance(first, dict) and "prefix" in first:
        return Vip(f"{first['prefix']['addr']}/{first['prefix']['len']}")
    if isinstance(first, dict) and "range" in first:
        return Vip("-".join(first["range"]))
    return None


def is_set(listed: dict[str, Expression]) -> bool:
    """Whether a listed set is ours. nft writes a single flag as a list or as a word."""
    kind = (listed.get("name"), listed.get("type"))
    return kind == (SET, SET_TYPE) and listed.get("flags") in (["interval"], "interval")


def written(rule: Rule) -> str:
    """A rule as nft(8) reads it."""
    where = "" if rule.interface == ALL else f'{_NAMES[rule.chain]} "{rule.interface}" '
    return where + _WORDS[rule.does] + rule.address


def _named(expression: Expression) -> Expression:
    """An expression with ARP's operation by name."""
    match = expression.get("match", {})
    if match.get("left") == _arp("operation") and isinstance(match.get("right"), int):
        return _equals(match["left"], _NUMBERS.get(match["right"], match["right"]))
    return expression
