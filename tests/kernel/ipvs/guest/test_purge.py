"""What is removed, and what stays because it belongs to others."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import listed, meant

from namespace import Namespace

SERVERS = [{"address": "10.0.0.11"}, {"address": "10.0.0.12"}]
OURS: dict[str, Any] = {"fwmark": "0x10001", "family": "ipv4", "destinations": SERVERS}
OURS_V6: dict[str, Any] = {"fwmark": "0x10001", "family": "ipv6", "destinations": [{"address": "2001:db8:a::11"}]}
BIT = {"fwmark": "0x30002", "family": "ipv6"}
OTHER_MARK = {"fwmark": "0x20001", "family": "ipv4", "destinations": SERVERS}
WEB = {"vip": "203.0.113.10", "protocol": "tcp", "port": 80, "destinations": SERVERS}
DNS = {"vip": "2001:db8:f::10", "protocol": "udp", "port": 53}
ALL = [OURS, OURS_V6, BIT, OTHER_MARK, WEB, DNS]


@pytest.fixture
def full(netns: Namespace) -> Namespace:
    netns.call("ipvs_service", services=ALL)
    assert listed(netns) == meant(ALL)
    return netns


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"services": [WEB]}, ALL),
        ({"services": [WEB], "purge": True}, [WEB]),
        ({"services": [], "purge": True}, []),
        ({"services": [OURS], "purge": True, "purge_fwmarks": "0x10000/0x10000"}, [OURS, OTHER_MARK, WEB, DNS]),
        ({"services": [OURS], "purge": True, "purge_fwmarks": "0x10000/0x30000"}, [OURS, BIT, OTHER_MARK, WEB, DNS]),
        ({"services": [], "purge": True, "purge_fwmarks": "0x20001"}, [OURS, OURS_V6, BIT, WEB, DNS]),
        ({"services": [], "purge": True, "purge_fwmarks": "0x40000/0x40000"}, ALL),
        ({"services": [WEB, BIT], "state": "absent"}, [OURS, OURS_V6, OTHER_MARK, DNS]),
    ],
)
def test_services(full: Namespace, options: dict[str, Any], left: list[dict[str, Any]]) -> None:
    predicted = full.call("ipvs_service", check=True, **options)
    assert listed(full) == meant(ALL)
    assert full.call("ipvs_service", **options) == predicted
    assert listed(full) == meant(left)
    assert not full.call("ipvs_service", **options)["changed"]


def test_what_is_left_for_later_is_told(full: Namespace) -> None:
    """Destinations go at once; services stay until a later task takes them by what was told."""
    fewer = {**OURS, "destinations": SERVERS[:1]}
    options: dict[str, Any] = {"services": [fewer], "purge": True, "purge_later": True}
    predicted = full.call("ipvs_service", check=True, **options)
    assert full.call("ipvs_service", **options) == predicted
    assert listed(full) == meant([fewer, *ALL[1:]])
    surplus = predicted["surplus"]
    assert {"family": "ipv4", "vip": "203.0.113.10", "protocol": "tcp", "port": 80} in surplus
    assert len(surplus) == len(ALL) - 1
    assert full.call("ipvs_service", services=surplus, state="absent")["changed"]
    assert listed(full) == meant([fewer])
    assert full.call("ipvs_service", **options)["surplus"] == []


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"destinations": SERVERS[:1]}, SERVERS[:1]),
        ({"destinations": []}, []),
        ({}, SERVERS),
        ({"destinations": SERVERS[:1], "purge_destinations": False}, SERVERS),
        (
            {"destinations": [{"address": "10.0.0.12", "weight": 5}], "purge_destinations": False},
            [SERVERS[0], {"address": "10.0.0.12", "weight": 5}],
        ),
    ],
)
def test_destinations(full: Namespace, options: dict[str, Any], left: list[dict[str, Any]]) -> None:
    service = {name: value for name, value in WEB.items() if name != "destinations"}
    full.call("ipvs_service", **service, **options)
    assert listed(full) == meant([OURS, OURS_V6, BIT, OTHER_MARK, {**service, "destinations": left}, DNS])


def test_a_kernel_that_holds_nothing_has_nothing_to_purge(unloaded: Namespace) -> None:
    for check in (True, False):
        assert not unloaded.call("ipvs_service", check=check, services=[], purge=True)["changed"]
        assert not unloaded.call("ipvs_service", check=check, services=[WEB], state="absent")["changed"]
    assert not unloaded.call("ipvs_info")["loaded"]
