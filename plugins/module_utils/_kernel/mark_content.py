# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an nftables table of marks holds, what it should hold for its marks, and the steps between. Pure.

A step is what nft(8) takes, but for the table: ('add chain', 'lookups') stands for 'add chain inet TABLE lookups'.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_rules as rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_rules import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.nft_element import bare
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import DEFAULT_HOOKS, Mark, Table

Step = tuple[str, str]
Json = dict[str, layout.Expression]
Use = tuple[str, str]
"""The map that a mark lies in, and the chain that it leads to."""

_SAVED = re.compile(r"saved_0x([0-9a-f]{1,8})")
_MACS_SET = {"name": rules.MACS, "type": "ether_addr"}
S = TypeVar("S", bound="Shape")
_PARTS = {"rule": "chain", "element": "map"}


def use_of(mark: Mark) -> Use:
    return layout.map_of(mark), layout.target(mark)


@dataclass(frozen=True)
class Shape:
    """All but the marks themselves: hooks, excluded MAC addresses, maps, the mark and mask of each chain, and for each
    mask under which marks are saved the chain of each of them."""

    hooks: Sequence[str]
    macs: frozenset[str]
    maps: frozenset[str]
    chains: dict[str, tuple[int, int]]
    saved: dict[int, dict[int, str]]

    @classmethod
    def of(cls, uses: Iterable[Use], table: Table) -> Shape:
        """What a table needs whose marks lie in these maps and lead to these chains."""
        maps, targets = set(), set()
        for name, target in uses:
            maps.add(name)
            targets.add(target)
        chains = {name: meant for name in sorted(targets) if (meant := layout.mark_of(name))}
        saved: dict[int, dict[int, str]] = {}
        if table.new_connections:
            for name, (number, mask) in chains.items():
                saved.setdefault(mask, {})[number] = name
        macs = frozenset(table.exclude_macs or ())
        return cls(table.hooks or DEFAULT_HOOKS, macs, frozenset(maps), chains, saved)

    def lookups(self) -> list[rules.Rule]:
        return rules.lookups(self.maps, self.saved)

    def with_maps(self: S, maps: Iterable[str]) -> S:
        return replace(self, maps=self.maps.union(maps))


