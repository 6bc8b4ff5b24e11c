"""What the director of a declaration sends in tunnels, its realservers take out, or they refuse the declaration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import role_play
from namespace import Namespace

IPIP = {"name": "tunl0", "type": "ipip"}


def tunnelled(vips: list[str], *types: str) -> dict[str, Any]:
    """Variables with a service whose realservers have these tunnel types, or none where that is empty."""
    realservers = [
        {
            "address": f"10.0.0.1{place}" if ":" not in vips[0] else f"2001:db8:a::1{place}",
            **({"tunnel_type": one} if one else {}),
        }
        for place, one in enumerate(types)
    ]
    service = {"name": "web", "mark": 1, "ports": ["udp/53"], "forwarding": "tunnel"}
    return {"realserver_services": [{**service, "vips": vips, "realservers": realservers}]}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (tunnelled(["203.0.113.53"], "gue"), "gue"),
        (tunnelled(["203.0.113.53"], "", "gre"), "gre"),
        (tunnelled(["2001:db8:f::53"], "gre"), "ip6gre"),
        ({**tunnelled(["2001:db8:f::53"], "ipip"), "realserver_tunnels": [IPIP]}, "ip6tnl"),
    ],
    ids=["gue", "one of two", "IPv6", "the other family"],
)
def test_what_nothing_takes_out_is_refused(
    netns: Namespace, tmp_path: Path, given: dict[str, Any], missing: str
) -> None:
    before = role_play.state(netns)
    done = role_play.play(netns, tmp_path, "realserver", {**given, "realserver_packages": []})
    assert done.returncode == 2
    assert f"realserver_tunnels has no interface of type {missing}." in " ".join(done.stdout.split())
    assert role_play.state(netns) == before


@pytest.mark.parametrize(
    "given",
    [
        tunnelled(["203.0.113.53"], "", "ipip"),
        {**tunnelled(["203.0.113.53"], "gre"), "realserver_tunnels": [{"name": "gre0", "type": "gre"}]},
        {**tunnelled(["203.0.113.53"], "gue"), "realserver_tunnels": []},
    ],
    ids=["ipip", "gre", "made by others"],
)
def test_what_is_taken_out_is_taken(netns: Namespace, tmp_path: Path, given: dict[str, Any]) -> None:
    done = role_play.play(netns, tmp_path, "realserver", given, "refusals.yml")
    assert done.returncode == 0, done.stdout
