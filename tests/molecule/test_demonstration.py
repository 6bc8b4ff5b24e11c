"""The README's first command, as a new user runs it, then the rest of the scenario that it shows the beginning of, and
every way of delivery.
"""

from __future__ import annotations

import pytest

from background import Background, marked
from environment import CHECKOUT
from tools import Tools

REST = ("side-effect", "check", "verify")
# Needs what the scenario `default` has made, and nothing else.
GUEST_OF_ITS_LAB = "delivery"


def _test(tools: Tools, scenario: str) -> None:
    """One lab for all: to make it and converge costs minutes."""
    folder = tools.machine.cache / "demonstration"
    state = {"MOLECULE_EPHEMERAL_DIRECTORY": str(folder)}

    def molecule(action: str, of: str = scenario) -> None:
        tools.watch(action, ["molecule", action, "--scenario-name", of], CHECKOUT, **state)

    try:
        tools.watch("demo", ["molecule/demo", "--keep"], CHECKOUT)
        # The demonstration is what users see, so it has the guests' own Python; from here on a quicker one will do.
        quick = {"LVS_LAB_PYTHON": "warm", "PYTHONPATH": str(CHECKOUT / "molecule")}
        hosts = tools.run(["python", "-m", "lab", "inventory"], CHECKOUT, **quick)
        (folder / "lab.json").write_text(hosts)
        for action in REST:
            molecule(action)
        molecule("verify", GUEST_OF_ITS_LAB)
        molecule("cleanup")
    finally:
        molecule("destroy")


@marked(_test, "scenario", {"default": 40})
@pytest.mark.parametrize("scenario", ["default"])
def test_demonstration_reboot_delivery_and_removal(background: Background, scenario: str) -> None:
    background.result(_test, scenario)
