"""Every molecule scenario, from nothing to nothing; the demonstration's own is in test_demonstration.py."""

from __future__ import annotations

import pytest

from environment import CHECKOUT
from tools import Tools

SCENARIOS = sorted({path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")} - {"default"})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(tools: Tools, scenario: str) -> None:
    tools.watch(scenario, ["molecule", "test", "--scenario-name", scenario], CHECKOUT)
