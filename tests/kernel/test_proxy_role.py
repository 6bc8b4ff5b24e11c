"""The role transparent_proxy refuses bad input before it changes anything. A real play, on a namespace of this machine."""

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
        ({"interfaces": None}, "transparent_proxy_interfaces"),
        ({"when_down": None}, "transparent_proxy_when_down"),
        ({"when_down": "ajar"}, "value of transparent_proxy_when_down must be one of: open, closed, got: ajar"),
        ({"interfaces": ["eth7"]}, "iif: 'eth7' is not an interface of this host; it has lo, v0, v1."),
        ({"spoof": True}, "transparent_proxy_spoof needs transparent_proxy_method tproxy, and"),
        (
            {"spoof": True, "method": "redirect", "upstream_interfaces": ["v0"]},
            "transparent_proxy_spoof needs transparent_proxy_method tproxy, and",
        ),
        (
            {"daemon": "haproxy", "method": "redirect"},
            "transparent_proxy_vips has IPv6 (0.0.0.0/0, ::/0), and haproxy cannot tell whom an IPv6 client meant",
        ),
        ({"method": "redirect", "when_down": "open"}, "when_down: 'open' is nothing that method redirect can do"),
        ({"vips": ["10.0.0.1/24"]}, "entries[0].vips[0]: '10.0.0.1/24' has host bits set; the prefix is 10.0.0.0/24."),
        ({"ports": ["icmp"], "vips": ["0.0.0.0/0"]}, "entries[0].ports: 'icmp' has no socket to be given to"),
        ({"port": 70000}, "entries[0].to_port: 70000 is not between 1 and 65535."),
        (
            {"addresses": ["127.0.0.1"]},
            "entries[0].to_addresses: ['127.0.0.1'] has no ipv6 address, and the VIPs have.",
        ),
        ({"mark": "0x20000/0x10000"}, "0x20000/0x10000' has bits outside its mask"),
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
