"""The module arp_suppress by nftables. ``nft -j list table`` is the oracle, and a neighbour that asks is the judge."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, LvsError, Refused
from ansible_collections.lvs.vipless.plugins.modules import arp_suppress
from far_end import Neighbour
from namespace import Namespace, call, without_net_admin

OWN, SECOND, VIP, PREFIX = "10.0.0.2", "10.0.0.3", "203.0.113.10", "203.0.113.64/26"
SILENT: dict[str, Any] = {"method": "nftables", "vips": [VIP, PREFIX]}
TABLE = "arp lvs_vipless"

# What each option is changed to, from SILENT; those of the other method from its defaults.
CHANGES: dict[str, dict[str, Any]] = {
    "method": {"method": "sysctl", "vips": None},
    "vips": {"vips": [VIP]},
    "source": {"source": SECOND},
    "table": {"table": "other"},
    "interfaces": {"interfaces": ["v0"]},
    "state": {"state": "absent"},
}
SYSCTL_CHANGES: dict[str, dict[str, Any]] = {
    "arp_ignore": {"arp_ignore": 8},
    "arp_announce": {"arp_announce": 1},
    "file": {"file": "90-arp.conf"},
}


def listed(netns: Namespace, table: str = TABLE) -> list[dict[str, Any]]:
    """A table without the numbers that each object gets; nothing where there is none."""
    if table.rsplit(maxsplit=1)[-1] not in netns.run("nft", "list", "tables", "arp").split():
        return []
    found = json.loads(netns.run("nft", "-j", "list", "table", *table.split()))["nftables"]
    bodies = [(kind, body) for item in found for kind, body in item.items() if kind != "metainfo"]
    return [{kind: {name: value for name, value in body.items() if name != "handle"}} for kind, body in bodies]


def vips(netns: Namespace) -> list[str]:
    """The elements of the set, as nft lists them."""
    sets = [item["set"] for item in listed(netns) if "set" in item]
    firsts = [element["concat"][0] for found in sets for element in found.get("elem", [])]
    return sorted(one if isinstance(one, str) else "{addr}/{len}".format(**one["prefix"]) for one in firsts)


def ask(netns: Namespace, vip: str, target: str) -> None:
    """Let the host look for a neighbour, in the name of a VIP where nothing keeps it from that."""
    with netns.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((vip, 0))
        sender.sendto(b"", (target, 9))


@pytest.mark.parametrize("holder", ["lo", "v0"])
def test_questions_for_a_vip_are_not_answered(netns: Namespace, neighbour: Neighbour, holder: str) -> None:
    for vip in (VIP, "203.0.113.77"):
        netns.ip(f"address add {vip}/32 dev {holder}")
    every = {VIP, "203.0.113.77", OWN}
    assert neighbour.arp_answers(VIP, "203.0.113.77", OWN) == every
    netns.call("arp_suppress", **SILENT)
    assert neighbour.arp_answers(VIP, "203.0.113.77", OWN) == {OWN}
    netns.call("arp_suppress", **SILENT, state="absent")
    assert neighbour.arp_answers(VIP, "203.0.113.77", OWN) == every


def test_a_vip_is_not_announced(netns: Namespace, neighbour: Neighbour) -> None:
    netns.run("sysctl", "-qw", "net.ipv4.conf.v0.arp_notify=1")
    last = "198.51.100.9"
    for address in (VIP, last):
        netns.ip(f"address add {address}/32 dev v0")
    # A new MAC is announced for each address in order, so that whoever was not announced by the last is not.
    netns.ip("link set v0 address 02:00:5e:10:00:01")
    assert neighbour.announced_until(last) == {OWN, VIP, last}
    netns.call("arp_suppress", **SILENT)
    netns.ip("link set v0 address 02:00:5e:10:00:02")
    assert neighbour.announced_until(last) == {OWN, last}


@pytest.mark.parametrize(("source", "name"), [(None, OWN), (SECOND, SECOND)])
def test_the_host_asks_in_its_own_name(netns: Namespace, neighbour: Neighbour, source: str | None, name: str) -> None:
    netns.ip(f"address add {VIP}/32 dev lo")
    netns.ip(f"address add {SECOND}/24 dev v0")
    ask(netns, VIP, "10.0.0.100")
    assert neighbour.arp_questioner("10.0.0.100") == VIP
    netns.call("arp_suppress", **SILENT, source=source)
    ask(netns, VIP, "10.0.0.101")
    assert neighbour.arp_questioner("10.0.0.101") == name


def test_the_gateway_is_found(netns: Namespace, neighbour: Neighbour) -> None:
    netns.ip(f"address add {VIP}/32 dev lo")
    netns.call("arp_suppress", **SILENT)
    ask(netns, VIP, "192.0.2.1")
    neighbour.answer("10.0.0.1", OWN)
    assert neighbour.destination_of("192.0.2.1") == neighbour.mac


def test_an_interface_without_an_address_of_its_own_does_not_ask_as_the_vip(
    netns: Namespace, neighbour: Neighbour
) -> None:
    netns.ip(f"address add {VIP}/32 dev v0")
    netns.ip(f"address add {OWN}/32 dev lo")
    netns.ip(f"address del {OWN}/24 dev v0")
    netns.ip("route add 10.0.0.0/24 dev v0")
    netns.call("arp_suppress", **SILENT)
    ask(netns, VIP, "10.0.0.100")
    ask(netns, OWN, "10.0.0.101")
    assert neighbour.arp_targets_until("10.0.0.101") == {"10.0.0.101"}


def test_one_interface_falls_silent(netns: Namespace, neighbour: Neighbour) -> None:
    netns.ip(f"address add {VIP}/32 dev lo")
    netns.call("arp_suppress", **SILENT, interfaces=["lo"])
    assert neighbour.arp_answers(VIP, OWN) == {VIP, OWN}
    netns.call("arp_suppress", **SILENT, interfaces=["v0"])
    assert neighbour.arp_answers(VIP, OWN) == {OWN}


# What force does is in test_lock_out.py.
@pytest.mark.parametrize("option", sorted(set(arp_suppress.SPEC.options) - {"force"}))
def test_every_option_changed_alone_is_a_change(netns: Namespace, tmp_path: Path, option: str) -> None:
    netns.ip(f"address add {SECOND}/24 dev v0")
    start = SILENT if option in CHANGES else {}
    changed = {**start, **{**CHANGES, **SYSCTL_CHANGES}[option]}
    if "file" in changed:
        changed["file"] = str(tmp_path / changed["file"])
    netns.call("arp_suppress", **start)
    predicted = netns.call("arp_suppress", check=True, **changed)
    assert predicted["changed"]
    assert netns.call("arp_suppress", **changed) == predicted
    assert not netns.call("arp_suppress", **changed)["changed"]


def test_levels_are_not_touched(netns: Namespace) -> None:
    result = netns.call("arp_suppress", **SILENT, arp_ignore=8, arp_announce=1)
    assert result["changes"] == [
        f"add table {TABLE}; silent on all; asks on v0 as {OWN}",
        f"add vip {VIP}",
        f"add vip {PREFIX}",
    ]
    for level in ("arp_ignore", "arp_announce"):
        assert netns.run("cat", f"/proc/sys/net/ipv4/conf/all/{level}").strip() == "0"


def test_vips_come_and_go_as_elements(netns: Namespace) -> None:
    netns.call("arp_suppress", **SILENT)
    rules = [item for item in listed(netns) if "rule" in item]
    result = netns.call("arp_suppress", method="nftables", vips=[VIP, "203.0.113.11", "203.0.113.64/27"])
    assert sorted(line.split()[0] for line in result["changes"]) == ["add", "add", "remove"]
    assert vips(netns) == sorted([VIP, "203.0.113.11", "203.0.113.64/27"])
    assert [item for item in listed(netns) if "rule" in item] == rules


def test_the_table_goes_with_the_last_vip(netns: Namespace) -> None:
    for gone in ({"vips": []}, {"state": "absent", "vips": [PREFIX, VIP]}, {"state": "absent"}):
        netns.call("arp_suppress", **SILENT)
        assert not netns.call("arp_suppress", method="nftables", state="absent", vips=[])["changed"]
        netns.call("arp_suppress", method="nftables", state="absent", vips=[VIP])
        assert vips(netns) == [PREFIX]
        assert netns.call("arp_suppress", method="nftables", **gone)["changed"]
        assert listed(netns) == []
        assert not netns.call("arp_suppress", method="nftables", **gone)["changed"]


@pytest.mark.parametrize(
    "damage",
    [
        f"flush chain {TABLE} input",
        f"flush chain {TABLE} output",
        f"delete chain {TABLE} input",
        f"flush set {TABLE} vips",
        f"add element {TABLE} vips {{ 192.0.2.0/24 . ip }}",
        f"insert rule {TABLE} input accept",
        f"add rule {TABLE} output drop",
        f"flush chain {TABLE} input; delete chain {TABLE} input; "
        f"add chain {TABLE} input {{ type filter hook input priority 5; }}",
        f"flush table {TABLE}",
        f"add chain {TABLE} input {{ policy drop; }}",
        f"delete table {TABLE}; add table {TABLE}",
    ],
)
def test_damage_is_repaired(netns: Namespace, damage: str) -> None:
    netns.call("arp_suppress", **SILENT)
    sound = listed(netns)
    netns.run("nft", "-f", "-", stdin=f"flush chain {TABLE} input; {damage}" if "delete chain" in damage else damage)
    assert listed(netns) != sound
    predicted = netns.call("arp_suppress", check=True, **SILENT)
    assert predicted["changed"]
    assert netns.call("arp_suppress", **SILENT) == predicted
    assert sorted(map(str, listed(netns))) == sorted(map(str, sound))
    assert not netns.call("arp_suppress", **SILENT)["changed"]


@pytest.mark.parametrize(
    "foreign",
    [
        f"add chain {TABLE} mine",
        f"add set {TABLE} mine {{ type ipv4_addr; }}",
        f"add set {TABLE} vips {{ type ipv4_addr; }}",
        f"add chain {TABLE} input {{ type filter hook input priority 0; }}",
    ],
)
def test_a_foreign_table_is_refused(netns: Namespace, foreign: str) -> None:
    netns.run("nft", "-f", "-", stdin=f"add table {TABLE}; {foreign}")
    before = listed(netns)
    for options in (SILENT, {"method": "nftables", "state": "absent"}):
        with pytest.raises(Refused, match="which this module did not make"):
            netns.call("arp_suppress", **options)
    assert listed(netns) == before
    assert netns.call("arp_suppress", **SILENT, table="other")["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vips": None}, "vips is missing: method nftables needs to know them."),
        ({"vips": ["nope"]}, "vips[0]: 'nope' is not an IPv4 or IPv6 prefix or address."),
        ({"vips": ["2001:db8::1"]}, "vips[0]: '2001:db8::1' is not IPv4. IPv6 needs nothing of the kind."),
        ({"vips": ["0.0.0.0/0"]}, "vips[0]: '0.0.0.0/0' is every address: the host would be silent about its own."),
        ({"vips": [VIP, VIP]}, f"vips[1]: 'vip {VIP}' names the same object as vips[0]."),
        ({"vips": ["203.0.113.65", PREFIX]}, f"vips: '203.0.113.65' is within {PREFIX}, which is named too."),
        ({"source": "10.0.0.99"}, "source: '10.0.0.99' is not an address of this host."),
        ({"source": "203.0.113.70"}, "source: '203.0.113.70' is one of the VIPs, in whose name nobody is to be asked."),
        ({"source": "2001:db8:a::2"}, "source: '2001:db8:a::2' is not an IPv4 address."),
        ({"table": "no table"}, "table: 'no table' is not a table's name (letters, digits, '_', '.', '-'; not a digit"),
        ({"interfaces": []}, "interfaces: [] is empty: name at least one interface, or all."),
        ({"interfaces": ["all", "v0"]}, "interfaces: ['all', 'v0'] names interfaces beside all, which is all of them."),
        ({"interfaces": ["nope0"]}, "interfaces[0]: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        (
            {"file": "/nowhere/arp"},
            "file: '/nowhere/arp' cannot be written: the directory /nowhere does not exist.",
        ),
        ({"method": "sysctl"}, f"vips: ['{VIP}', '{PREFIX}'] goes with method nftables."),
        ({"method": "sysctl", "vips": None, "source": OWN}, f"source: '{OWN}' goes with method nftables."),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("arp_suppress", **{**SILENT, **options})
    assert str(caught.value).startswith(message)
    assert listed(netns) == []


def test_reading_needs_privilege_too(netns: Namespace) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(LvsError, match="CAP_NET_ADMIN"):
        call("arp_suppress", check=True, **SILENT)


def test_ten_thousand_vips_are_one_rule(netns: Namespace) -> None:
    many = [f"198.{18 + place // 5000}.{place % 5000 // 250}.{place % 250}" for place in range(10_000)]
    netns.call("arp_suppress", **SILENT)
    rules = sum("rule" in item for item in listed(netns))
    started = time.process_time()
    assert netns.call("arp_suppress", method="nftables", vips=many)["changed"]
    assert not netns.call("arp_suppress", method="nftables", vips=many)["changed"]
    assert time.process_time() - started < 10
    assert sum("rule" in item for item in listed(netns)) == rules
    assert len(vips(netns)) == 10_000
