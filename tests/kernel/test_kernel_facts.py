"""What the modules rely on, or work around, in the kernel, ip and nft themselves."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from namespace import Namespace

VIP = "203.0.113.10"


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_rule_is_itself_by_priority_and_protocol(netns: Namespace, family: str) -> None:
    rule = f"{family} rule add fwmark 1 lookup 100"
    netns.ip(rule)
    netns.ip(rule)
    assert len(_rules(netns, family, "100")) == 2
    rule = f"{family} rule add priority 100 fwmark 1 lookup 101 protocol"
    netns.ip(f"{rule} 118")
    netns.ip(f"{rule} 117")
    with pytest.raises(RuntimeError, match="File exists"):
        netns.ip(f"{rule} 117")
    assert [one["protocol"] for one in _rules(netns, family, "101")] == ["118", "117"]


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_removal_takes_the_first_rule_that_fits(netns: Namespace, family: str) -> None:
    """Whoever owns it. The module names all of a rule: test_ip_rule.py, test_deletes_the_rule_that_is_meant."""
    for protocol in (118, 117):
        netns.ip(f"{family} rule add priority 100 fwmark 1 lookup 100 protocol {protocol}")
    netns.ip(f"{family} rule delete priority 100 fwmark 1")
    assert [one["protocol"] for one in _rules(netns, family, "100")] == ["117"]


def test_bits_of_a_mark_outside_its_mask_do_not_count(netns: Namespace) -> None:
    """The kernel takes them and leaves them out (fib_rule_match() in net/core/fib_rules.c). The module refuses them."""
    netns.ip("route add local default dev lo table 100")
    netns.ip("rule add priority 100 fwmark 0x101/0xff lookup 100")
    assert [_is_local(netns, mark) for mark in ("0x101", "0x1", "0x201", "0x100")] == [True, True, True, False]


def test_a_mark_without_a_mask_is_one_with_all_bits(netns: Namespace) -> None:
    netns.ip("route add local default dev lo table 100")
    netns.ip("rule add priority 101 fwmark 1 lookup 100")
    with pytest.raises(RuntimeError, match="File exists"):
        netns.ip("rule add priority 101 fwmark 1/0xffffffff lookup 100")
    assert [_is_local(netns, mark) for mark in ("0x1", "0x101")] == [True, False]


def test_the_metric_and_the_protocol_of_a_local_route(netns: Namespace) -> None:
    netns.ip("-6 route add local 2001:db8:f::/64 dev lo table 100")
    netns.ip("-6 route add local 2001:db8:f::/64 dev lo table 100 metric 7")
    assert [one["metric"] for one in netns.ip_json("-6 route show table 100")] == [7, 1024]
    netns.ip(f"route add local {VIP} dev lo table 100 protocol 118")
    with pytest.raises(RuntimeError, match="File exists"):
        netns.ip(f"route add local {VIP} dev lo table 100 protocol 117")
    netns.ip(f"route replace local {VIP} dev lo table 100 protocol 117")
    assert [one["protocol"] for one in netns.ip_json("route show table 100")] == ["117"]


def test_nft_shows_another_expression_than_it_was_given(netns: Namespace) -> None:
    given = "meta mark set meta mark & 0xfffeffff | 0x00010000"
    _load(netns, f"add rule inet t c {given}")
    assert given not in netns.run("nft", "list", "ruleset")


def test_nft_keeps_no_bits_beside_a_map(netns: Namespace) -> None:
    """So that a verdict map leads to one chain a mark, which keeps the other bits: test_fwmark.py."""
    made, used = "map inet t m { type ipv4_addr : mark; }", "meta mark set meta mark & 0xff | ip daddr map @m"
    with pytest.raises(RuntimeError, match=r"Right hand side of binary operation \(\|\) must be constant"):
        _load(netns, f"add {made}\nadd rule inet t c {used}")


def test_the_number_of_vips_does_not_make_rules(netns: Namespace) -> None:
    """Where they are delivered by a mark. By destination there is a rule for each."""
    found = {}
    for count in (1_000, 10_000):
        vips = [f"198.18.{place >> 8}.{place & 255}" for place in range(count)]
        netns.call("fwmark", vips=vips, ports=["tcp/80"], mark="0x10000/0x10000")
        netns.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
        netns.call("ip_rule", family="ipv4", priority=100, iif="v0", fwmark="0x10000/0x10000", table="100")
        found[count] = (len(_rules(netns, "-4", "100")), _nft_rules(netns))
    assert found[1_000] == found[10_000]
    assert found[1_000][0] == 1
    netns.call("ip_rule", priority=100, iif="v0", to=vips[:1_000], table="101")
    assert len(_rules(netns, "-4", "101")) == 1_000


def _rules(netns: Namespace, family: str, table: str) -> list[dict[str, Any]]:
    return [one for one in netns.ip_json(f"{family} rule show") if one["table"] == table]


def _nft_rules(netns: Namespace) -> int:
    listed = json.loads(netns.run("nft", "-j", "list", "ruleset"))["nftables"]
    return sum("rule" in one for one in listed)


def _is_local(netns: Namespace, mark: str) -> bool:
    command = ["ip", "-n", netns.name, "-j", "route", "get", VIP, "from", "10.0.0.9", "iif", "v0", "mark", mark]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and json.loads(done.stdout)[0].get("type") == "local"


def _load(netns: Namespace, lines: str) -> None:
    chain = "add table inet t\nadd chain inet t c { type filter hook prerouting priority mangle; }\n"
    netns.run("nft", "-f", "-", stdin=f"{chain}{lines}\n")
