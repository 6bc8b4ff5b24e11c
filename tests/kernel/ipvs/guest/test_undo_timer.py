"""A host that systemd runs undoes changes by itself unless they are confirmed in time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kernel_modules
import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused, Undone
from namespace import call

NAME = "lvsundo"
TIMER = f"undo-lvs-vipless-{NAME}"
FOLDER = Path("/run/lvs-vipless/undo", NAME)
BOOT = f"/etc/lvs-vipless/{NAME}"
SYSCTLS = "/etc/sysctl.d/90-lvs-vipless-lvsundo.conf"
BIT = "0x10000/0x10000"
OWNED: dict[str, Any] = {
    "protocol": "117",
    "addresses": [{"prefixes": ["203.0.113.10", "203.0.113.11"]}],
    "arp_table": "lvsundo",
    "guard_table": "lvsundo_guard",
    "mark_table": "lvsundo",
    "fwmarks": BIT,
    "sysctls": ["net.ipv4.vs.expire_nodest_conn"],
    "unit": NAME,
    "files": [SYSCTLS],
}
# Longer than a change takes on any guest.
SECONDS = 600
PATIENCE_SECONDS = 300


def sh(line: str) -> str:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def services(marks: range, weight: int, scheduler: str) -> list[dict[str, Any]]:
    servers = [
        {"address": "10.0.0.11", "weight": weight, "upper_threshold": 10 * weight, "lower_threshold": weight},
        {
            "address": f"10.0.0.{20 + weight}",
            "forwarding": "tunnel",
            "tunnel_type": "gue",
            "tunnel_port": 5555 + weight,
        },
    ]
    listed: list[dict[str, Any]] = [
        {"fwmark": str(0x10000 + mark), "family": "ipv4", "scheduler": scheduler, "destinations": servers}
        for mark in marks
    ]
    far = {"address": "2001:db8:a::11", "weight": weight}
    listed.append({"fwmark": "0x80010001", "family": "ipv6", "persistent": 300 * weight, "destinations": [far]})
    return listed


def first() -> None:
    """One state of everything, with its files and unit."""
    make(["203.0.113.10"], services(range(1, 4), 1, "rr"), "eth0", 1)


def second() -> None:
    """Another."""
    make(["203.0.113.11", "203.0.113.12"], services(range(2, 6), 2, "wlc"), "lo", 0)


def make(vips: list[str], balanced: list[dict[str, Any]], device: str, value: int) -> None:
    sh("modprobe ip_vs")
    call("sysctl", values={"net.ipv4.vs.expire_nodest_conn": value}, file=SYSCTLS)
    call("arp_suppress", method="nftables", vips=vips, source="127.0.0.1", table="lvsundo", file=f"{BOOT}/arp.nft")
    call("vip_guard", vips=vips, table="lvsundo_guard", file=f"{BOOT}/guard.nft")
    call("ipvs_service", services=balanced, purge=True, purge_fwmarks=BIT, file=f"{BOOT}/services.ipvs")
    rules = [{"priority": 100, "family": "both", "iif": device, "fwmark": BIT, "table": "100"}]
    call("ip_rule", rules=rules, purge=True, force=True, file=f"{BOOT}/rules.ip")
    routes = [{"prefixes": ["0.0.0.0/0", "::/0"], "table": "100"}]
    call("ip_local_route", routes=routes, purge=True, file=f"{BOOT}/routes.ip")
    call("ip_address", addresses=[{"prefixes": vips[:1]}], purge=True, file=f"{BOOT}/addresses.ip")
    marks = [{"vips": vips, "ports": ["tcp/80"], "mark": "0x10001"}]
    call("fwmark", marks=marks, purge=True, table="lvsundo", file=f"{BOOT}/marks.nft")
    call("boot_unit", name=NAME, sysctl_file=SYSCTLS)


def nothing() -> None:
    """All of it gone."""
    call("fwmark", marks=[], purge=True, table="lvsundo")
    call("ip_rule", rules=[], purge=True)
    call("ip_local_route", routes=[], purge=True)
    call("ip_address", addresses=[], purge=True, file=f"{BOOT}/addresses.ip")
    call("vip_guard", table="lvsundo_guard", state="absent")
    call("arp_suppress", method="nftables", table="lvsundo", state="absent")
    call("ipvs_service", services=[], purge=True, purge_fwmarks=BIT)
    call("boot_unit", name=NAME, state="absent")
    call("sysctl", file=SYSCTLS, state="absent")


def state() -> dict[str, list[str]]:
    """What the tools show, in an order of our own: rules of one priority come back in any."""
    lines = {
        f"{what} {family}": f"ip -j -d {family} {what}"
        for what in ("rule", "route show table all")
        for family in ("-4", "-6")
    }
    found = {name: json.loads(sh(line) or "[]") for name, line in lines.items()}
    for link in json.loads(sh("ip -j -d address")):
        found[f"address {link['ifname']}"] = [
            {key: one[key] for key in ("local", "prefixlen", "scope")} for one in link["addr_info"]
        ]
    found["nft"] = [_without_handles(one) for one in json.loads(sh("nft -j list ruleset"))["nftables"]]
    shown = {name: sorted(json.dumps(one, sort_keys=True) for one in listed) for name, listed in found.items()}
    shown["modules"] = [name for name in kernel_modules.loaded() if name == "ip_vs"]
    if shown["modules"]:
        shown["ipvs"] = sorted(sh("ipvsadm -Sn").splitlines())
        shown["thresholds"] = sorted(sh("ipvsadm -Ln --thresholds").splitlines())
        shown["sysctl"] = [sh("sysctl net.ipv4.vs.expire_nodest_conn")]
    unit = f"lvs-vipless-{NAME}.service"
    shown["unit"] = sh(f"systemctl is-enabled {unit} 2>&1; systemctl is-active {unit}; true").splitlines()
    listed = sh(
        "find /etc/lvs-vipless /etc/systemd /etc/udev /etc/sysctl.d -printf '%p %M %u %l\\n' 2>/dev/null | sort; true"
    )
    contents = sh(f"cat {BOOT}/* {SYSCTLS} 2>/dev/null; true")
    shown["files"] = [*listed.splitlines(), *contents.splitlines()]
    return shown


def _without_handles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_handles(one) for key, one in value.items() if key not in {"handle", "index"}}
    return [_without_handles(one) for one in value] if isinstance(value, list) else value


def let_the_time_run_out() -> str:
    """Arm once more, for a second, and say what the script said when it has ended: an emulated guest takes its own time
    for a change."""
    assert arm(1)["remaining"] <= 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (FOLDER / "undone").exists():
        assert time.monotonic() < deadline, sh(f"journalctl -u {TIMER} --no-pager; ls -l {FOLDER}")
        time.sleep(0.2)
    return sh(f"journalctl -u {TIMER} -o cat --no-pager")


def clean_up() -> None:
    sh(f"systemctl stop {TIMER}.timer 2>/dev/null; rm -rf {FOLDER}; modprobe ip_vs; ipvsadm -C")
    nothing()


@pytest.fixture(scope="module", autouse=True)
def after() -> Iterator[None]:
    yield
    clean_up()


@pytest.fixture(autouse=True)
def clean() -> None:
    """A host with nothing of ours and a service of others."""
    clean_up()
    sh("ipvsadm -A -f 7 -s rr")


def arm(timeout: int = SECONDS, **options: Any) -> dict[str, Any]:
    return call("undo_timer", name=NAME, timeout=timeout, **{**OWNED, **options})


# Changes of what is there, and that what is new goes, are shown below.
def test_what_nobody_confirms_is_undone() -> None:
    first()
    expected = state()
    armed = arm()
    # An emulated guest takes seconds to start the timer.
    assert not armed["changed"]
    assert SECONDS - 60 < armed["remaining"] <= SECONDS
    assert state() == expected
    nothing()
    assert state() != expected
    said = let_the_time_run_out()
    assert state() == expected, said
    assert "All is as it was before." in said


def test_who_comes_late_is_told_and_what_ran_meanwhile_is_undone() -> None:
    marks = [{"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "0x10001"}]
    call("fwmark", marks=marks, purge=True, table="lvsundo")
    expected = state()
    let_the_time_run_out()
    call("ip_rule", rules=[{"priority": 101, "family": "both", "iif": "lo", "table": "100"}], force=True)
    call("fwmark", marks=[], purge=True, table="lvsundo")
    late = (
        r"name: 'lvsundo' cannot be confirmed: the changes were undone at 20\d\d-.*; the controller did not come back"
    )
    with pytest.raises(Undone, match=late):
        call("undo_timer", name=NAME, state="confirmed")
    assert state() == expected


def test_ip_vs_that_the_change_loaded_goes() -> None:
    kernel_modules.unload(clear=lambda: sh("ipvsadm -C"))
    expected = state()
    arm()
    second()
    said = let_the_time_run_out()
    assert state() == expected, said


def test_what_is_confirmed_stays() -> None:
    early, late = arm()["token"], arm()["token"]
    second()
    made = state()
    with pytest.raises(Refused, match="another run has armed 'lvsundo' since"):
        call("undo_timer", name=NAME, state="confirmed", token=early)
    assert FOLDER.exists()
    assert call("undo_timer", name=NAME, state="confirmed", token=late) == {"changed": False, "remaining": None}
    assert state() == made
    assert not FOLDER.exists()
    assert TIMER not in sh("systemctl list-units --all --no-legend")
    # Nothing waits, and nothing was undone.
    assert call("undo_timer", name=NAME, state="confirmed") == {"changed": False, "remaining": None}


def test_armed_again_it_knows_what_was_there_first() -> None:
    first()
    expected = state()
    arm()
    second()
    assert 0 < call("undo_timer", check=True, name=NAME, state="confirmed")["remaining"] < SECONDS
    with pytest.raises(Refused, match="a change of other objects waits for its confirmation, "):
        arm(mark_table="other")
    arm(addresses=[{"prefixes": ["203.0.113.12"]}])
    call("ip_address", prefixes=["203.0.113.12"])
    said = let_the_time_run_out()
    assert state() == expected, said


def test_check_mode_changes_nothing() -> None:
    before = state()
    assert call("undo_timer", check=True, name=NAME, timeout=5, **OWNED) == {"changed": False, "remaining": None}
    assert call("undo_timer", check=True, name=NAME, state="confirmed") == {"changed": False, "remaining": None}
    assert state() == before
    assert not FOLDER.exists()
