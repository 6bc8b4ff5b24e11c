"""Every molecule scenario, from nothing to nothing."""

from __future__ import annotations

import pytest

from environment import CHECKOUT
from tools import Tools

SCENARIOS = sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(tools: Tools, scenario: str) -> None:
    tools.watch(scenario, ["molecule", "test", "--scenario-name", scenario], CHECKOUT)
