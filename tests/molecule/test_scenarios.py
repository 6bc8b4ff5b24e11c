"""Every molecule scenario, from nothing to nothing, but those of the demonstration's lab: test_demonstration.py."""

from __future__ import annotations

import pytest

from background import Background, marked
from environment import CHECKOUT
from tools import Tools

SCENARIOS = sorted({path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")} - {"default", "delivery"})
# Of Debian, whose guests a scenario has; the others have the lab's default.
RELEASES = {"forwarding": "trixie"}
# Of two busy cores without KVM, to begin with the longest.
MINUTES = {"failover": 14, "forwarding": 15, "inclusion": 20, "proxy": 12}


def _test(tools: Tools, scenario: str) -> None:
    command = ["molecule", "test", "--scenario-name", scenario]
    variables = {"LVS_LAB_NAME": f"lvslab-{scenario}", "LVS_LAB_PYTHON": "warm"}
    if scenario in RELEASES:
        variables["LVS_LAB_RELEASE"] = RELEASES[scenario]
    try:
        tools.watch(scenario, command, CHECKOUT, **variables)
    except BaseException:
        # molecule leaves the guests where its cleanup fails, and they slow all that is still to come.
        tools.watch(scenario, ["molecule", "destroy", "--scenario-name", scenario], CHECKOUT, **variables)
        raise


@marked(_test, "scenario", MINUTES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(background: Background, scenario: str) -> None:
    background.result(_test, scenario)
