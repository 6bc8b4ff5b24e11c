# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply unless in check mode, read back, report. The only place that knows check mode."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar

from ansible_collections.lvs.vipless.plugins.module_utils._errors import NotKept, PartlyApplied
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.lock import held
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, Plan, Planned, make_plan

T = TypeVar("T", bound=Planned)
K_contra = TypeVar("K_contra", contravariant=True)

_ATTEMPTS = 3
"""Another program may change the same table between our reading and our writing; a kernel that keeps refusing does not
come round with more."""


class Resource(Protocol[T]):
    """One kind of kernel object."""

    def read(self) -> Iterable[T]:
        """The objects the host holds now."""

    def check(self, plan: Plan[T]) -> None:
        """Raise Refused where the plan would do harm on this host. Changes nothing."""

    def apply(self, plan: Plan[T]) -> bool | None:
        """Carry the plan out, additions and edits before removals. True where nothing has to be read back, as it was
        done whole or not at all."""


class Kept(Protocol[K_contra]):
    """What keeps the objects over a reboot, once they are there."""

    def desired(self, objects: Sequence[K_contra]) -> Desired[Any]:
        """What it has to hold for these objects."""

    def read(self) -> Iterable[Any]:
        """What it holds."""

    def check(self, plan: Plan[Any]) -> None:
        """Raise Refused where it cannot hold what the plan adds."""

    def apply(self, plan: Plan[Any]) -> bool | None:
        """Carry the plan out, as a Resource does."""


def converge(
    resource: Resource[T],
    desired: Desired[T],
    check_mode: bool,
    kept: Kept[T] | None = None,
    alone: Callable[[], AbstractContextManager[None]] = held,
) -> dict[str, Any]:
    """Bring the host to the desired state, and where there is one, what keeps that state after it.

    Returns the module's result: ``changed``, ``diff`` (before and after, a line an object) and ``changes``
    (a line a step). In check mode the result is the same and nothing is written. ``alone`` keeps other processes of
    this collection from changing the host meanwhile.
    """
    with nullcontext() if check_mode else alone():
        return _converge(resource, desired, check_mode, kept)


def _converge(
    resource: Resource[T], desired: Desired[T], check_mode: bool, kept: Kept[T] | None = None
) -> dict[str, Any]:
    plan = make_plan(resource.read(), desired)
    resource.check(plan)
    if not check_mode:
        _carry_out(resource, desired, plan)
    result = _result(plan)
    if not kept:
        return result
    try:
        return _joined(result, _converge(kept, kept.desired(plan.after), check_mode))
    except PartlyApplied as error:
        raise error.after([] if check_mode else result["changes"]) from None


def _result(plan: Plan[T]) -> dict[str, Any]:
    before = _text(plan.before)
    return {
        "changed": bool(plan.changes),
        "diff": {"before": before, "after": _text(plan.after) if plan.changes else before},
        "changes": [change.line for change in plan.changes],
    }


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {
        "changed": first["changed"] or second["changed"],
        "diff": {side: first["diff"][side] + second["diff"][side] for side in ("before", "after")},
        "changes": [*first["changes"], *second["changes"]],
    }


def _carry_out(resource: Resource[T], desired: Desired[T], plan: Plan[T]) -> None:
    """Apply, read back, and do again what another program undid meanwhile. Raise NotKept for what is left."""
    left = plan
    for _attempt in range(_ATTEMPTS):
        if not left.changes:
            return
        if resource.apply(left):
            return
        left = make_plan(resource.read(), desired)
    if left.changes:
        raise NotKept([change.line for change in left.changes])


def _text(objects: Iterable[Planned]) -> str:
    return "".join(f"{line}\n" for line in sorted((obj.line for obj in objects), key=_natural))


def _natural(line: str) -> list[tuple[int, str]]:
    """Sort numbers by value, so that priority 20 stands before 100."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", line)]