@dataclass
class Content:
    """What a table holds: attributes of chains, the rules of each chain, names of maps, the marks in them and how many
    use what, the marks that are saved, and the excluded MAC addresses, or None where there is no set for them."""

    chains: dict[str, Json] = field(default_factory=dict)
    rules: dict[str, list[layout.Expression]] = field(default_factory=dict)
    maps: set[str] = field(default_factory=set)
    marks: list[Mark] = field(default_factory=list)
    uses: Counter[Use] = field(default_factory=Counter)
    saved: dict[int, dict[int, str]] = field(default_factory=dict)
    macs: set[str] | None = None
    exists: bool = False

    def take(self, kind: str, body: Json) -> str:
        """Add one object of the listing. Returns what it is where it is none that this collection makes."""
        name = str(body.get("name"))
        self.exists = True
        if kind == "rule":
            self.rules.setdefault(body["chain"], []).append(body["expr"])
        elif kind == "chain" and (name in rules.HOOKS or name == rules.LOOKUPS or layout.mark_of(name)):
            self.chains[name] = body
        elif kind == "map":
            return self._take_map(name, body)
        elif kind == "set" and {key: body.get(key) for key in _MACS_SET} == _MACS_SET and "flags" not in body:
            self.macs = {bare(element) for element in body.get("elem", [])}
        elif kind != "table":
            return f"a {kind} {name}"
        elif body.get("flags"):
            # Asleep, or owned by a process that is alive: in both cases somebody means it to be so.
            return "flags"
        return ""

    def stranger(self) -> str:
        """What tells that somebody else made the whole; nothing where it may be ours."""
        lonely = [hook for hook in rules.HOOKS if hook in self.chains]
        ours = rules.LOOKUPS in self.chains or self.maps
        return f"a chain {lonely[0]} and no map for it" if lonely and not ours else ""

    def table(self, name: str) -> Table | None:
        """The table as it was found; None where there is none."""
        if not self.exists:
            return None
        hooks = tuple(hook for hook in rules.HOOKS if hook in self.chains) or DEFAULT_HOOKS
        found = Table(name, hooks, bool(self.saved), tuple(sorted(self.macs or ())))
        keys = frozenset(mark.key for mark in self.marks)
        return replace(found, damage=self.damage(Shape.of(self.uses, found)), holds=keys)

    def shape(self, uses: Iterable[Use], table: Table | None, name: str) -> Shape:
        """What a table needs for these uses; a new one where there is none."""
        return Shape.of(uses, table or Table(name))

    def damage(self, shape: Shape) -> tuple[str, ...]:
        """The parts that are missing, altered or left over."""
        steps = [*self.making(shape), *self.clearing(shape)]
        return tuple(dict.fromkeys(f"{_part(step)} {what.split()[0]}" for step, what in steps))

    def making(self, shape: Shape) -> Iterator[Step]:
        """What has to be there before elements are added: maps, chains with their rules, and what they need."""
        yield from self._adding(shape, save=bool(shape.saved))
        yield from self._saving(shape)
        yield from self._settled(rules.LOOKUPS, shape.lookups())
        for hook in shape.hooks:
            yield from self._hooked(hook, rules.HOOKS[hook], rules.entrance(hook, bool(shape.macs)))

    def narrowing(self, wide: Shape, narrow: Shape) -> Iterator[Step]:
        """Lookups in the maps that are needed, and no more maps and saved marks, where what was made has more."""
        if wide.lookups() != narrow.lookups():
            yield "flush chain", rules.LOOKUPS
            for text, _rule in narrow.lookups():
                yield "add rule", f"{rules.LOOKUPS} {text}"
        for name in sorted(wide.maps - narrow.maps - self.maps):
            yield "delete map", name
        # What was there before goes in clearing().
        made = {
            mask: {mark: chain for mark, chain in saved.items() if mark not in self.saved.get(mask, {})}
            for mask, saved in wide.saved.items()
            if mask in narrow.saved or mask not in self.saved
        }
        yield from _forgetting(made, narrow)

    def clearing(self, shape: Shape) -> Iterator[Step]:
        """What can go once nothing leads to it."""
        for hook in rules.HOOKS:
            if hook in self.chains and hook not in shape.hooks:
                yield "delete chain", hook
        yield from _forgetting(self.saved, shape)
        yield from self._removing(shape)
        for name in self.chains:
            if name not in shape.chains and name not in rules.HOOKS and name != rules.LOOKUPS:
                yield "delete chain", name

    def _adding(self, shape: Shape, save: bool) -> Iterator[Step]:
        """Maps, the chains that mark, and the set of MAC addresses."""
        for name in layout.MAPS:
            if name in shape.maps and name not in self.maps:
                yield "add map", f"{name} {{ {_definition(layout.MAPS[name])} }}"
        for name, (mark, mask) in shape.chains.items():
            if not _is_sound(self.rules.get(name, []), mark, mask, save):
                yield from self._chain(name, [rules.marking(mark, mask, save)])
        if shape.macs and self.macs is None:
            yield "add set", f"{rules.MACS} {{ type ether_addr; }}"
        if added := shape.macs - (self.macs or set()):
            yield "add element", f"{rules.MACS} {{ {', '.join(sorted(added))} }}"

    def _removing(self, shape: Shape) -> Iterator[Step]:
        """Maps and MAC addresses that are not needed."""
        for name in sorted(self.maps - shape.maps):
            yield "delete map", name
        if self.macs is not None and not shape.macs:
            yield "delete set", rules.MACS
        elif gone := (self.macs or set()) - shape.macs:
            yield "delete element", f"{rules.MACS} {{ {', '.join(sorted(gone))} }}"

    def _saving(self, shape: Shape) -> Iterator[Step]:
        for mask, wanted in shape.saved.items():
            name, found = rules.saved_map(mask), self.saved.get(mask)
            if found is None:
                yield "add map", f"{name} {{ type mark : verdict; }}"
            if new := {mark: chain for mark, chain in wanted.items() if mark not in (found or {})}:
                elements = ", ".join(f"{mark:#x} : goto {chain}" for mark, chain in new.items())
                yield "add element", f"{name} {{ {elements} }}"

    def _hooked(self, name: str, base: Json, expected: Sequence[Rule]) -> Iterator[Step]:
        """A base chain with these rules and no others."""
        chain = self.chains.get(name)
        hooked = chain is not None and all(chain.get(key) == value for key, value in base.items())
        if chain is not None and not hooked:
            yield "delete chain", name
        if not hooked:
            yield "add chain", f"{name} {{ {rules.hook_definition(base)} }}"
        if not hooked or not self._holds(name, expected):
            if hooked:
                yield "flush chain", name
            for text, _rule in expected:
                yield "add rule", f"{name} {text}"

    def _settled(self, name: str, expected: Sequence[Rule]) -> Iterator[Step]:
        """A chain with these rules and no others, as it is or made anew."""
        if name not in self.chains or not self._holds(name, expected):
            yield from self._chain(name, [text for text, _rule in expected])

    def _holds(self, name: str, expected: Sequence[Rule]) -> bool:
        return self.rules.get(name, []) == [rule for _text, rule in expected]

    def _chain(self, name: str, texts: Sequence[str]) -> Iterator[Step]:
        """A chain with these rules and no others."""
        yield ("flush chain" if name in self.chains else "add chain"), name
        for text in texts:
            yield "add rule", f"{name} {text}"

    def _take_map(self, name: str, body: Json) -> str:
        saved = _SAVED.fullmatch(name)
        if saved and (body["type"], body.get("map"), body.get("flags")) == ("mark", "verdict", None):
            elements = body.get("elem", [])
            if all(isinstance(key, int) and "goto" in verdict for key, verdict in elements):
                self.saved[int(saved[1], 16)] = {key: verdict["goto"]["target"] for key, verdict in elements}
                return ""
        if not layout.is_map(body):
            return f"a map {name}"
        self.maps.add(name)
        shape = layout.MAPS[name]
        for element in body.get("elem", []):
            mark = layout.decode(shape, element)
            if mark is None or layout.map_of(mark) != shape._replace(moving=False).name:
                return f"an element {element[0]} in the map {name}"
            if shape.moving:
                # Left by a run that was killed.
                continue
            self.marks.append(mark)
            self.uses[name, layout.target(mark)] += 1
        return ""


def _forgetting(saved: Mapping[int, Mapping[int, str]], shape: Shape) -> Iterator[Step]:
    """Saved marks that are not needed: nothing may lead to a chain that is to go."""
    for mask, found in saved.items():
        if mask not in shape.saved:
            yield "delete map", rules.saved_map(mask)
        elif gone := sorted(found.keys() - shape.saved[mask].keys()):
            yield "delete element", f"{rules.saved_map(mask)} {{ {', '.join(map(hex, gone))} }}"


def _is_sound(found: Sequence[layout.Expression], mark: int, mask: int, save: bool) -> bool:
    """Whether the rules of a chain do what its name says."""
    return len(found) == 1 and rules.is_marking(found[0], mark, mask, save)


def _definition(shape: layout.Map) -> str:
    types = " . ".join(part.type for part in shape.fields)
    return f"type {types} : verdict;" + ("" if shape.exact else " flags interval;")


def _part(step: str) -> str:
    kind = step.split()[1]
    return _PARTS.get(kind, kind)
