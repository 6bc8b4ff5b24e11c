"""A client that asks all the time sees no request fail while what balances them is changed and re-applied."""

from __future__ import annotations

import time
from typing import Any

import pytest
from clients import VIP, pair

from asking import asking
from namespace import Namespace
from traffic import connect, serving

SECONDS = 5
ENOUGH_CHANGES = 2
OTHER_RIP = "10.0.0.3"
SERVICE, DESTINATION = pair()
SERVICE["port"] = 80
BOTH = [DESTINATION, {**DESTINATION, "address": OTHER_RIP}]
DRAINED = [DESTINATION, {**DESTINATION, "address": OTHER_RIP, "weight": 0}]

CHANGES: dict[str, list[dict[str, Any]]] = {
    "weights": [{"destinations": BOTH}, {"destinations": DRAINED}],
    # One with connections is drained before it goes, as its connections end with it.
    "destinations": [
        {"destinations": BOTH},
        {"destinations": DRAINED},
        {"destinations": [DESTINATION], "purge_destinations": True},
    ],
    "persistence": [{"destinations": BOTH, "persistent": 30}, {"destinations": BOTH}],
}


@pytest.mark.parametrize("steps", CHANGES.values(), ids=CHANGES)
def test_no_request_fails(steps: list[dict[str, Any]]) -> None:
    asked, failed = _ask_during([{**SERVICE, **step} for step in steps])
    assert len(asked) > 20
    assert not failed


def test_a_gap_would_be_seen() -> None:
    _asked, failed = _ask_during([{**SERVICE, "state": "absent"}, {**SERVICE, "destinations": BOTH}])
    assert failed


def _ask_during(steps: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The requests that were made while the steps were done again and again, and those of them that failed."""
    with Namespace() as director, Namespace() as client:
        connect(director, client)
        for address in (f"{VIP}/32 dev lo", f"{OTHER_RIP}/24 dev v0"):
            director.ip(f"address add {address}")
        director.call("ipvs_service", **SERVICE, destinations=BOTH)
        with serving(director, DESTINATION["port"]), asking(client, [(VIP, 80)]) as (asked, failed):
            end = time.monotonic() + SECONDS
            changes = 0
            # A busy machine takes longer for as many changes.
            while time.monotonic() < end or changes <= ENOUGH_CHANGES:
                for step in steps:
                    changes += director.call("ipvs_service", **step)["changed"]
                    assert not director.call("ipvs_service", **step)["changed"]
                    _ask_twice_more(asked)
    return asked, failed


def _ask_twice_more(asked: list[str]) -> None:
    """Then the request that was open has ended."""
    until = len(asked) + 2
    while len(asked) < until:
        time.sleep(0.01)
