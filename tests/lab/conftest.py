"""Fixtures of the lab's tests: one lab with a name of its own, ended after the last of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from environment import Environment
from lab_command import LabCommand


@pytest.fixture(scope="session")
def the_lab(machine: Environment) -> Iterator[LabCommand]:
    """Return the tests' lab in whatever state it is."""
    assert os.geteuid() == 0, "the lab needs root: run the tests as root"
    lab = LabCommand(machine.variables())
    lab.run("down")
    yield lab
    lab.run("down")


@pytest.fixture
def lab(the_lab: LabCommand) -> LabCommand:
    """Return the tests' lab with three hosts on both networks, up and clean."""
    the_lab.run("up", "--clean", "--hosts", "client,router,rs1")
    return the_lab
