# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules around the maps of marks: as nft(8) takes them, and what they are worth as it lists them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from operator import and_, or_, xor
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_layout import MAPS, Expression
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import OUTPUT, PREROUTING
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK

HOOKS = {
    PREROUTING: {"type": "filter", "hook": "prerouting", "prio": -145, "policy": "accept"},
    # Of this type, the kernel looks for another route where the mark has changed.
    OUTPUT: {"type": "route", "hook": "output", "prio": -145, "policy": "accept"},
}
"""After priority mangle, where others set whole marks (CONNMARK --restore-mark), and of two chains at one priority the
newer one is first; before destination NAT and the routing decision."""
LOOKUPS = "lookups"
"""The chain that looks a packet up, whichever way it came."""
MACS = "excluded_macs"
"""The set of the MAC addresses whose packets are not marked."""

_KEYS = {"meta": {"meta": {"key": "mark"}}, "ct": {"ct": {"key": "mark"}}}
_BITWISE = {"&": and_, "|": or_, "^": xor}
_NEW = 8
"""NF_CT_STATE_BIT(IP_CT_NEW)"""

Rule = tuple[str, list[Expression]]
"""A rule as nft takes it and as it lists it."""


def hook_definition(base: dict[str, Any]) -> str:
    """What a base chain is added with."""
    return f"type {base['type']} hook {base['hook']} priority {base['prio']}; policy {base['policy']};"


def entrance(hook: str, exclude_macs: bool) -> list[Rule]:
    """The rules of a base chain. Packets of this host's own have no MAC address yet."""
    found: list[Rule] = []
    if exclude_macs and hook == PREROUTING:
        ether = {"payload": {"protocol": "ether", "field": "saddr"}}
        match = {"match": {"op": "==", "left": ether, "right": f"@{MACS}"}}
        found.append((f"ether saddr @{MACS} return", [match, {"return": None}]))
    return [*found, (f"goto {LOOKUPS}", [{"goto": {"target": LOOKUPS}}])]


def lookups(maps: Collection[str], saved_masks: Iterable[int]) -> list[Rule]:
    """The rules that look a packet up in the maps. With saved marks, only the first packet of a connection is: the
    later ones get what was saved for it, and those of the other direction nothing."""
    found = list(_restoring(sorted(saved_masks, reverse=True)))
    for name, shape in MAPS.items():
        if name in maps:
            fields = shape.fields
            key = {"concat": [field.json for field in fields]}
            text = " . ".join(field.text for field in fields)
            found.append((f"{text} vmap @{name}", [{"vmap": {"key": key, "data": f"@{name}"}}]))
    return found


def _restoring(masks: list[int]) -> Iterator[Rule]:
    if not masks:
        return
    direction = {"match": {"op": "==", "left": {"ct": {"key": "direction"}}, "right": 1}}
    later = {"match": {"op": "!=", "left": {"ct": {"key": "state"}}, "right": _NEW}}
    yield "ct direction reply return", [direction, {"return": None}]
    for mask in masks:
        text, key = (
            ("ct mark", _KEYS["ct"]) if mask == FULL_MASK else (f"ct mark & {mask:#x}", {"&": [_KEYS["ct"], mask]})
        )
        name = saved_map(mask)
        yield f"ct state != new {text} vmap @{name}", [later, {"vmap": {"key": key, "data": f"@{name}"}}]
    yield "ct state != new return", [later, {"return": None}]


def saved_map(mask: int) -> str:
    """The map from the marks that are saved under a mask to their chains."""
    return f"saved_{mask:#x}"


def marking(mark: int, mask: int, save: bool) -> str:
    """The rule that sets the bits within the mask and keeps the others; of the connection's mark too, to save them."""
    return " ".join(
        f"{kind} mark set {mark:#x}"
        if mask == FULL_MASK
        else f"{kind} mark set {kind} mark & {~mask & FULL_MASK:#x} | {mark:#x}"
        for kind in (["meta", "ct"] if save else ["meta"])
    )


def is_marking(rule: list[Expression], mark: int, mask: int, save: bool) -> bool:
    """Whether a rule does that, in whatever words nft lists it: it rewrites masked expressions.

    They are bitwise, so that their outcome for no bit and for every bit says all.
    """
    kinds = ["meta", "ct"] if save else ["meta"]
    if len(rule) != len(kinds):
        return False
    for kind, expression in zip(kinds, rule):
        mangle = expression.get("mangle", {})
        outcomes = [_outcome(mangle.get("value"), bits, _KEYS[kind]) for bits in (0, FULL_MASK)]
        if mangle.get("key") != _KEYS[kind] or outcomes != [mark, mark | ~mask & FULL_MASK]:
            return False
    return True


def changed_bits(value: Expression) -> int:
    """The bits of a packet's mark that an expression may change which the mark is set to."""
    cleared, kept = (_outcome(value, bits, _KEYS["meta"]) for bits in (0, FULL_MASK))
    return FULL_MASK if cleared is None or kept is None else cleared | ~kept & FULL_MASK


def _outcome(value: Expression, bits: int, key: dict[str, Any]) -> int | None:
    """What an expression makes of a mark; None where it is not made of that mark, numbers and bitwise steps."""
    if isinstance(value, int):
        return value
    if value == key:
        return bits
    if not isinstance(value, dict) or not value or not value.keys() <= _BITWISE.keys():
        return None
    ((operator, operands),) = value.items()
    outcome: int | None = None
    for place, operand in enumerate(operands):
        part = _outcome(operand, bits, key)
        if part is None:
            return None
        outcome = _BITWISE[operator](outcome, part) if place else part
    return outcome
