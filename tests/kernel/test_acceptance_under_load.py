"""A realserver changes from one way of accepting the VIPs to another, and no request fails."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from asking import asking
from namespace import Namespace
from traffic import connect, serving

pytestmark = pytest.mark.slow

SECONDS = 5
ENOUGH_CHANGES = 10
VIPS = ["203.0.113.10", "2001:db8:f::10"]
OWN = {"purge": True, "purge_protocol": "118"}


def routes(entries: list[dict[str, Any]], *, purge: bool = True) -> tuple[str, dict[str, Any]]:
    return "ip_local_route", {"routes": entries, **(OWN if purge else {})}


def rules(vips: list[str]) -> tuple[str, dict[str, Any]]:
    entry = {"to": vips, "priority": 118, "table": "118", "protocol": "118"}
    return "ip_rule", {"rules": [entry] if vips else [], **OWN}


def address(vips: list[str]) -> tuple[str, dict[str, Any]]:
    entry = {"prefixes": vips, "device": "lo", "protocol": 118}
    return "ip_address", {"addresses": [entry] if vips else [], "purge": True, "purge_protocol": 118}


# With the metric of the role: the kernel has a local route of metric 0 for each address.
ANYIP = [{"prefixes": VIPS, "device": "lo", "protocol": "118", "metric": 1024}]
TABLE = [{"prefixes": ["0.0.0.0/0", "::/0"], "table": "118", "protocol": "118"}]


def test_no_request_fails(netns: Namespace, tmp_path: Path) -> None:
    """As the role does it: what is wanted comes before the other goes."""
    ways = [
        (address(VIPS), rules([]), routes([])),
        (routes(ANYIP), rules([]), address([])),
        (routes(TABLE, purge=False), rules(VIPS), address([]), routes(TABLE)),
        (routes(ANYIP), rules([]), address([])),
    ]
    files = {module: str(tmp_path / module) for module in ("ip_address", "ip_local_route", "ip_rule")}
    changes = 0
    with Namespace() as client:
        connect(netns, client)
        netns.call(routes(ANYIP)[0], **routes(ANYIP)[1], file=files["ip_local_route"])
        with serving(netns), asking(client, [(vip, 80) for vip in VIPS]) as (asked, failed):
            end = time.monotonic() + SECONDS
            # A busy machine takes longer for as many changes.
            while time.monotonic() < end or changes <= ENOUGH_CHANGES:
                for way in ways:
                    for module, params in way:
                        changes += netns.call(module, **params, file=files[module])["changed"]
                        # Long enough to see what is lost between the two steps.
                        time.sleep(0.1)
    assert len(asked) > 100
    assert not failed
