# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table of this collection: read whole, repaired and changed in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import nft
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark, Table, overlap
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

Entry = Union[Mark, Table]

_FAMILY = "inet"


@dataclass
class _Content:
    """What a table holds: names of maps, attributes of chains, the rules of each chain, and the marks."""

    maps: set[str] = field(default_factory=set)
    chains: dict[str, nft.Json] = field(default_factory=dict)
    rules: dict[str, list[Any]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)

    def damage(self) -> tuple[str, ...]:
        """The parts that are missing, altered or left over."""
        used = _chains(self.marks)
        return (
            *(f"map {name}" for name in layout.MAPS if name not in self.maps),
            *([] if self.is_hooked() and self.looks_up() else [f"chain {layout.BASE}"]),
            *(f"chain {name}" for name in self.mark_chains() if name not in used or not self.is_sound(name)),
        )

    def is_hooked(self) -> bool:
        """Whether the base chain is there, at the hook and priority that it needs."""
        base = self.chains.get(layout.BASE, {})
        return all(base.get(name) == value for name, value in layout.HOOK.items())

    def looks_up(self) -> bool:
        """Whether the base chain has the rules that it needs, and no other."""
        return self.rules.get(layout.BASE) == layout.LOOKUPS

    def mark_chains(self) -> list[str]:
        """The names of the chains that set a mark."""
        return [name for name in self.chains if name != layout.BASE]

    def is_sound(self, chain: str) -> bool:
        """Whether the chain of a mark does what its name says."""
        rules, meant = self.rules.get(chain, []), layout.mark_of(chain)
        return len(rules) == 1 and meant is not None and layout.is_marking(rules[0], *meant)


def _chains(marks: Iterable[Mark]) -> dict[str, tuple[int, int]]:
    """The chains that the marks lead to, each with the mark and mask that it sets."""
    names = {layout.target(mark) for mark in marks}
    return {name: meant for name in sorted(names) for meant in [layout.mark_of(name)] if meant}


def _marks(entries: Iterable[Entry]) -> list[Mark]:
    return [entry for entry in entries if isinstance(entry, Mark)]


class MarkTable:
    """One table of family inet. It is ours if it holds nothing but what this module makes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._content = _Content()

    def read(self) -> list[Entry]:
        """The marks and the table itself; nothing where the host has no such table."""
        listing = nft.listing(_FAMILY, self._name)
        self._content = _Content()
        if listing is None:
            return []
        for item in listing:
            ((kind, body),) = item.items()
            self._take(kind, body)
        if self._content.chains.keys() == {layout.BASE} and not self._content.maps:
            raise self._foreign(f"a chain {layout.BASE} and no map for it")
        marks = self._content.marks
        return [*marks, Table(self._name, self._content.damage(), frozenset(mark.key for mark in marks))]

    def check(self, plan: Plan[Entry]) -> None:
        """Refuse a mark that overlaps one which stays though it is not listed: the kernel would, and not say which."""
        new = _marks(plan.additions())
        in_scope = set(plan.before)
        staying = [mark for mark in self._content.marks if mark not in in_scope]
        pair = overlap([*staying, *new]) if staying and new else None
        if pair:
            held, mark = ([*staying, *new][place].line for place in pair)
            remedy = "Remove that first, or list all marks and set purge: true."
            raise Refused("vips", mark, f"the table {_FAMILY} {self._name} holds '{held}', which it overlaps. {remedy}")

    def apply(self, plan: Plan[Entry]) -> None:
        """One transaction, so that a packet meets the old marks or the new ones."""
        removed = [*plan.removals(), *(before for before, _after in plan.edits())]
        added = [*plan.additions(), *(after for _before, after in plan.edits())]
        if any(isinstance(entry, Table) for entry in plan.removals()):
            commands = [{"delete": {"table": {"family": _FAMILY, "name": self._name}}}]
        else:
            repair = any(isinstance(entry, Table) for entry in added)
            commands = list(self._commands(_marks(removed), _marks(added), repair))
        nft.transaction(f"the table {_FAMILY} {self._name}", commands)

    def _take(self, kind: str, body: nft.Json) -> None:
        """Add one object of the listing to the content, or refuse the table for it."""
        content = self._content
        name = str(body.get("name"))
        if kind == "rule":
            content.rules.setdefault(body["chain"], []).append(body["expr"])
        elif kind == "chain" and (name == layout.BASE or layout.mark_of(name)):
            content.chains[name] = body
        elif kind == "map" and layout.is_map(body):
            content.maps.add(name)
            content.marks.extend(self._mark(name, element) for element in body.get("elem", []))
        elif kind != "table":
            raise self._foreign(f"a {kind} {name}")
        elif body.get("flags"):
            # Asleep, or owned by a process that is alive: in both cases somebody means it to be so.
            raise self._foreign("flags")

    def _mark(self, name: str, element: layout.Expression) -> Mark:
        mark = layout.decode(layout.MAPS[name].family, element)
        if mark is None:
            raise self._foreign(f"an element {element[0]} in the map {name}")
        return mark

    def _foreign(self, what: str) -> Refused:
        reason = f"the table {_FAMILY} {self._name} of this host has {what}, so it is not of this module's making."
        return Refused("table", self._name, f"{reason} Choose another name, or remove that.")

    def _commands(self, removed: list[Mark], added: list[Mark], repair: bool) -> Iterator[nft.Json]:
        """Each step after those that it needs: a chain is there before an element leads to it, and goes after it."""
        content = self._content
        gone = set(removed)
        used = _chains([*(mark for mark in content.marks if mark not in gone), *added])
        if repair:
            yield from self._structure()
        for name, meant in used.items():
            if name not in content.chains:
                yield self._step("add", "chain", name)
            elif repair and not content.is_sound(name):
                yield self._step("flush", "chain", name)
            else:
                continue
            yield self._rule(name, layout.marking(*meant))
        yield from self._elements("delete", removed)
        yield from self._elements("add", added)
        for name in content.mark_chains():
            if name not in used:
                yield self._step("delete", "chain", name)

    def _structure(self) -> Iterator[nft.Json]:
        """What is missing of the table, the maps and the base chain."""
        content = self._content
        yield {"add": {"table": {"family": _FAMILY, "name": self._name}}}
        for name, shape in layout.MAPS.items():
            if name not in content.maps:
                yield self._step("add", "map", name, type=shape.types, map="verdict", flags=["interval"])
        if content.is_hooked() and content.looks_up():
            return
        if layout.BASE in content.chains:
            yield self._step("delete" if not content.is_hooked() else "flush", "chain", layout.BASE)
        if not content.is_hooked():
            yield self._step("add", "chain", layout.BASE, **layout.HOOK)
        for rule in layout.LOOKUPS:
            yield self._rule(layout.BASE, rule)

    def _elements(self, step: str, marks: list[Mark]) -> Iterator[nft.Json]:
        """One command for each map: nft takes many elements of one command at once, and commands one by one."""
        encode = layout.encode if step == "add" else layout.encode_key
        for name in layout.MAPS:
            elements = [encode(mark) for mark in marks if layout.map_of(mark) == name]
            if elements:
                yield self._step(step, "element", name, elem=elements)

    def _rule(self, chain: str, expressions: list[Any]) -> nft.Json:
        return {"add": {"rule": {"family": _FAMILY, "table": self._name, "chain": chain, "expr": expressions}}}

    def _step(self, step: str, kind: str, name: str, **attributes: Any) -> nft.Json:
        return {step: {kind: {"family": _FAMILY, "table": self._name, "name": name, **attributes}}}
