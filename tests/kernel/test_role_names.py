"""A name that nothing can have is refused by each role before it changes anything. Real plays, as for the director."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import play, state

SERVICES = [
    {"name": "web", "mark": 1, "vips": ["203.0.113.10"], "ports": ["tcp/80"], "realservers": [{"address": "10.0.0.11"}]}
]
ROLES: dict[str, dict[str, Any]] = {
    "realserver": {"realserver_services": SERVICES, "realserver_interface": "v0", "realserver_vip_by": "anyip"},
    "router": {"router_services": SERVICES, "router_device": "v0", "router_next_hops": ["10.0.0.9"]},
    "transparent_proxy": {"transparent_proxy_interfaces": ["v0"], "transparent_proxy_when_down": "closed"},
}


@pytest.mark.parametrize(
    ("role", "name", "value", "reason"),
    [
        # With "-hops", the unit of its next hops.
        ("realserver", "unit", "a" * 28, "is not a name of lower-case letters, digits, - and _, at most 32."),
        ("realserver", "arp_file", "/etc/sysctl.d/90-web", "would not be read at boot"),
        ("realserver", "tunnel_file", "90-web.conf", "is not an absolute path"),
        ("router", "unit", "Web", "is not a name of lower-case letters"),
        ("transparent_proxy", "unit", "../proxy", "is not a name of lower-case letters"),
        ("transparent_proxy", "sysctl_file", "/etc/sysctl.d/90 proxy.conf", "is not an absolute path"),
        ("transparent_proxy", "nft_table", "proxy table", "is not a table's name"),
    ],
)
def test_bad_names_change_nothing(
    netns: Namespace, tmp_path: Path, role: str, name: str, value: str, reason: str
) -> None:
    before = state(netns)
    variables = {**ROLES[role], f"{role}_packages": [], f"{role}_{name}": value}
    done = play(netns, tmp_path, role, variables)
    assert done.returncode == 2, done.stdout
    assert f"{role}_{name}: '{value}" in done.stdout
    assert reason in done.stdout
    assert "changed=0" in done.stdout
    assert state(netns) == before
