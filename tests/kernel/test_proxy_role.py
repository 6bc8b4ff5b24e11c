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
