"""The script that restores: what somebody deleted comes back, one thing at a time, and what is there is not touched."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model import boot, boot_unit
from namespace import Namespace

MARKS = [
    {"vips": ["203.0.113.10", "203.0.113.64/26", "2001:db8:f::10"], "ports": ["tcp/80", "tcp/300-400"], "mark": "1"},
    {"vips": ["203.0.113.11"], "ports": ["any"], "mark": "2", "iif": ["v0"]},
]
OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "arp.nft": ("arp_suppress", {"method": "nftables", "vips": ["203.0.113.10", "203.0.113.64/26"]}),
    "guard.nft": ("vip_guard", {"vips": ["203.0.113.10", "2001:db8:f::/64"]}),
    "addresses.ip": ("ip_address", {"prefixes": ["203.0.113.12", "192.0.2.9/24", "2001:db8:f::12"]}),
    "neighbors.ip": ("static_neighbor", {"address": "10.0.0.9", "device": "v0", "mac": "02:00:5e:10:00:21"}),
    "routes.ip": ("ip_local_route", {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "100"}),
    "hops.ip": ("ip_route", {"prefixes": ["198.51.100.0/24"], "gateways": ["10.0.0.9"], "device": "v0"}),
    "rules.ip": ("ip_rule", {"rules": [{"priority": 100, "family": "both", "iif": "v0", "table": "100"}]}),
    "marks.nft": ("fwmark", {"marks": MARKS, "exclude_macs": ["02:00:5e:10:00:21"]}),
    "tproxy.nft": (
        "tproxy",
        {
            "vips": ["198.18.0.0/15"],
            "ports": ["tcp/80"],
            "to_port": 3129,
            "iif": ["v0"],
            "when_down": "closed",
            "mark": "0x20000/0x20000",
        },
    ),
}
# What somebody deletes, and that it is back shows in the listing of before.
LOST = {
    "rule": "ip rule delete priority 100 iif v0",
    "rule, IPv6": "ip -6 rule delete priority 100 iif v0",
    "local route": "ip route delete local 203.0.113.0/24 table 100",
    "local route, IPv6": "ip -6 route delete local 2001:db8:f::/64 table 100",
    "route to a next hop": "ip route delete 198.51.100.0/24",
    "neighbour": "ip neighbour delete 10.0.0.9 dev v0",
    "address": "ip address delete 203.0.113.12/32 dev lo",
    "address with a length": "ip address delete 192.0.2.9/24 dev lo",
    "address, IPv6": "ip address delete 2001:db8:f::12/128 dev lo",
    "table of marks": "nft delete table inet lvs_vipless",
    "mark": "nft delete element inet lvs_vipless v4_ports_exact '{ 203.0.113.10 . tcp . 80 }'",
    "mark of a range": "nft delete element inet lvs_vipless v4_ports '{ 203.0.113.64/26 . tcp . 300-400 }'",
    "mark, IPv6": "nft flush map inet lvs_vipless v6_ports_exact",
    "mark by interface": "nft flush map inet lvs_vipless v4_iif_any_exact",
    "excluded MAC": "nft flush set inet lvs_vipless excluded_macs",
    "chain of marks": "nft delete chain inet lvs_vipless prerouting",
    "rules of a chain": "nft flush chain inet lvs_vipless lookups",
    "one rule of a chain": "nft delete rule inet lvs_vipless lookups handle HANDLE",
    "chain of a mark": "nft flush map inet lvs_vipless v4_iif_any_exact; nft delete chain inet lvs_vipless mark_0x2",
    "map": (
        "nft flush chain inet lvs_vipless lookups; nft flush map inet lvs_vipless v4_ports;"
        " nft delete map inet lvs_vipless v4_ports"
    ),
    "table of the guard": "nft delete table inet lvs_vipless_guard",
    "guarded VIP": "nft delete element inet lvs_vipless_guard vips_v4 '{ 203.0.113.10 . ipv4 }'",
    "guarded network, IPv6": "nft flush set inet lvs_vipless_guard vips_v6",
    "chain of the guard": "nft delete chain inet lvs_vipless_guard input",
    "table of silence": "nft delete table arp lvs_vipless",
    "silent VIP": "nft delete element arp lvs_vipless vips '{ 203.0.113.10 . ip }'",
    "silent network": "nft flush set arp lvs_vipless vips",
    "chain of silence": "nft delete chain arp lvs_vipless output",
    "table of the proxy": "nft delete table inet lvs_tproxy",
    "proxied network": "nft flush map inet lvs_tproxy v4_iif_ports",
    "chain of the proxy": "nft delete chain inet lvs_tproxy prerouting",
    "everything": "nft flush ruleset; ip rule flush protocol 117; ip address flush dev lo scope global",
}

Restore = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def restore(netns: Namespace, tmp_path: Path) -> Restore:
    """The namespace with one object of each kind, and the script that brings them back."""
    for file, (module, options) in OBJECTS.items():
        netns.call(module, **options, file=str(tmp_path / file))
    script = tmp_path / "restore"
    script.write_text(boot_unit.files("x", "", watch=False)[0].text.replace(f"{boot.ROOT}/x", str(tmp_path)))
    return lambda: subprocess.run(
        ["ip", "netns", "exec", netns.name, "sh", str(script)], capture_output=True, text=True, check=False
    )


def shown(netns: Namespace) -> list[str]:
    """Everything, in an order of its own: what comes back may stand behind the rest."""
    ruleset = re.sub(r",\n\s+", ", ", netns.run("nft", "list", "ruleset"))
    listings = [netns.ip(f"{family} {what}") for family in ("-4", "-6") for what in ("rule", "route show table all")]
    listings += [netns.ip("-oneline address show"), netns.ip("neighbour show nud permanent")]
    # ip does not know an address's owner, which does not come back.
    lines = re.sub(r" proto 117", "", "\n".join([ruleset, *listings])).splitlines()
    return sorted(" ".join(sorted(line.split())) for line in lines if "ff00::/8" not in line)


def handles(netns: Namespace) -> list[str]:
    """Tables, chains and rules with their handles, in their order; a set keeps none for its elements."""
    return [line for line in netns.run("nft", "-a", "list", "ruleset").splitlines() if "# handle" in line]


def test_every_file_is_restored() -> None:
    left = set(boot_unit.OWNERS) - set(OBJECTS)
    assert left == {"services.ipvs", "tunnels.ip"}, "the guests' kernel has what these need"


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_what_is_lost_comes_back(netns: Namespace, restore: Restore, tmp_path: Path, lost: str) -> None:
    before = shown(netns)
    handle = re.findall(r"vmap @v4_ports # handle (\d+)", netns.run("nft", "-a", "list", "ruleset"))
    netns.run("sh", "-ec", lost.replace("HANDLE", *handle))
    assert shown(netns) != before
    done = restore()
    assert (done.returncode, done.stderr) == (0, "")
    assert shown(netns) == before
    for file, (module, options) in OBJECTS.items():
        result = netns.call(module, **options, file=str(tmp_path / file), check=True)
        assert not result["changed"], (file, result["changes"])


def test_what_is_there_is_not_touched(netns: Namespace, restore: Restore) -> None:
    """Not even made anew: rules and chains keep their handles, and what others added stays."""
    netns.run("sh", "-ec", "nft add element inet lvs_vipless v4_ports_exact '{ 192.0.2.1 . tcp . 80 : goto mark_0x1 }'")
    netns.run("nft", "insert", "rule", "inet", "lvs_vipless", "lookups", "ip saddr 192.0.2.77 drop")
    before = handles(netns), shown(netns)
    for _run in range(2):
        done = restore()
        assert (done.returncode, done.stderr) == (0, "")
        assert (handles(netns), shown(netns)) == before


def test_a_tunnel_that_is_there_is_no_news_to_who_watches(netns: Namespace, restore: Restore, tmp_path: Path) -> None:
    lines = ["link set dev v0 alias lvs.vipless:x up", "link set dev v1 up"]
    (tmp_path / "tunnels.ip").write_text("".join(f"-4 {line}\n" for line in lines))
    netns.ip("link set v1 down")
    with netns.watching_links() as told:
        restore().check_returncode()
    assert [line for line in told if " v0@" in line]
    assert netns.ip("-oneline link show v0").rstrip().endswith("alias lvs.vipless:x")
    assert "state DOWN" not in netns.ip("link show v1")
    with netns.watching_links() as told:
        restore().check_returncode()
    assert [line for line in told if " lo: " not in line] == []


def test_a_table_that_cannot_be_read_is_not_taken_for_a_missing_one(
    netns: Namespace, restore: Restore, tmp_path: Path
) -> None:
    fake = tmp_path / "nft"
    fake.write_text('#!/bin/sh\ncase $1 in list) exit 1;; esac\nexec /usr/sbin/nft "$@"\n')
    fake.chmod(0o755)
    script = tmp_path / "restore"
    script.write_text(script.read_text().replace("PATH=/usr", f"PATH={tmp_path}:/usr", 1))
    before = handles(netns), shown(netns)
    assert restore().returncode == 1
    assert (handles(netns), shown(netns)) == before


def test_what_cannot_come_back_is_told(netns: Namespace, restore: Restore, tmp_path: Path) -> None:
    with (tmp_path / "hops.ip").open("a") as file:
        file.write("-4 route add unicast 192.0.2.128/25 via 172.16.0.1 dev v0 table main proto 117\n")
    netns.ip("rule delete priority 100 iif v0")
    done = restore()
    assert done.returncode == 1
    assert "hops.ip: " in done.stderr
    assert netns.ip("rule show priority 100")


def test_an_element_with_another_verdict_is_told_and_kept(netns: Namespace, restore: Restore) -> None:
    netns.run("nft", "delete", "element", "inet", "lvs_vipless", "v4_ports_exact", "{ 203.0.113.10 . tcp . 80 }")
    netns.run("nft", "add", "element", "inet", "lvs_vipless", "v4_ports_exact", "{ 203.0.113.10 . tcp . 80 : drop }")
    before = handles(netns), shown(netns)
    assert restore().returncode == 1
    assert (handles(netns), shown(netns)) == before
