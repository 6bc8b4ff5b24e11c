"""The module ip_local_route_info against the kernel: what it tells is what ``ip -j -d route`` shows."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.modules import ip_local_route_info
from namespace import Namespace, call, without_net_admin

ROUTES: list[dict[str, Any]] = [
    {"prefixes": ["0.0.0.0/0", "::/0"], "table": "100"},
    {"prefixes": ["203.0.113.0/24", "203.0.113.10/32"], "source": "10.0.0.2", "device": "v0", "metric": 7},
    {"prefixes": ["2001:db8:f::/64"], "table": "main", "type": "unreachable", "protocol": "118"},
    {"prefixes": ["198.18.0.0/15"], "table": "300", "type": "prohibit", "protocol": "119"},
]
# What is left where each option is given a value.
NARROWED = {
    "family": ("ipv6", ["::/0", "2001:db8:f::/64"]),
    "table": ("100", ["0.0.0.0/0", "::/0"]),
    "protocol": ("118", ["2001:db8:f::/64"]),
    "type": (["prohibit", "blackhole"], ["198.18.0.0/15"]),
}


def prefixes(result: dict[str, Any]) -> list[str]:
    return sorted(prefix for entry in result["routes"] for prefix in entry["prefixes"])


def listed(netns: Namespace) -> list[str]:
    """Sorted: the kernel's own multicast routes stand in the order in which the interfaces came up."""
    return sorted(str(route) for family in ("-4", "-6") for route in netns.ip_json(f"{family} route show table all"))


def test_what_it_tells_can_be_given_back(netns: Namespace) -> None:
    netns.call("ip_local_route", routes=ROUTES)
    found = netns.call("ip_local_route_info")
    assert not found["changed"]
    assert prefixes(found) == sorted(prefix for entry in ROUTES for prefix in entry["prefixes"])
    assert not netns.call("ip_local_route", routes=found["routes"], purge=True)["changed"]
    with Namespace() as other:
        other.call("ip_local_route", routes=found["routes"], purge=True)
        assert listed(other) == listed(netns)


def test_routes_alike_are_one_entry(netns: Namespace) -> None:
    netns.call("ip_local_route", routes=ROUTES[1:2])
    found = netns.call("ip_local_route_info")
    assert found["routes"] == [{**ROUTES[1], "table": "local", "type": "local", "protocol": "117"}]
    assert found["lines"] == [
        f"ipv4 local {prefix} dev v0 table local proto 117 metric 7 src 10.0.0.2" for prefix in ROUTES[1]["prefixes"]
    ]


@pytest.mark.parametrize("option", ip_local_route_info.SPEC.options)
def test_each_option_narrows(netns: Namespace, option: str) -> None:
    netns.call("ip_local_route", routes=ROUTES)
    value, left = NARROWED[option]
    assert prefixes(netns.call("ip_local_route_info", **{option: value})) == sorted(left)


def test_others_are_told_of_where_they_are_asked_for(netns: Namespace) -> None:
    assert netns.call("ip_local_route_info")["routes"] == []
    (gateway,) = netns.call("ip_local_route_info", family="ipv4", type=["unicast"])["routes"]
    assert gateway == {
        "prefixes": ["0.0.0.0/0"],
        "table": "main",
        "type": "unicast",
        "device": "v0",
        "protocol": "boot",
        "gateway": "10.0.0.1",
    }
    kernels = netns.call("ip_local_route_info", family="ipv4", protocol="kernel")
    shown = netns.ip_json("-4 route show table local type local proto kernel")
    assert prefixes(kernels) == sorted(r["dst"] if "/" in r["dst"] else f"{r['dst']}/32" for r in shown)


def test_needs_no_privilege(netns: Namespace) -> None:
    netns.call("ip_local_route", routes=ROUTES)
    with netns.entered(), without_net_admin():
        assert len(prefixes(call("ip_local_route_info"))) == 6


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("table", "nowhere", "table: 'nowhere' is not a whole number."),
        ("protocol", "300", "protocol: '300' is not between 1 and 255."),
    ],
)
def test_bad_input_is_one_clear_error(netns: Namespace, option: str, value: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("ip_local_route_info", **{option: value})
    assert str(caught.value) == message
