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
EXAMPLES = {"quick": 10, "ci": 60, "nightly": 1000}
PROFILE = os.environ.get("LVS_PROFILE", "quick" if "--quick" in sys.argv else "ci")
for name, count in EXAMPLES.items():
    hypothesis.settings.register_profile(name, deadline=None, max_examples=count)
hypothesis.settings.load_profile(PROFILE)

# What --quick leaves out.
SLOW = ("slow", "lab", "molecule")

# A test that takes so long hangs, on a machine that is slow and busy too; so does a work three times as long.
SECONDS = 15 * max(60, EXAMPLES[PROFILE])


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "what can be proven in five minutes: no virtual machine, no test marked slow, few examples of each property"
    parser.addoption("--quick", action="store_true", help=what)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its folder's name, so that `-m "not molecule"` chooses. Those that wait come last."""
    items.sort(key=lambda item: item.get_closest_marker("background") is not None)
    for item in items:
        # Those that wait do so for a program, whose time is limited: tools.py.
        item.add_marker(pytest.mark.timeout(0 if item.get_closest_marker("background") else SECONDS))
        if item.path.is_relative_to(TESTS):
            item.add_marker(item.path.relative_to(TESTS).parts[0])
    if config.getoption("quick"):
        left_out = {item for item in items if any(map(item.get_closest_marker, SLOW))}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def machine() -> environment.Environment:
    """Return the set-up that tests/run made; a pytest that was started without it makes it here."""
    return environment.ensure()


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest, machine: environment.Environment) -> Iterator[Tools]:
    with terminal(request.config.pluginmanager.getplugin("capturemanager")) as shown:
        yield Tools(machine, shown, 3 * SECONDS)


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
