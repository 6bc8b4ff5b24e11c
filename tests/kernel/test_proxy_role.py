"""The role transparent_proxy refuses bad input before it changes anything. A real play, as for the director."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import play, state

GOOD: dict[str, Any] = {
    "transparent_proxy_interfaces": ["v0"],
    "transparent_proxy_when_down": "closed",
    # The machine that runs the tests is not the host to install on.
    "transparent_proxy_packages": [],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"when_down": None}, "transparent_proxy_when_down"),
        ({"interfaces": ["eth7"]}, "iif: 'eth7' is not an interface of this host; it has lo, v0, v1."),
        ({"spoof": True}, "transparent_proxy_spoof needs transparent_proxy_method tproxy, and"),
        (
            {"daemon": "haproxy", "method": "redirect"},
            "transparent_proxy_vips has IPv6 (0.0.0.0/0, ::/0), and haproxy cannot tell whom an IPv6 client meant",
        ),
        ({"method": "redirect", "when_down": "open"}, "when_down: 'open' is nothing that method redirect can do"),
        ({"entries": [{"vips": ["0.0.0.0/0"], "ports": ["tcp/80"]}]}, "entries[0].when_down is missing"),
    ],
)
def test_bad_input_changes_nothing(netns: Namespace, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    before = state(netns)
    changed = {f"transparent_proxy_{name}": value for name, value in change.items()}
    variables = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    done = play(netns, tmp_path, "transparent_proxy", variables)
    assert done.returncode == 2
    assert message in done.stdout
    assert "changed=0" in done.stdout
    assert state(netns) == before
    assert "lvs_tproxy" not in netns.run("nft", "list", "tables")


@pytest.mark.parametrize("exclude", [None, ["172.16.0.0/12", "2001:db8:b::/64"]])
def test_destinations_that_clients_may_not_reach_through_the_host(
    netns: Namespace, tmp_path: Path, exclude: list[str] | None
) -> None:
    by_default = ["169.254.0.0/16", "100.100.100.200", "fe80::/10", "fd00:ec2::254"]
    own = {"transparent_proxy_exclude": exclude} if exclude else {}
    done = play(netns, tmp_path, "transparent_proxy", {**GOOD, **own, "transparent_proxy_persist": False})
    listed = netns.run("nft", "list", "table", "inet", "lvs_tproxy")
    assert [one for one in (exclude or by_default) if f"daddr {one} return" not in listed] == [], done.stdout
