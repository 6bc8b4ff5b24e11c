"""The README's first command, as a new user runs it, then the rest of the scenario that it shows the beginning of."""

from __future__ import annotations

import pytest

from background import Background, marked
from environment import CHECKOUT
from tools import Tools

REST = ("side-effect", "check", "verify", "cleanup")


def _test(tools: Tools, scenario: str) -> None:
    """One lab for both: the demonstration is the scenario ``default`` up to its first proof, which costs minutes."""
    state = {"MOLECULE_EPHEMERAL_DIRECTORY": str(tools.machine.cache / "demonstration")}

    def molecule(action: str) -> None:
        tools.watch(action, ["molecule", action, "--scenario-name", scenario], CHECKOUT, **state)

    try:
        tools.watch("demo", ["molecule/demo", "--keep"], CHECKOUT)
        for action in REST:
            molecule(action)
    finally:
        molecule("destroy")


@marked(_test, "scenario", {"default": 19})
@pytest.mark.parametrize("scenario", ["default"])
def test_demonstration_reboot_and_removal(background: Background, scenario: str) -> None:
    background.result(_test, scenario)
