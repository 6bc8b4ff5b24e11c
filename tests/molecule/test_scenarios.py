"""Every molecule scenario, from nothing to nothing; the demonstration's own is in test_demonstration.py.

Two at a time, each in a lab of its own: a scenario waits for one guest most of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from environment import CHECKOUT
from tools import Tools

SCENARIOS = sorted({path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml")} - {"default"})
AT_ONCE = 2


@pytest.fixture(scope="module")
def runs(tools: Tools, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[None]]]:
    """The scenarios that are asked for, under way."""
    asked = [item.callspec.params["scenario"] for item in request.session.items if _is_scenario(item)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {scenario: pool.submit(_test, tools, scenario) for scenario in asked}


def _is_scenario(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.function is test_scenario


def _test(tools: Tools, scenario: str) -> None:
    command = ["molecule", "test", "--scenario-name", scenario]
    tools.watch(scenario, command, CHECKOUT, LVS_LAB_NAME=f"lvslab-{scenario}")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(runs: Mapping[str, Future[None]], scenario: str) -> None:
    runs[scenario].result()
