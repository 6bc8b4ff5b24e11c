# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired state against current state. Pure: the same plan serves check mode, diff and apply."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Planned(Protocol):
    """What a resource's object must offer. Equality is over every attribute; ``key`` says which object it is."""

    @property
    def key(self) -> Hashable:
        """Identity: two objects with one key are one object in two states."""

    @property
    def line(self) -> str:
        """The object in one line, in the words of the native tool."""


T = TypeVar("T", bound=Planned)


@dataclass(frozen=True)
class Change(Generic[T]):
    """One object's step. ``before`` is None for an addition, ``after`` is None for a removal."""

    before: T | None
    after: T | None

    @property
    def line(self) -> str:
        if self.before is None:
            return f"add {self.after.line}" if self.after else ""
        return f"change {self.before.line} to {self.after.line}" if self.after else f"remove {self.before.line}"


def _never(_obj: object) -> bool:
    return False


def _as_asked(wanted: T, _found: T) -> T:
    return wanted


@dataclass(frozen=True)
class Desired(Generic[T]):
    """What the user asked for: objects to be present, and which of the others are to go.

    ``complete`` gives an object that is there already what the user left open: (wanted, found) to the target.
    """

    present: Sequence[T] = ()
    unwanted: Callable[[T], bool] = _never
    complete: Callable[[T, T], T] = _as_asked


@dataclass(frozen=True)
class Plan(Generic[T]):
    """The objects in scope before and after, and the steps between them."""

    before: Sequence[T] = ()
    after: Sequence[T] = ()
    changes: Sequence[Change[T]] = ()

    def additions(self) -> list[T]:
        return [c.after for c in self.changes if c.before is None and c.after is not None]

    def edits(self) -> list[tuple[T, T]]:
        return [(c.before, c.after) for c in self.changes if c.before is not None and c.after is not None]

    def removals(self) -> list[T]:
        return [c.before for c in self.changes if c.before is not None and c.after is None]


def make_plan(current: Iterable[T], desired: Desired[T]) -> Plan[T]:
    """Compare. A key that the kernel holds more than once keeps one object: the wanted one if it is among them."""
    wanted = {obj.key: obj for obj in desired.present}
    before: list[T] = []
    surplus: list[T] = []
    held: dict[Hashable, T] = {}
    for obj in current:
        key = obj.key
        target = wanted.get(key)
        if target is None:
            if desired.unwanted(obj):
                before.append(obj)
                surplus.append(obj)
            continue
        before.append(obj)
        if key not in held:
            held[key] = obj
        elif held[key] != desired.complete(target, held[key]) and obj == desired.complete(target, obj):
            surplus.append(held[key])
            held[key] = obj
        else:
            surplus.append(obj)
    changes: list[Change[T]] = []
    for key, found in held.items():
        wanted[key] = desired.complete(wanted[key], found)
    for key, target in wanted.items():
        old = held.get(key)
        if old != target:
            changes.append(Change(old, target))
    changes.extend(Change(obj, None) for obj in surplus)
    return Plan(before, list(wanted.values()), changes)
