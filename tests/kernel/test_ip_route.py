"""The module ip_route against the kernel. What it shares with ip_local_route is tried there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, KernelError, LvsError, Refused
from ansible_collections.lvs.vipless.plugins.modules import ip_route
from namespace import Namespace

VIPS = {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "device": "v0"}
HOPS = ["10.0.0.3", "2001:db8:a::3"]
OTHER_HOPS = ["10.0.0.4", "2001:db8:a::4"]


def shown(netns: Namespace) -> list[tuple[str, str, str]]:
    """Destination, next hop and device of the routes with our number, as ip shows them."""
    found = [route for family in ("-4", "-6") for route in netns.ip_json(f"{family} route show table all proto 117")]
    return [(one["dst"], one.get("gateway", ""), one["dev"]) for one in found]


def test_a_next_hop_of_each_family(netns: Namespace) -> None:
    predicted = netns.call("ip_route", check=True, **VIPS, gateways=HOPS)
    assert shown(netns) == []
    assert netns.call("ip_route", **VIPS, gateways=HOPS) == predicted
    assert predicted["changes"] == [
        "add ipv4 unicast 203.0.113.0/24 via 10.0.0.3 dev v0 table main proto 117",
        "add ipv6 unicast 2001:db8:f::/64 via 2001:db8:a::3 dev v0 table main proto 117 metric 1024",
    ]
    assert shown(netns) == [("203.0.113.0/24", HOPS[0], "v0"), ("2001:db8:f::/64", HOPS[1], "v0")]
    assert not netns.call("ip_route", **VIPS, gateways=HOPS)["changed"]
    assert netns.call("ip_route", **VIPS, gateways=HOPS, state="absent")["changed"]
    assert shown(netns) == []


def test_another_next_hop_takes_its_place(netns: Namespace) -> None:
    netns.call("ip_route", **VIPS, gateways=HOPS)
    changes = netns.call("ip_route", **VIPS, gateways=OTHER_HOPS)["changes"]
    assert [change.split()[0] for change in changes] == ["change", "change"]
    assert shown(netns) == [("203.0.113.0/24", OTHER_HOPS[0], "v0"), ("2001:db8:f::/64", OTHER_HOPS[1], "v0")]


def test_on_the_link(netns: Namespace) -> None:
    netns.call("ip_route", **VIPS)
    assert shown(netns) == [("203.0.113.0/24", "", "v0"), ("2001:db8:f::/64", "", "v0")]
    assert not netns.call("ip_route", **VIPS)["changed"]
    netns.call("ip_route", **VIPS, gateways=HOPS)
    netns.call("ip_route", **VIPS)
    assert shown(netns) == [("203.0.113.0/24", "", "v0"), ("2001:db8:f::/64", "", "v0")]
    netns.call("ip_route", **VIPS, state="absent")
    assert shown(netns) == []


EACH_OPTION: list[dict[str, Any]] = [
    {"prefixes": ["203.0.113.0/25"]},
    {"gateways": OTHER_HOPS},
    {"device": "v1", "gateways": None},
    {"table": "101"},
    {"metric": 7},
    {"advmss": 1400},
    {"protocol": "118"},
]


@pytest.mark.parametrize("change", EACH_OPTION, ids=str)
def test_each_option_changed_alone(netns: Namespace, change: dict[str, Any]) -> None:
    options = {**VIPS, "gateways": HOPS}
    changed = {name: value for name, value in {**options, **change}.items() if value is not None}
    netns.call("ip_route", **options)
    purge: dict[str, Any] = {"purge": True, "purge_protocol": "117"}
    if "protocol" in change:
        with pytest.raises(Refused, match="this host has 'ipv4 unicast"):
            netns.call("ip_route", routes=[changed], **purge)
        return
    predicted = netns.call("ip_route", check=True, routes=[changed], **purge)
    assert predicted["changed"]
    assert netns.call("ip_route", routes=[changed], **purge) == predicted
    assert not netns.call("ip_route", routes=[changed], **purge)["changed"]


def test_every_option_has_a_case() -> None:
    assert {next(iter(change)) for change in EACH_OPTION} == set(ip_route.OPTIONS)


def test_the_file_brings_it_back(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "routes.ip"
    options = {**VIPS, "gateways": HOPS, "advmss": 1400}
    netns.call("ip_route", **options, file=str(file))
    with Namespace() as other:
        for family in ("-4", "-6"):
            lines = "".join(f"{line[3:]}\n" for line in file.read_text().splitlines() if line.startswith(family))
            other.run("ip", family, "-batch", "-", stdin=lines)
        assert shown(other) == shown(netns)
        assert not other.call("ip_route", **options, file=str(file))["changed"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"prefixes": []}, BadInput, "prefixes: [] is empty: name at least one prefix."),
        ({"prefixes": ["203.0.113.1/24"]}, BadInput, "prefixes[0]: '203.0.113.1/24' "),
        ({"device": None}, BadInput, "device is missing: name the interface."),
        ({"device": "nope0"}, BadInput, "device: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"gateways": ["10.0.0.3"]}, BadInput, "prefixes[1]: '2001:db8:f::/64' has no next hop among gateways: "),
        ({"gateways": [*HOPS, "10.0.0.4"]}, BadInput, "gateways[2]: '10.0.0.4' is a second next hop of its family, "),
        ({"gateways": ["there"]}, BadInput, "gateways[0]: 'there' is not an IPv4 or IPv6 address."),
        ({"advmss": 65496}, BadInput, "advmss: 65496 is not between 0 and 65495."),
        ({"table": "local"}, BadInput, "table: 'local' holds what is delivered here, and no route that leads on."),
        ({"prefixes": ["0.0.0.0/0"]}, BadInput, "prefixes[0]: '0.0.0.0/0' is this host's default route, "),
        ({"prefixes": ["10.0.0.0/25"]}, Refused, "prefixes: '10.0.0.0/25' refused: it holds 10.0.0."),
        ({"prefixes": ["203.0.113.0/24"], "gateways": ["192.0.2.1"]}, KernelError, "Network is unreachable"),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(
    netns: Namespace, change: dict[str, Any], error: type[LvsError], message: str
) -> None:
    options = {name: value for name, value in {**VIPS, "gateways": HOPS, **change}.items() if value is not None}
    before = netns.ip("route show table all") + netns.ip("-6 route show table all")
    with pytest.raises(LvsError) as caught:
        netns.call("ip_route", **options)
    assert message in str(caught.value)
    assert isinstance(caught.value, error) or error is KernelError
    assert netns.ip("route show table all") + netns.ip("-6 route show table all") == before


def test_a_route_of_others_is_refused(netns: Namespace) -> None:
    netns.ip("route add 203.0.113.0/24 via 10.0.0.9")
    with pytest.raises(
        Refused, match=r"this host has 'ipv4 unicast 203\.0\.113\.0/24 via 10\.0\.0\.9 dev v0 table main"
    ):
        netns.call("ip_route", **VIPS, gateways=HOPS)
