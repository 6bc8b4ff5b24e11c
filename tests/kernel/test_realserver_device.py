"""VIPs on a device of their own, and what the kernel takes away with them. Real plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import play

VIPS = ["203.0.113.10", "203.0.113.20", "2001:db8:f::10"]
REALSERVERS = [{"address": "10.0.0.11"}, {"address": "2001:db8:a::11"}]
VARIABLES: dict[str, Any] = {
    "realserver_services": [
        {"name": "web", "mark": 1, "vips": VIPS, "ports": ["tcp/80"], "realservers": REALSERVERS},
    ],
    "realserver_arp_method": "nftables",
    "realserver_packages": [],
    "realserver_persist": False,
    "realserver_device": "v1",
}


def accepting(netns: Namespace) -> dict[str, list[str]]:
    """By which devices each VIP is accepted."""
    routes = [*netns.ip_json("-4 route show table local"), *netns.ip_json("-6 route show table local")]
    return {vip: sorted(one["dev"] for one in routes if one["dst"] == vip) for vip in VIPS}


def test_the_last_ipv4_address_takes_all_routes_of_its_device(netns: Namespace) -> None:
    """fib_inetaddr_event() in net/ipv4/fib_frontend.c; not so in IPv6."""
    netns.call("ip_address", prefixes=VIPS, device="v1")
    netns.call("ip_local_route", prefixes=VIPS, device="v1", metric=1024)
    netns.call("ip_address", prefixes=VIPS, device="v1", state="absent")
    assert accepting(netns) == {VIPS[0]: [], VIPS[1]: [], VIPS[2]: ["v1"]}


@pytest.mark.slow
def test_local_routes_stay_where_addresses_go(netns: Namespace, tmp_path: Path) -> None:
    for way, devices in (("address", ["v1"]), ("anyip", ["lo"]), ("address", ["v1"])):
        done = play(netns, tmp_path, "realserver", {**VARIABLES, "realserver_vip_by": way})
        assert done.returncode == 0, done.stdout
        assert accepting(netns) == dict.fromkeys(VIPS, devices)
