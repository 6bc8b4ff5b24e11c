"""Whose an object is: by the protocol number that it carries, and nobody's by 0."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model.ownership import desired
from ansible_collections.lvs.vipless.plugins.module_utils._plan import make_plan


class Thing(NamedTuple):
    key: str
    protocol: int

    @property
    def line(self) -> str:
        return f"{self.key} {self.protocol}"


NAMED, OTHER, OURS, NOBODYS, FOREIGN = (
    Thing("named", 117),
    Thing("named", 118),
    Thing("ours", 117),
    Thing("nobodys", 0),
    Thing("foreign", 4),
)
THERE = [NAMED, OURS, NOBODYS, FOREIGN]


@pytest.mark.parametrize(
    ("there", "present", "purged", "removed"),
    [
        # `ip rule add … protocol 0` makes an object that has no owner: it is not the one of a run without purge.
        (THERE, True, 0, []),
        (THERE, True, 117, [OURS]),
        (THERE, True, 4, [FOREIGN]),
        (THERE, False, 0, [NAMED]),
        ([OTHER, NOBODYS], False, 0, []),
    ],
)
def test_whose_goes(there: list[Thing], present: bool, purged: int, removed: list[Thing]) -> None:
    assert make_plan(there, desired([NAMED], present, purged)).removals() == removed


def test_what_another_module_made_with_the_same_number_stays() -> None:
    wanted = desired([NAMED], True, 117, lambda found: found != OURS)
    assert make_plan(THERE, wanted).removals() == []
