"""Desired against current state, as tables."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, make_plan


class Thing(NamedTuple):
    name: str
    value: int
    owner: str = "us"

    @property
    def key(self) -> str:
        return self.name

    @property
    def line(self) -> str:
        return f"{self.name}={self.value}"


A1, A2, B1 = Thing("a", 1), Thing("a", 2), Thing("b", 1)
FOREIGN = Thing("f", 1, "them")


def ours(thing: Thing) -> bool:
    return thing.owner == "us"


@pytest.mark.parametrize(
    ("current", "desired", "steps", "before", "after"),
    [
        ([], Desired([A1]), ["add a=1"], [], [A1]),
        ([A1], Desired([A1]), [], [A1], [A1]),
        ([A1], Desired([A2]), ["change a=1 to a=2"], [A1], [A2]),
        ([A1, B1], Desired([A1]), [], [A1], [A1]),
        ([A1, B1, FOREIGN], Desired([A1], ours), ["remove b=1"], [A1, B1], [A1]),
        ([A1, FOREIGN], Desired([], ours), ["remove a=1"], [A1], []),
        ([A1, FOREIGN], Desired([]), [], [], []),
        ([A1, A2], Desired([A2]), ["remove a=1"], [A1, A2], [A2]),
        ([A2, A1], Desired([A2]), ["remove a=1"], [A2, A1], [A2]),
        ([A1, A1], Desired([A2]), ["change a=1 to a=2", "remove a=1"], [A1, A1], [A2]),
        ([FOREIGN], Desired([Thing("f", 1)]), ["change f=1 to f=1"], [FOREIGN], [Thing("f", 1)]),
    ],
)
def test_plan(
    current: list[Thing], desired: Desired[Thing], steps: list[str], before: list[Thing], after: list[Thing]
) -> None:
    plan = make_plan(current, desired)
    assert [change.line for change in plan.changes] == steps
    assert list(plan.before) == before
    assert list(plan.after) == after


def test_every_change_is_exactly_one_of_the_three() -> None:
    plan = make_plan([A1, B1], Desired([A2, Thing("c", 1)], ours))
    assert plan.additions() == [Thing("c", 1)]
    assert plan.edits() == [(A1, A2)]
    assert plan.removals() == [B1]


@pytest.mark.parametrize(
    ("current", "steps"),
    [
        ([A1], []),
        ([Thing("a", 9, "them")], ["change a=9 to a=1"]),
        # Of two in the kernel, the one that is as asked for stays, whatever its open attribute.
        ([Thing("a", 9, "them"), Thing("a", 1, "them")], ["remove a=9"]),
        ([], ["add a=1"]),
    ],
)
def test_what_is_left_open_stays_as_found(current: list[Thing], steps: list[str]) -> None:
    wanted = Thing("a", 1, "open")
    plan = make_plan(current, Desired([wanted], complete=lambda asked, found: asked._replace(owner=found.owner)))
    assert [change.line for change in plan.changes] == steps
    assert list(plan.after) == ([wanted._replace(owner=current[-1].owner)] if current else [wanted])
