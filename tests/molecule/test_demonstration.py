"""The README's first command, as a new user runs it, then the rest of the scenario that it shows the beginning of."""

from __future__ import annotations

from environment import CHECKOUT, Environment
from tools import Tools

REST = ("side-effect", "check", "verify", "cleanup")


def test_demonstration_reboot_and_removal(tools: Tools, machine: Environment) -> None:
    """One lab for both: the demonstration is the scenario ``default`` up to its first proof, which costs minutes."""
    state = {"MOLECULE_EPHEMERAL_DIRECTORY": str(machine.cache / "demonstration")}

    def molecule(action: str) -> None:
        tools.watch(action, ["molecule", action, "--scenario-name", "default"], CHECKOUT, **state)

    try:
        tools.watch("demo", ["molecule/demo", "--keep"], CHECKOUT)
        for action in REST:
            molecule(action)
    finally:
        molecule("destroy")
