# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table of this collection: read whole, repaired, and changed so that no packet is missed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import PartlyApplied, ProgramFailed, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import nft
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import refuse_alternative_names
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_content import Content, use_of
from ansible_collections.lvs.vipless.plugins.module_utils._model.connection import Connection
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark, Table
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark_overlap import overlap
from ansible_collections.lvs.vipless.plugins.module_utils._model.taking import refuse_taking
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

Entry = Union[Mark, Table]

_FAMILY = "inet"
_MARKS = "marks"
"""The transaction in which marks take the places of others, or a table is made or goes."""
_LAST = "after"


def complete(wanted: Entry, found: Entry) -> Entry:
    """What is asked for, with what is not asked of the table as it was found."""
    return wanted.completed(found) if isinstance(wanted, Table) and isinstance(found, Table) else wanted


class _Marks(NamedTuple):
    """The marks of a run by the step that changes them: new ones where nothing is in their way, then those that take
    places of others, then those that only leave. ``moving`` names the maps for what takes places in maps with ranges.

    A packet is looked up in one map after another: what lies in another map than before is added before it is removed.
    """

    new: list[Mark]
    replaced: list[Mark]
    replacing: list[Mark]
    left: list[Mark]
    moving: dict[str, str]

    @classmethod
    def of(cls, removed: list[Mark], added: list[Mark]) -> _Marks:
        filled = set(map(layout.map_of, added))
        replaced = [mark for mark in removed if layout.map_of(mark) in filled]
        moving = {name: other for name in set(map(layout.map_of, replaced)) if (other := layout.moving(name))}
        taken = {mark.key for mark in replaced}
        replacing = [mark for mark in added if layout.map_of(mark) in moving or mark.key in taken]
        new = [mark for mark in added if layout.map_of(mark) not in moving and mark.key not in taken]
        left = [mark for mark in removed if layout.map_of(mark) not in filled]
        return cls(new, replaced, replacing, left, moving)


