"""A client that asks all the time sees no request fail while what delivers its packets is changed and re-applied."""

from __future__ import annotations

import time
from typing import Any

import pytest

from asking import asking
from namespace import Namespace
from states import COUNT, address
from traffic import connect, serving

pytestmark = pytest.mark.slow

SECONDS = 4
ENOUGH_CHANGES = 4
VIPS = {"v4": "203.0.113.10", "v6": "2001:db8:f:1::10"}
NETWORKS = ["203.0.113.0/27", "2001:db8:f:1::/120"]
OTHERS = [address(place) for place in range(COUNT)]
FEW = OTHERS[:10]

Steps = list[tuple[str, dict[str, Any]]]


def marks(mark: str, others: list[str], **more: Any) -> tuple[str, dict[str, Any]]:
    entries = [
        {"vips": list(VIPS.values()), "ports": ["tcp/80"], "mark": mark, **more},
        {"vips": others, "ports": ["tcp/80"], "mark": "0x10009"},
    ]
    return "fwmark", {"marks": entries, "purge": True}


def rules(table: str, others: list[str]) -> tuple[str, dict[str, Any]]:
    entries = [{"priority": 200, "to": other, "table": "100"} for other in others]
    delivery = {"priority": 100, "family": "both", "iif": "v0", "fwmark": "0x10000/0x10000", "table": table}
    return "ip_rule", {"rules": [delivery, *entries], "purge": True}


def routes(device: str, others: list[str]) -> tuple[str, dict[str, Any]]:
    entries = [
        *({"prefixes": ["0.0.0.0/0", "::/0"], "table": table, "device": device} for table in ("100", "101")),
        {"prefixes": others, "table": "100", "type": "blackhole"},
    ]
    return "ip_local_route", {"routes": entries, "purge": True}


CHANGES: dict[str, Steps] = {
    "the VIP's mark": [marks("0x10001", FEW), marks("0x10002/0x1ffff", FEW)],
    "the interface that the VIP's packets come in on": [marks("0x10001", FEW, iif="v0"), marks("0x10001", FEW)],
    "the VIP or its network": [marks("0x10001", FEW, vips=NETWORKS), marks("0x10001", FEW)],
    "the mark of the VIP's network": [
        marks("0x10001", FEW, vips=NETWORKS),
        marks("0x10002/0x1ffff", FEW, vips=NETWORKS),
    ],
    "a thousand other marks": [marks("0x10001", OTHERS), marks("0x10001", FEW)],
    "the table that delivers": [rules("100", FEW), rules("101", FEW)],
    "a thousand other rules": [rules("100", OTHERS[: COUNT // 2]), rules("100", FEW)],
    "the route that delivers": [routes("lo", FEW), routes("v0", FEW)],
    "a thousand other routes": [routes("lo", OTHERS), routes("lo", FEW)],
}


@pytest.mark.parametrize("steps", CHANGES.values(), ids=CHANGES)
def test_no_request_fails(netns: Namespace, steps: Steps) -> None:
    asked, failed = _ask_during(netns, steps)
    assert len(asked) > 100
    assert not failed


def test_a_gap_would_be_seen(netns: Namespace) -> None:
    gone = "fwmark", {"vips": list(VIPS.values()), "ports": ["tcp/80"], "state": "absent"}
    _asked, failed = _ask_during(netns, [gone, marks("0x10001", FEW)])
    assert failed


def _ask_during(netns: Namespace, steps: Steps) -> tuple[list[str], list[str]]:
    """The requests that were made while the steps were done again and again, and those of them that failed."""
    with Namespace() as client:
        connect(netns, client)
        for module, params in (routes("lo", FEW), rules("100", FEW), marks("0x10001", FEW)):
            netns.call(module, **params)
        with serving(netns), asking(client, [(vip, 80) for vip in VIPS.values()]) as (asked, failed):
            end = time.monotonic() + SECONDS
            changes = 0
            # A busy machine takes longer for as many changes.
            while time.monotonic() < end or changes <= ENOUGH_CHANGES:
                for module, params in steps:
                    changes += netns.call(module, **params)["changed"]
                    assert not netns.call(module, **params)["changed"]
    print(f"{changes} changes, {len(asked)} requests, {len(failed)} failed")
    return asked, failed
