"""Every molecule scenario, from nothing to nothing; the demonstration's own is in test_demonstration.py."""

from __future__ import annotations

import pytest

from background import Background, marked
from environment import CHECKOUT
from tools import Tools

SCENARIOS = sorted({path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")} - {"default"})


def _test(tools: Tools, scenario: str) -> None:
    command = ["molecule", "test", "--scenario-name", scenario]
    tools.watch(scenario, command, CHECKOUT, LVS_LAB_NAME=f"lvslab-{scenario}")


@marked(_test, "scenario")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(background: Background, scenario: str) -> None:
    background.result(_test, scenario)
