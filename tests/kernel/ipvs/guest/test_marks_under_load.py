"""A client that asks all the time sees no request fail while the marks of its VIPs change, whatever this kernel shows
of a map while it changes: up to Linux 6.16 neither old nor new ranges."""

from __future__ import annotations

import time
from typing import Any

import pytest

from asking import asking
from namespace import Namespace
from traffic import connect, serving

SECONDS = 6
ENOUGH_CHANGES = 5
VIPS = ["203.0.113.10", "2001:db8:f:1::10"]
NETWORKS = ["203.0.113.0/27", "2001:db8:f:1::/120"]
# Enough for the kernel to take a while.
OTHERS = [f"198.18.{place >> 4 & 255}.{(place & 15) << 4}/28" for place in range(250)]
WHEREVER = {"vips": VIPS, "ports": ["tcp/80"], "mark": "0x10001"}
NETWORK = {**WHEREVER, "vips": NETWORKS}
MARK = "0x10000/0x10000"

CHANGES: dict[str, list[dict[str, Any]]] = {
    "the interface that they come in on": [WHEREVER, {**WHEREVER, "iif": "v0"}],
    "VIPs or their networks": [WHEREVER, NETWORK],
    "the mark of networks": [NETWORK, {**NETWORK, "mark": "0x10002/0x1ffff"}],
}


@pytest.mark.parametrize("steps", CHANGES.values(), ids=CHANGES)
def test_no_request_fails(steps: list[dict[str, Any]]) -> None:
    others = {"vips": OTHERS, "ports": ["tcp/80"]}
    with Namespace() as director, Namespace() as client:
        connect(director, client)
        director.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="100")
        director.call("ip_rule", family="both", priority=100, iif="v0", fwmark=MARK, table="100")
        director.call("fwmark", marks=steps[:1], purge=True)
        with serving(director), asking(client, [(vip, 80) for vip in VIPS]) as (asked, failed):
            end = time.monotonic() + SECONDS
            changes = 0
            # A busy machine takes longer for as many changes.
            while time.monotonic() < end or changes <= ENOUGH_CHANGES:
                for place, step in enumerate(steps):
                    marks = [step, {**others, "mark": f"0x1000{8 + place}"}]
                    changes += director.call("fwmark", marks=marks, purge=True)["changed"]
    assert len(asked) > 20
    assert not failed