class MarkTable:
    """One table of family inet. It is ours if it holds nothing but what this module makes."""

    def __init__(
        self, name: str, content: Callable[[], Content] = Content, connection: Connection | None = None
    ) -> None:
        """``content`` makes what is to be filled from a listing: that of another kind of table has other chains.
        ``connection`` is the controller's, which no mark may take; without it nothing is refused for that."""
        self._name = name
        self._changes = nft.Transactions()
        self._new_content = content
        self._connection = connection
        self._content = content()
        self._found: Table | None = None

    def read(self) -> list[Entry]:
        """The marks and the table itself; nothing where the host has no such table."""
        listing = nft.listing(_FAMILY, self._name)
        self._content, self._found = self._new_content(), None
        if listing is None:
            return []
        troubles = [self._content.take(kind, body) for item in listing for kind, body in item.items()]
        trouble = next(filter(None, troubles), self._content.stranger())
        if trouble:
            reason = (
                f"the table {_FAMILY} {self._name} of this host has {trouble}, so it is not of this module's making."
            )
            raise Refused("table", self._name, f"{reason} Choose another name, or remove that.")
        marks = self._content.marks
        self._found = self._content.table(self._name)
        return [*marks, self._found] if self._found else []

    def check(self, plan: Plan[Entry]) -> None:
        """Refuse a mark of the controller's own packets, one that no packet would get, and one that overlaps one which
        stays though it is not listed: the kernel would, and not say which."""
        refuse_taking(_marks(plan.after), self._connection)
        new = _marks(plan.additions())
        refuse_alternative_names(("iif", name) for name in sorted({mark.iif for mark in new if mark.iif}))
        in_scope = set(plan.before)
        staying = [mark for mark in self._content.marks if mark not in in_scope]
        pair = overlap([*staying, *new]) if staying and new else None
        if pair:
            held, mark = ([*staying, *new][place].line for place in pair)
            remedy = "Remove that first, or list all marks and set purge: true."
            raise Refused("vips", mark, f"the table {_FAMILY} {self._name} holds '{held}', which it overlaps. {remedy}")

    def apply(self, plan: Plan[Entry]) -> bool:
        """Change what marks, so that each packet meets an old mark or a new one. False where nft refused because
        another process has changed the table since it was read.

        What the marks lead to is made in a transaction before and removed in one after: a packet that is on its way
        while the kernel commits can meet the new elements and still the old rules (nft_do_chain() reads the generation
        once, a lookup follows it). So do marks leave a map that gets none for them: they may have gone to another,
        which the packet has looked in before.
        """
        removed = [*plan.removals(), *(before for before, _after in plan.edits())]
        added = [*plan.additions(), *(after for _before, after in plan.edits())]
        content = self._content
        if any(isinstance(entry, Table) for entry in plan.removals()):
            phases = {_MARKS: [f"delete table {_FAMILY} {self._name}"]}
        else:
            phases = self._phases(_marks(removed), _marks(added), _table(added))
        done: list[str] = []
        try:
            for name, commands in phases.items():
                self._changes.carry_out(f"the table {_FAMILY} {self._name}", commands)
                done.append(name)
        except ProgramFailed as error:
            self.read()
            if set(self._content.marks) != set(content.marks) or (not done and self._content != content):
                return False
            if not done:
                raise
            raise _partly(plan, error, name) from None
        return True

    def written_out(self, entries: Sequence[Entry]) -> list[str]:
        """The commands that make a table of these where there is none. For a table that has not been read."""
        made = self._phases([], _marks(entries), _table(entries))
        return [line for commands in made.values() for command in commands for line in command.splitlines()]

    def _phases(self, removed: list[Mark], added: list[Mark], table: Table | None) -> dict[str, list[str]]:
        """The transactions by name. Of a table that is new they are one: no packet meets it before."""
        content, name = self._content, self._name
        both = content.uses + Counter(map(use_of, added))
        wide, narrow = (
            content.shape(uses, table or self._found, name) for uses in (both, both - Counter(map(use_of, removed)))
        )
        if not content.exists:
            made = [*self._lines(content.making(wide)), *self._elements("add", added)]
            return {_MARKS: [f"add table {_FAMILY} {name}", *made]}
        marks = _Marks.of(removed, added)
        wide = wide.with_maps(marks.moving.values())
        phases = {
            "before": [
                *self._lines(("flush map", one) for one in sorted(content.maps.intersection(marks.moving.values()))),
                *self._lines(content.making(wide)),
                *self._elements("add", [mark for mark in added if layout.map_of(mark) in marks.moving], marks.moving),
            ],
            "new": self._elements("add", marks.new),
            _MARKS: [*self._elements("delete", marks.replaced), *self._elements("add", marks.replacing)],
            _LAST: [
                *self._elements("delete", marks.left),
                *self._lines([*content.narrowing(wide, narrow), *content.clearing(narrow)]),
            ],
        }
        return {phase: commands for phase, found in phases.items() if (commands := list(found))}

    def _elements(self, step: str, marks: list[Mark], places: Mapping[str, str] | None = None) -> Iterator[str]:
        """One command for each map: nft takes many elements of one command at once, and commands one by one. ``places``
        names other maps than those that the marks belong to."""
        encode = layout.encode if step == "add" else layout.encode_key
        elements: dict[str, list[str]] = defaultdict(list)
        for mark in marks:
            elements[layout.map_of(mark)].append(encode(mark))
        for name, texts in elements.items():
            listed = ",\n".join(texts)
            yield f"{step} element {_FAMILY} {self._name} {(places or {}).get(name, name)} {{\n{listed}\n}}"

    def _lines(self, steps: Iterable[tuple[str, str]]) -> list[str]:
        """Steps such as ('add chain', 'x { … }') with the table's name where nft wants it."""
        return [f"{step} {_FAMILY} {self._name} {what}" for step, what in steps]


def _marks(entries: Iterable[Entry]) -> list[Mark]:
    return [entry for entry in entries if isinstance(entry, Mark)]


def _table(entries: Iterable[Entry]) -> Table | None:
    return next((entry for entry in entries if isinstance(entry, Table)), None)


def _partly(plan: Plan[Entry], error: ProgramFailed, failed: str) -> PartlyApplied:
    """What a later transaction's failure leaves, where all marks are as before: the table's own change is begun."""
    marks = [change.line for change in plan.changes if not isinstance(change.after or change.before, Table)]
    table = [change.line for change in plan.changes if isinstance(change.after or change.before, Table)]
    if failed != _LAST:
        return PartlyApplied(table, [(marks[0], str(error))], marks[1:])
    missing = [*marks, *table] or ["remove what no mark leads to"]
    return PartlyApplied([], [(missing[0], str(error))], missing[1:])
