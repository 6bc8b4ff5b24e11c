"""What every test stands on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import environment
import time_table
from background import Background, asked_for, begun
from tools import Tools, terminal

TESTS = Path(__file__).resolve().parent

# Tests and module code import the collection by its full name, as Ansible does.
sys.path.insert(0, str(environment.link_collection()))

# A busy machine is slow, which says nothing about the code. LVS_PROFILE=nightly looks at many times as many examples.
hypothesis.settings.register_profile("ci", deadline=None, max_examples=60)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("LVS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its folder's name, so that `-m "not molecule"` chooses. Those that wait come last."""
    items.sort(key=lambda item: item.get_closest_marker("background") is not None)
    for item in items:
        if item.path.is_relative_to(TESTS):
            item.add_marker(item.path.relative_to(TESTS).parts[0])


@pytest.fixture(scope="session")
def machine() -> environment.Environment:
    """Return the set-up that tests/run made; a pytest that was started without it makes it here."""
    return environment.ensure()


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest, machine: environment.Environment) -> Iterator[Tools]:
    with terminal(request.config.pluginmanager.getplugin("capturemanager")) as shown:
        yield Tools(machine, shown)


@pytest.fixture(scope="session", autouse=True)
def background(request: pytest.FixtureRequest) -> Iterator[Background]:
    """What chosen tests look at, under way from the first test on."""
    works = asked_for(request.session.items)
    with begun(works, request.getfixturevalue("tools") if works else None) as made:
        request.config.stash[time_table.WORKS] = made.seconds
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("where the time went")
    for line in time_table.lines(terminalreporter.stats, config.stash.get(time_table.WORKS, {})):
        terminalreporter.write_line(line)
