"""The README's first command, then the rest of the scenario that it shows the beginning of, and every way of delivery.

Most of it with a Python that has started already, which takes a third of the time: molecule/lab/files/lab_python.py.
"""

from __future__ import annotations

import pytest

from background import Background, marked
from environment import CHECKOUT
from tools import Tools

# Needs what the scenario `default` has made, and nothing else.
GUEST_OF_ITS_LAB = "delivery"


def _test(tools: Tools, scenario: str) -> None:
    """One lab for all: to make it and converge costs minutes."""
    folder = tools.machine.cache / "demonstration"
    state = {"MOLECULE_EPHEMERAL_DIRECTORY": str(folder)}

    def molecule(action: str, of: str = scenario) -> None:
        tools.watch(action, ["molecule", action, "--scenario-name", of], CHECKOUT, **state)

    def tasks_run_on(python: str) -> None:
        lab = {"LVS_LAB_PYTHON": python, "PYTHONPATH": str(CHECKOUT / "molecule")}
        (folder / "lab.json").write_text(tools.run(["python", "-m", "lab", "inventory"], CHECKOUT, **lab))

    try:
        tools.watch("demo", ["molecule/demo", "--keep"], CHECKOUT, LVS_LAB_PYTHON="warm")
        molecule("side-effect")
        molecule("check")
        molecule("verify")
        molecule("verify", GUEST_OF_ITS_LAB)
        # The guests' own Python runs every module once more, to remove everything.
        tasks_run_on("guest")
        molecule("cleanup")
    finally:
        molecule("destroy")


@marked(_test, "scenario", {"default": 40})
@pytest.mark.parametrize("scenario", ["default"])
def test_demonstration_reboot_delivery_and_removal(background: Background, scenario: str) -> None:
    background.result(_test, scenario)
