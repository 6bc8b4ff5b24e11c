"""What roles have on a host by default is nobody else's: two of them on one host take nothing from each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from environment import CHECKOUT

ROLES = {path.parents[1].name: yaml.safe_load(path.read_text()) for path in CHECKOUT.glob("roles/*/defaults/main.yml")}
# Rules that a role has behind its first one (vars/main.yml).
FURTHER_PRIORITIES = {"director": 1, "realserver": 3}
SUFFIXES = ("_protocol", "_table", "_priority", "_mark", "_bit", "_unit", "_file")


def kept(role: str, suffix: str) -> Iterator[Any]:
    """The values by which the role knows its own."""
    for name, value in ROLES[role].items():
        # 0 is the place behind the first rule.
        if name.endswith(suffix) and value not in (0, ""):
            yield value
            if suffix == "_priority":
                yield from range(value + 1, value + 1 + FURTHER_PRIORITIES.get(role, 0))
            if suffix == "_unit":
                yield f"{value}-hops"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("roles", list(combinations(sorted(ROLES), 2)), ids="-".join)
def test_two_roles_share_nothing(roles: tuple[str, str], suffix: str) -> None:
    one, other = (set(kept(role, suffix)) for role in roles)
    assert not one & other


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_role_does_not_share_with_itself(role: str, suffix: str) -> None:
    values = list(kept(role, suffix))
    assert len(values) == len(set(values))


def test_every_kind_is_seen() -> None:
    assert all(any(list(kept(role, suffix)) for role in ROLES) for suffix in SUFFIXES)
    assert not set(FURTHER_PRIORITIES) - set(ROLES)
