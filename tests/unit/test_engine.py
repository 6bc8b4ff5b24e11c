"""Read, plan, apply, read back, report: over a host that forgets, that is changed meanwhile, and whose file fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._errors import NotKept, PartlyApplied, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, Plan


class Thing(NamedTuple):
    name: str
    value: int

    @property
    def key(self) -> str:
        return self.name

    @property
    def line(self) -> str:
        return f"{self.name} {self.value}"


A1, A2, B1, C1 = Thing("a", 1), Thing("a", 2), Thing("b", 1), Thing("c", 1)


def as_told(things: set[Thing]) -> set[Thing]:
    return things


class Host:
    """Things, and what becomes of them after each writing. ``whole``: nothing has to be read back."""

    def __init__(
        self, *things: Thing, meanwhile: Callable[[set[Thing]], set[Thing]] = as_told, whole: bool = False
    ) -> None:
        self.things = set(things)
        self.written: list[list[str]] = []
        self._meanwhile = meanwhile
        self._whole = whole

    def read(self) -> list[Thing]:
        return sorted(self.things)

    def check(self, plan: Plan[Thing]) -> None:
        if C1 in plan.after:
            raise Refused("things", C1.line, "it does harm.")

    def apply(self, plan: Plan[Thing]) -> bool:
        self.written.append([change.line for change in plan.changes])
        gone = {change.before for change in plan.changes}
        self.things = self._meanwhile((self.things - gone) | {one.after for one in plan.changes if one.after})
        return self._whole


class File(Host):
    """What keeps them: the same things, one by one."""

    def desired(self, objects: Sequence[Thing]) -> Desired[Thing]:
        return Desired(objects, lambda _found: True)


class FullDisk(File):
    def apply(self, plan: Plan[Thing]) -> bool:
        raise PartlyApplied([], [(change.line, "no space") for change in plan.changes], [])


def run(host: Host, desired: Desired[Thing], check: bool = False, kept: File | None = None) -> dict[str, Any]:
    return converge(host, desired, check, kept, alone=nullcontext)


@pytest.mark.parametrize("check", [True, False])
def test_what_was_done_is_told_and_check_mode_tells_the_same(check: bool) -> None:
    host = Host(A1, B1)
    told = run(host, Desired([A2, Thing("d", 10)], lambda found: found == B1), check)
    assert told == {
        "changed": True,
        "diff": {"before": "a 1\nb 1\n", "after": "a 2\nd 10\n"},
        "changes": ["change a 1 to a 2", "add d 10", "remove b 1"],
    }
    assert host.things == ({A1, B1} if check else {A2, Thing("d", 10)})
    assert len(host.written) == (0 if check else 1)


def test_nothing_is_written_where_nothing_changes() -> None:
    host = Host(A1, B1)
    assert run(host, Desired([A1])) == {"changed": False, "diff": {"before": "a 1\n", "after": "a 1\n"}, "changes": []}
    assert host.written == []


def test_a_host_that_forgets_is_told_after_three_attempts() -> None:
    host = Host(B1, meanwhile=lambda things: things - {A1})
    with pytest.raises(NotKept) as caught:
        run(host, Desired([A1]))
    assert caught.value.details == {"changed": True, "not_kept": ["add a 1"]}
    assert host.written == [["add a 1"]] * 3


def test_what_another_program_undoes_is_done_again() -> None:
    undone = iter([{A1}, {A1}])
    host = Host(meanwhile=lambda things: things - next(undone, set()))
    assert run(host, Desired([A1, B1]))["changes"] == ["add a 1", "add b 1"]
    assert host.things == {A1, B1}
    assert host.written == [["add a 1", "add b 1"], ["add a 1"], ["add a 1"]]


def test_what_was_done_whole_is_not_read_back() -> None:
    host = Host(meanwhile=lambda _things: set(), whole=True)
    assert run(host, Desired([A1]))["changed"]
    assert host.written == [["add a 1"]]


def test_what_does_harm_is_refused_before_anything_is_written() -> None:
    host = Host()
    with pytest.raises(Refused):
        run(host, Desired([A1, C1]))
    assert host.written == []


def test_a_file_holds_what_is_there_and_its_changes_come_last() -> None:
    host, file = Host(A1), File(Thing("old", 1))
    told = run(host, Desired([A1, B1]), kept=file)
    assert told["changes"] == ["add b 1", "add a 1", "add b 1", "remove old 1"]
    assert told["diff"] == {"before": "a 1\nold 1\n", "after": "a 1\nb 1\na 1\nb 1\n"}
    assert file.things == {A1, B1}


@pytest.mark.parametrize(("already", "done"), [((), ["add a 1"]), ((A1,), [])])
def test_what_was_done_before_the_file_failed_is_told(already: tuple[Thing, ...], done: list[str]) -> None:
    with pytest.raises(PartlyApplied) as caught:
        run(Host(*already), Desired([A1]), kept=FullDisk())
    assert caught.value.details["done"] == done
    assert caught.value.details["changed"] is bool(done)
    assert caught.value.details["failures"] == [{"change": "add a 1", "reason": "no space"}]


@pytest.mark.parametrize("check", [True, False])
def test_others_wait_from_reading_to_the_file_unless_nothing_is_written(check: bool) -> None:
    told: list[str] = []

    class Told(Host):
        def read(self) -> list[Thing]:
            told.append("read")
            return super().read()

    class Last(File):
        def apply(self, plan: Plan[Thing]) -> bool:
            told.append("file")
            return super().apply(plan)

    @contextmanager
    def alone() -> Iterator[None]:
        told.append("begin")
        yield
        told.append("end")

    converge(Told(), Desired([A1]), check, Last(), alone=alone)
    assert told == (["read"] if check else ["begin", "read", "read", "file", "end"])
