"""A protocol number tells whose an object is: nobody else's is taken for ours, and modules leave each other's alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import role_play
from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace

# Of include/uapi/linux/rtnetlink.h; 196 is FRR's alone.
OTHERS = ("kernel", "boot", "static", "1", "2", "3", "4", "9", "12", "16", "42", "0x10", "186", "192", "196")
ONE: dict[str, dict[str, Any]] = {
    "ip_rule": {"priority": 100, "family": "ipv4", "to": ["203.0.113.0/24"], "table": "100"},
    "ip_local_route": {"prefixes": ["203.0.113.0/24"], "table": "100"},
    "ip_route": {"prefixes": ["203.0.113.0/24"], "gateways": ["10.0.0.9"], "device": "v0"},
    "ip_address": {"prefixes": ["203.0.113.10"]},
    "static_neighbor": {"address": "10.0.0.9", "device": "v0", "mac": "02:00:5e:10:00:21"},
}
LISTS = {
    "ip_rule": "rules",
    "ip_local_route": "routes",
    "ip_route": "routes",
    "ip_address": "addresses",
    "static_neighbor": "neighbors",
}
SERVICES = [
    {"name": "web", "mark": 1, "vips": ["203.0.113.10"], "ports": ["tcp/80"], "realservers": [{"address": "10.0.0.11"}]}
]
ROLES: dict[str, dict[str, Any]] = {
    "director": {"director_services": SERVICES, "director_interfaces": ["v0"]},
    "realserver": {"realserver_services": SERVICES, "realserver_interface": "v0", "realserver_vip_by": "anyip"},
    "router": {
        "router_services": SERVICES,
        "router_device": "v0",
        "router_next_hops": ["10.0.0.9"],
    },
    "transparent_proxy": {
        "transparent_proxy_interfaces": ["v0"],
        "transparent_proxy_when_down": "closed",
        "transparent_proxy_vips": ["203.0.113.0/24"],
    },
}


def state(netns: Namespace) -> list[Any]:
    found = [*role_play.state(netns), netns.ip_json("address show"), netns.ip_json("neighbour show nud permanent")]
    # The kernel adds the multicast route of an interface a moment after the interface.
    return [[one for one in listed if one.get("dst") != "ff00::/8"] for listed in found]


@pytest.mark.parametrize("number", OTHERS)
@pytest.mark.parametrize("module", ONE)
def test_numbers_of_others_are_refused(netns: Namespace, module: str, number: str) -> None:
    before = state(netns)
    for options, option in (
        ({**ONE[module], "protocol": number}, "protocol"),
        ({LISTS[module]: [], "purge": True, "purge_protocol": number}, "purge_protocol"),
    ):
        with pytest.raises(BadInput, match=rf"^{option}: .*{number}.* is .* number.*such as 117"):
            netns.call(module, **options)
    assert state(netns) == before


@pytest.mark.parametrize("module", ONE)
@pytest.mark.parametrize("number", ["5", "19", "117", "255"])
def test_numbers_that_nobody_has_are_taken(netns: Namespace, module: str, number: str) -> None:
    made = netns.call(module, **ONE[module], protocol=number)
    assert made["changed"]
    assert netns.call(module, **{LISTS[module]: [], "purge": True, "purge_protocol": number})["changed"]


def test_a_purge_takes_what_its_module_makes(netns: Namespace) -> None:
    """Local routes, and routes to next hops, of one number: each module has its own."""
    for module in ("ip_local_route", "ip_route"):
        options = {**ONE[module], "prefixes": ["198.51.100.0/24"], **({"table": "7"} if module == "ip_route" else {})}
        netns.call(module, **options)
    netns.ip("route add throw 192.0.2.0/24 table 7 proto 117")
    before = role_play.state(netns)
    for module, other in (("ip_route", "ip_local_route"), ("ip_local_route", "ip_route")):
        told = netns.call(module, routes=[], purge=True, check=True)
        assert ["via" in line for line in told["changes"]] == [module == "ip_route"]
        assert netns.call(other, **{**ONE[other], "prefixes": ["203.0.113.0/24"]}, check=True)["changed"]
    assert role_play.state(netns) == before
    for module in ("ip_route", "ip_local_route"):
        netns.call(module, routes=[], purge=True)
    assert [route["type"] for route in netns.ip_json("route show table all proto 117")] == ["throw"]


def test_objects_without_an_owner_stay(netns: Namespace) -> None:
    """Protocol 0 is nobody's, and no run without purge removes anything that it does not name."""
    netns.ip("rule add priority 50 to 203.0.113.7 table 7 protocol 0")
    netns.ip("route add local 203.0.113.7 dev lo table 7 proto 0")
    for module in ("ip_rule", "ip_local_route"):
        netns.call(module, **ONE[module])
        netns.call(module, **{LISTS[module]: []}, purge=True)
    assert netns.ip("rule show priority 50")
    assert netns.ip("route show table 7")


@pytest.mark.parametrize("role", ROLES)
def test_roles_refuse_before_any_change(netns: Namespace, tmp_path: Path, role: str) -> None:
    before = state(netns)
    for name in [f"{role}_protocol"] + (["realserver_next_hop_protocol"] if role == "realserver" else []):
        done = role_play.play(netns, tmp_path, role, {**ROLES[role], f"{role}_packages": [], name: "boot"})
        assert done.returncode == 2, done.stdout
        assert "'boot' is ip(8)'s own number" in done.stdout
        assert "changed=0" in done.stdout
        assert state(netns) == before
