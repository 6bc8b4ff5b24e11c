"""The unit that brings everything back, on a host that systemd runs. Rebooting is proved with the roles."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kernel_modules
import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from namespace import call

NAME = "lvstest"
UNIT = f"lvs-vipless-{NAME}.service"
FOLDER = Path("/etc/lvs-vipless") / NAME
SYSCTLS = "/etc/sysctl.d/90-lvs-vipless-lvstest.conf"
WHAT: list[tuple[str, dict[str, Any], str]] = [
    (
        "ip_rule",
        {"rules": [{"priority": 100, "family": "both", "iif": "lvs0", "table": "100"}], "force": True},
        "rules.ip",
    ),
    ("ip_local_route", {"routes": [{"prefixes": ["0.0.0.0/0", "::/0"], "table": "100"}]}, "routes.ip"),
    ("fwmark", {"marks": [{"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1"}]}, "marks.nft"),
    ("ip_tunnel", {"name": "tunl0"}, "tunnels.ip"),
    ("arp_suppress", {"method": "nftables", "vips": ["203.0.113.10"], "source": "127.0.0.1"}, "arp.nft"),
    (
        "ipvs_service",
        {"services": [{"fwmark": "7", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]}]},
        "services.ipvs",
    ),
]


def sh(line: str) -> str:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def state() -> str:
    """What the tools show of all that the unit brings back. By one shell: a guest takes a while to start each."""
    return sh(
        "ip -4 rule; ip -6 rule; ip route show table 100; ip -6 route show table 100; ip -brief link show up type ipip;"
        "nft list table arp lvs_vipless 2>/dev/null; nft list table inet lvs_vipless 2>/dev/null;"
        "if lsmod | grep -q '^ip_vs '; then echo ip_vs; ipvsadm -Sn; fi"
    )


@pytest.fixture(scope="module")
def whole() -> Iterator[str]:
    """Everything at runtime and in files, with its unit; the state that it makes. To make it takes a guest a minute."""
    sh("modprobe ip_vs")
    call("sysctl", values={"net.ipv4.vs.expire_nodest_conn": 1}, file=SYSCTLS)
    for module, options, file in WHAT:
        call(module, **options, file=str(FOLDER / file))
    call("boot_unit", name=NAME, sysctl_file=SYSCTLS)
    yield state()
    call("boot_unit", name=NAME, state="absent")
    for module, options, file in WHAT:
        call(module, **options, file=str(FOLDER / file), state="absent")
    call("sysctl", file=SYSCTLS, state="absent")
    # With its fallback interface, which every namespace gets.
    sh("modprobe -r ipip")


@pytest.fixture
def made(whole: str) -> str:
    """The same, as each test that looks at it leaves it."""
    assert state() == whole
    return whole


def test_is_predicted_and_then_stays() -> None:
    before = sh("find /etc/systemd /etc/udev /etc | sort")
    predicted = call("boot_unit", check=True, name=NAME)
    assert sh("find /etc/systemd /etc/udev /etc | sort") == before
    assert call("boot_unit", name=NAME) == predicted
    assert f"add {UNIT}: enabled" in predicted["changes"]
    assert f"add {FOLDER}/restore (0755)" in predicted["changes"]
    assert not call("boot_unit", name=NAME)["changed"]
    assert sh(f"systemctl is-enabled {UNIT}; systemctl is-active {UNIT}").split() == ["enabled", "active"]
    sh(f"systemctl disable {UNIT}")
    assert call("boot_unit", name=NAME)["changes"] == [f"add {UNIT}: enabled"]
    gone = call("boot_unit", check=True, name=NAME, state="absent")
    assert call("boot_unit", name=NAME, state="absent") == gone
    assert sh("find /etc/systemd /etc/udev /etc | sort") == before
    assert not call("boot_unit", name=NAME, state="absent")["changed"]


def test_what_goes_with_an_interface_comes_back_with_it() -> None:
    """As on a router: a route to a next hop and a neighbour entry, both families."""
    folder = FOLDER.with_name("lvswatch")
    sh("ip link add lvs0 type veth peer name lvs1; ip link set lvs1 up; ip link set lvs0 up")
    sh("ip address add 192.0.2.1/24 dev lvs0; sysctl -qw net.ipv6.conf.lvs0.keep_addr_on_down=1")
    sh("ip -6 address add 2001:db8:7::1/64 dev lvs0 nodad")
    routes = {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "gateways": ["192.0.2.2", "2001:db8:7::2"]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("ip_route", {**routes, "device": "lvs0", "file": f"{folder}/hops.ip"}),
        (
            "static_neighbor",
            {"address": "192.0.2.2", "device": "lvs0", "mac": "02:00:00:00:00:02", "file": f"{folder}/neighbors.ip"},
        ),
    ]
    for module, options in calls:
        call(module, **options)
    unit = {"name": "lvswatch", "watch": True}
    call("boot_unit", **unit)
    assert not call("boot_unit", **unit)["changed"]
    try:
        listing = "ip route show proto 117; ip -6 route show proto 117; ip neighbour show nud permanent dev lvs0"
        before = sh(listing)
        assert len(before.splitlines()) == 3
        sh("ip link set lvs0 down")
        assert sh("ip route show proto 117") == ""
        sh("ip link set lvs0 up")
        end = time.monotonic() + 30
        while sh(listing) != before and time.monotonic() < end:
            time.sleep(0.2)
        assert sh(listing) == before
        for module, options in calls:
            assert not call(module, check=True, **options)["changed"]
        # Without watching, what watched goes, and comes again.
        running = "pgrep -f lvswatch/[w]atch || true"
        assert f"remove {folder}/watch (0755)" in call("boot_unit", name="lvswatch")["changes"]
        assert sh(running) == ""
        call("boot_unit", **unit)
        assert sh(running) != ""
    finally:
        call("boot_unit", name="lvswatch", state="absent")
        sh("ip link delete lvs0")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "../x"}, "name: '../x' is not a name of lower-case letters, digits, - and _, at most 32."),
        ({"name": ""}, "name: '' is not a name of lower-case letters, digits, - and _, at most 32."),
        (
            {"name": "x", "sysctl_file": "a b"},
            "sysctl_file: 'a b' is not an absolute path of letters, digits and . _ / -.",
        ),
    ],
)
def test_bad_input_is_one_clear_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        call("boot_unit", **options)
    assert str(caught.value) == message


def test_a_unit_of_others_is_refused() -> None:
    unit = Path("/etc/systemd/system") / UNIT
    unit.write_text("[Unit]\n")
    try:
        with pytest.raises(Refused, match="so it belongs to others"):
            call("boot_unit", name=NAME)
    finally:
        unit.unlink()
    assert not FOLDER.exists()


# What it adds of all that needs no ip_vs is shown natively: tests/kernel/test_restore.py.
@pytest.mark.parametrize(
    "harm",
    [
        "for f in -4 -6; do ip $f rule del priority 100; done; nft flush ruleset; ipvsadm -C",
        "ipvsadm -d -f 7 -r 10.0.0.11:0; ip link set tunl0 down",
    ],
)
def test_the_script_adds_what_is_missing(made: str, harm: str) -> None:
    sh(harm)
    assert state() != made
    assert sh(f"{FOLDER}/restore 2>&1") == ""
    assert state() == made
    assert sh(f"{FOLDER}/restore 2>&1") == ""
    assert state() == made
    for module, options, file in WHAT:
        assert not call(module, check=True, **options, file=str(FOLDER / file))["changed"]


def test_what_nftables_service_flushes_comes_back(made: str) -> None:
    for verb in ("restart", "reload", "stop"):
        sh(f"systemctl {verb} nftables")
        assert state() == made


def test_what_ip_vs_forgets_comes_back(made: str) -> None:
    # The unit may still be restoring after the module was loaded for this test, and bring the services back.
    kernel_modules.unload(clear=lambda: sh("ipvsadm -C"))
    assert "ip_vs" not in state()
    sh("modprobe ip_vs")
    end = time.monotonic() + 30
    while state() != made and time.monotonic() < end:
        time.sleep(0.2)
    assert state() == made
    assert Path("/proc/sys/net/ipv4/vs/expire_nodest_conn").read_text() == "1\n"


def test_what_networkd_deletes_stays(made: str) -> None:
    sh("systemctl restart systemd-networkd; sleep 2")
    assert state() == made


@pytest.mark.usefixtures("made")
def test_a_failure_is_told() -> None:
    file = FOLDER / "rules.ip"
    with file.open("a") as stream:
        stream.write("-4 rule add priority nonsense\n")
    done = subprocess.run([f"{FOLDER}/restore"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("rules.ip: ")
    assert "nonsense" in done.stderr


@pytest.mark.usefixtures("made")
def test_the_files_go_with_the_unit() -> None:
    gone = call("boot_unit", check=True, name=NAME, state="absent")
    assert call("boot_unit", name=NAME, state="absent") == gone
    assert f"remove {FOLDER}/rules.ip (0644)" in gone["changes"]
    assert not FOLDER.exists()
