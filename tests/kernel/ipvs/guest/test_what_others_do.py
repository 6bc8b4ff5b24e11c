"""What others do to the state of this collection where its unit and files do not stop them, on a host of systemd."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import kernel_modules
import pytest
from tool import ipvsadm

from namespace import Namespace, call

DROP_IN = Path("/etc/systemd/networkd.conf.d/90-lvstest.conf")
RULE = {"priority": 100, "family": "ipv4", "iif": "lvs0", "fwmark": "1", "table": "100", "force": True}
ROUTES = {"routes": [{"prefixes": ["203.0.113.0/24"]}, {"prefixes": ["0.0.0.0/0"], "table": "100"}]}
MARKS = {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1"}


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ("", False),
        ("[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n", True),
    ],
    ids=["as it comes", "told not to"],
)
def test_networkd_deletes_rules_and_leaves_local_routes(settings: str, left: bool) -> None:
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text(settings)
    try:
        call("ip_rule", **RULE)
        call("ip_local_route", **ROUTES)
        _restart("systemd-networkd")
        # It says that it is ready before it looks at what others have made.
        gone = _comes(lambda: call("ip_rule", check=True, **RULE)["changed"], within_seconds=3 if left else 30)
        assert gone != left
        assert not call("ip_local_route", check=True, **ROUTES)["changed"]
    finally:
        DROP_IN.unlink()
        call("ip_rule", **RULE, state="absent")
        call("ip_local_route", **ROUTES, state="absent")


def test_nftables_flushes_every_table() -> None:
    """Debian's file begins with a flush of the ruleset."""
    call("fwmark", **MARKS)
    try:
        assert not call("fwmark", check=True, **MARKS)["changed"]
        _restart("nftables")
        assert call("fwmark", check=True, **MARKS)["changed"]
    finally:
        subprocess.run(["systemctl", "stop", "nftables"], check=True)
        call("fwmark", **MARKS, state="absent")


def test_what_ip_vs_brings_along(unloaded: Namespace) -> None:
    """Its settings are not there before it is, and the size of its table is chosen as it is loaded."""
    assert not Path("/proc/sys/net/ipv4/vs").exists()
    subprocess.run(["modprobe", "ip_vs", "conn_tab_bits=10"], check=True)
    size = Path("/sys/module/ip_vs/parameters/conn_tab_bits")
    assert Path("/proc/sys/net/ipv4/vs/conntrack").exists()
    assert size.read_text() == "10\n"
    assert size.stat().st_mode & 0o222 == 0
    assert "size=1024" in ipvsadm(unloaded, "-Ln")
    kernel_modules.unload()


def _comes(state: Callable[[], bool], within_seconds: float) -> bool:
    end = time.monotonic() + within_seconds
    while not state():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _restart(name: str) -> None:
    subprocess.run(["systemctl", "restart", name], check=True)
