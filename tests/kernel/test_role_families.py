"""Roles make nothing of a family that no VIP has, so that a host may have IPv6 off; where a VIP has it, they say so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing
from namespace import Namespace
from role_play import play, state

pytestmark = pytest.mark.slow

VIPS = {"ipv4": ["203.0.113.10", "203.0.113.64/26"], "ipv6": ["2001:db8:f::10"]}
RIPS = {"ipv4": "10.0.0.11", "ipv6": "2001:db8:a::11"}

NO = "false"
"""A text, as `ansible-playbook -e director_persist=false` gives it."""


def declared(*families: str) -> list[dict[str, Any]]:
    vips = [vip for family in families for vip in VIPS[family]]
    realservers = [{"address": RIPS[family]} for family in families]
    return [{"name": "web", "mark": 1, "vips": vips, "ports": ["tcp/80"], "realservers": realservers}]


def director(delivery: str, *families: str) -> dict[str, Any]:
    found = {"director_services": declared(*families), "director_interfaces": ["v0"], "director_persist": NO}
    return {**found, "director_delivery": delivery, "director_packages": []}


def realserver(by: str, *families: str) -> dict[str, Any]:
    found = {"realserver_services": declared(*families), "realserver_persist": NO, "realserver_packages": []}
    # Where the tests run, /proc/sys is not a host's own to write files beside.
    return {**found, "realserver_vip_by": by, "realserver_arp_method": "nftables", "realserver_interface": "v0"}


def proxy(*families: str) -> dict[str, Any]:
    return {
        "transparent_proxy_interfaces": ["v0"],
        "transparent_proxy_when_down": "closed",
        "transparent_proxy_vips": [vip for family in families for vip in VIPS[family]],
        "transparent_proxy_persist": NO,
        "transparent_proxy_packages": [],
    }


# ip_vs is in guests alone, so of the director the parts that deliver.
PARTS = ("refusals", "rules", "routes", "addresses")
CASES: dict[str, Any] = {
    **{
        f"director {delivery}": lambda *families, delivery=delivery: ("director", director(delivery, *families), PARTS)
        for delivery in ("fwmark", "address")
    },
    **{
        f"realserver {by}": lambda *families, by=by: ("realserver", realserver(by, *families), ())
        for by in ("address", "rule")
    },
    "transparent proxy": lambda *families: ("transparent_proxy", proxy(*families), ()),
}


@pytest.fixture
def without_ipv6(netns: Namespace) -> Namespace:
    for level in ("all", "default"):
        netns.run("sysctl", "-q", f"net.ipv6.conf.{level}.disable_ipv6=1")
    return netns


def owned(netns: Namespace, family: str) -> list[str]:
    """What the roles have made of a family."""
    flag = {"ipv4": "-4", "ipv6": "-6"}[family]
    lines = [*netns.ip(f"{flag} rule").splitlines(), *netns.ip(f"{flag} route show table all").splitlines()]
    lines += netns.ip(f"{flag} -oneline address show dev lo").splitlines()
    return [line for line in lines if re.search(r"proto (117|118|121)|203\.0\.113|2001:db8:f:", line)]


def converge(netns: Namespace, folder: Path, case: Any, family: str, other: str) -> None:
    """The role's play, with VIPs of one family alone, makes nothing of the other."""
    role, variables, parts = case(family)
    done = play(netns, folder, role, variables, *parts)
    assert done.returncode == 0, done.stdout
    assert owned(netns, family)
    assert not owned(netns, other)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ipv4_alone_where_ipv6_is_off(without_ipv6: Namespace, tmp_path: Path, case: Any) -> None:
    converge(without_ipv6, tmp_path, case, "ipv4", "ipv6")
    role, variables, _parts = case("ipv4")
    if role == "transparent_proxy":
        again = play(without_ipv6, tmp_path, role, variables)
        assert again.returncode == 0, again.stdout
        assert "changed=0" in again.stdout
        done = play(without_ipv6, tmp_path, role, {**variables, f"{role}_state": "absent"})
        assert done.returncode == 0, done.stdout
        assert not owned(without_ipv6, "ipv4")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ipv6_alone(netns: Namespace, tmp_path: Path, case: Any) -> None:
    converge(netns, tmp_path, case, "ipv6", "ipv4")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ipv6_where_it_is_off_is_refused_before_any_change(without_ipv6: Namespace, tmp_path: Path, case: Any) -> None:
    role, variables, parts = case("ipv4", "ipv6")
    before = state(without_ipv6), without_ipv6.run("nft", "list", "ruleset")
    done = play(without_ipv6, tmp_path, role, variables, *parts)
    assert done.returncode == 2, done.stdout
    assert "needs IPv6, and it is off on lo (net.ipv6.conf.lo.disable_ipv6 is 1)." in done.stdout
    assert "changed=0" in done.stdout
    assert (state(without_ipv6), without_ipv6.run("nft", "list", "ruleset")) == before


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ip_local_route", {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "100"}),
        ("ip_local_route", {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "100", "type": "unreachable"}),
        ("ip_address", {"prefixes": ["203.0.113.10", "2001:db8:f::10"], "device": "v0"}),
    ],
)
def test_modules_predict_it(without_ipv6: Namespace, module: str, options: dict[str, Any], check: bool) -> None:
    with pytest.raises(Missing, match=r"needs IPv6, and it is off on (lo|v0) .* Remedy: switch it on there, or"):
        without_ipv6.call(module, **options, check=check)
    assert not owned(without_ipv6, "ipv4")
