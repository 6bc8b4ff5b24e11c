"""The module fwmark against the kernel. ``nft -j list ruleset`` and real packets are the oracles."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import (
    BadInput,
    LvsError,
    Missing,
    PartlyApplied,
    ProgramFailed,
    Refused,
)
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_table, nft, nft_library, program
from ansible_collections.lvs.vipless.plugins.modules import fwmark
from frames import Wire, packet, wire
from namespace import Namespace, call, without_net_admin
from traffic import connect, serving

WEB = {"vips": ["203.0.113.10", "2001:db8:f::/64"], "ports": ["tcp/80", "udp/4000-4999"], "mark": "0x10001"}
ALL = {"vips": ["203.0.113.0/24", "2001:db8:f::10"], "ports": ["any"], "mark": "0x2/0xff"}
BOTH = {"marks": [WEB, ALL], "purge": True}
SHOWN = {
    "v4_ports_exact 203.0.113.10 tcp 80 mark_0x10001",
    "v4_ports 203.0.113.10 udp 4000-4999 mark_0x10001",
    "v6_ports 2001:db8:f::/64 tcp 80 mark_0x10001",
    "v6_ports 2001:db8:f::/64 udp 4000-4999 mark_0x10001",
    "v4_any 203.0.113.0/24 ipv4 mark_0x2_0xff",
    "v6_any_exact 2001:db8:f::10 ipv6 mark_0x2_0xff",
}
FOREIGN = """
add table ip nat
add map ip nat v4_ports { type ipv4_addr . inet_service : verdict; flags interval; }
add element ip nat v4_ports { 203.0.113.10 . 80 : accept }
add chain ip nat prerouting { type nat hook prerouting priority dstnat; }
add rule ip nat prerouting ip daddr . tcp dport vmap @v4_ports
add table inet lvs_vipless_too
add set inet lvs_vipless_too vips { type ipv4_addr; flags interval; }
add element inet lvs_vipless_too vips { 203.0.113.0/24 }
add chain inet lvs_vipless_too prerouting { type filter hook prerouting priority mangle; }
add rule inet lvs_vipless_too prerouting ip daddr @vips counter
"""
PROBE = """
add table inet probe
add set inet probe seen { type mark; flags dynamic; }
add counter inet probe marked
add counter inet probe unmarked
add chain inet probe before { type filter hook prerouting priority -200; }
add chain inet probe after { type filter hook prerouting priority -100; }
add rule inet probe after ip saddr 10.0.0.9 add @seen { meta mark }
add rule inet probe after ip6 saddr 2001:db8:a::9 add @seen { meta mark }
add rule inet probe after ip saddr 10.0.0.9 meta mark 0 counter name unmarked
add rule inet probe after ip saddr 10.0.0.9 meta mark != 0 counter name marked
"""


def ruleset(netns: Namespace) -> list[dict[str, Any]]:
    """Every object of the namespace without its handle, which a repair may change."""
    listed = json.loads(netns.run("nft", "-j", "list", "ruleset"))["nftables"]
    for item in listed:
        for body in item.values():
            body.pop("handle", None)
    return [item for item in listed if "metainfo" not in item]


def whole(netns: Namespace) -> list[str]:
    """The ruleset in an order of its own; that of the rules in a chain counts."""
    found = ruleset(netns)
    chains: dict[str, list[Any]] = {}
    for item in found:
        if "rule" in item:
            chains.setdefault(f"{item['rule']['table']} {item['rule']['chain']}", []).append(item["rule"]["expr"])
        elif "map" in item:
            item["map"].get("elem", []).sort(key=json.dumps)
    return sorted(json.dumps(item, sort_keys=True) for item in [*(i for i in found if "rule" not in i), chains])


def shown(netns: Namespace, table: str = "lvs_vipless") -> set[str]:
    """The elements of every map as ``map address protocol port chain``."""
    return {
        " ".join([item["map"]["name"], *map(plain, key["concat"]), verdict["goto"]["target"]])
        for item in ruleset(netns)
        if "map" in item and item["map"]["table"] == table and item["map"]["type"] != "mark"
        for key, verdict in item["map"].get("elem", [])
    }


def plain(field: Any) -> str:
    if isinstance(field, dict) and "prefix" in field:
        return f"{field['prefix']['addr']}/{field['prefix']['len']}"
    return "-".join(map(str, field["range"])) if isinstance(field, dict) else str(field)


def chains(netns: Namespace) -> set[str]:
    """The chains of our table."""
    found = [item["chain"] for item in ruleset(netns) if "chain" in item]
    return {chain["name"] for chain in found if chain["table"] == "lvs_vipless"}


def others(netns: Namespace) -> str:
    """Every table but ours, in nft's own words."""
    names = [(t["family"], t["name"]) for t in (item.get("table") for item in ruleset(netns)) if t]
    return "".join(netns.run("nft", "list", "table", *name) for name in names if name != ("inet", "lvs_vipless"))


@pytest.fixture(params=["libnftables", "nft"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes by the library, and by the program where the library is not there."""
    if request.param == "nft":
        monkeypatch.setattr(nft_library, "_load", lambda: None)
    else:
        assert nft_library.context()


@pytest.mark.usefixtures("way")
def test_makes_the_marks_that_were_asked_for(netns: Namespace) -> None:
    assert netns.call("fwmark", **BOTH)["changed"]
    assert shown(netns) == SHOWN
    assert chains(netns) == {"prerouting", "lookups", "mark_0x10001", "mark_0x2_0xff"}


def test_second_run_changes_nothing(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    before = ruleset(netns)
    again = netns.call("fwmark", **BOTH)
    assert not again["changed"]
    assert again["changes"] == []
    assert again["diff"]["before"] == again["diff"]["after"]
    assert "ipv4 203.0.113.0/24 any mark 0x2/0xff\n" in again["diff"]["after"]
    assert "ipv4 203.0.113.10 tcp/80 mark 0x10001\n" in again["diff"]["after"]
    assert ruleset(netns) == before


def test_check_mode_predicts_and_changes_nothing(netns: Namespace) -> None:
    predicted = netns.call("fwmark", check=True, **BOTH)
    assert ruleset(netns) == []
    assert predicted == netns.call("fwmark", **BOTH)
    before = ruleset(netns)
    fewer = {"marks": [{**WEB, "mark": "5"}], "purge": True}
    predicted = netns.call("fwmark", check=True, **fewer)
    assert ruleset(netns) == before
    assert predicted == netns.call("fwmark", **fewer)
    assert "change ipv4 203.0.113.10 tcp/80 mark 0x10001 to ipv4 203.0.113.10 tcp/80 mark 0x5" in predicted["changes"]
    assert "remove ipv4 203.0.113.0/24 any mark 0x2/0xff" in predicted["changes"]


EACH_OPTION: list[tuple[str, object]] = [
    ("vips", ["203.0.113.11", "2001:db8:f::/64"]),
    ("vips", ["203.0.113.10", "2001:db8:f::/65"]),
    ("ports", ["tcp/81", "udp/4000-4999"]),
    ("ports", ["sctp/80", "udp/4000-4999"]),
    ("ports", ["tcp/80", "udp/4000-5000"]),
    ("ports", ["tcp", "udp"]),
    ("ports", ["any"]),
    ("sources", ["198.51.100.0/24", "2001:db8:1::/48"]),
    ("iif", ["v0"]),
    ("mark", "0x10002"),
    ("mark", "0x10001/0x1ffff"),
    ("table", "marks.two"),
    ("hooks", ["prerouting", "output"]),
    ("hooks", ["output"]),
    ("new_connections", True),
    ("exclude_macs", ["52:54:00:00:00:01"]),
]


@pytest.mark.parametrize(("option", "value"), EACH_OPTION)
def test_every_option_changed_alone_is_a_change(netns: Namespace, option: str, value: object) -> None:
    netns.call("fwmark", marks=[WEB], purge=True)
    before = whole(netns)
    entry, top = ({**WEB, option: value}, {}) if option in fwmark.OPTIONS else (WEB, {option: value})
    predicted = netns.call("fwmark", check=True, marks=[entry], purge=True, **top)
    assert whole(netns) == before
    assert predicted["changed"]
    assert netns.call("fwmark", marks=[entry], purge=True, **top) == predicted
    assert whole(netns) != before
    assert not netns.call("fwmark", marks=[entry], purge=True, **top)["changed"]
    assert len(shown(netns, str(top.get("table", "lvs_vipless")))) == (2 if value == ["any"] else 4)
    if option != "table":
        # What is not asked of the table stays; asked otherwise, all is as it was.
        assert not netns.call("fwmark", marks=[entry], purge=True)["changed"]
        usual = {"hooks": ["prerouting"], "new_connections": False, "exclude_macs": []}
        netns.call("fwmark", marks=[WEB], purge=True, **usual)
        assert whole(netns) == before


def test_every_option_has_a_case() -> None:
    others = {"marks", "state", "purge", "file", "force"}
    assert {option for option, _value in EACH_OPTION} == set(fwmark.SPEC.options) - others


def test_one_entry_leaves_the_others(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    result = netns.call("fwmark", vips=["203.0.113.77"], ports=["tcp/80"], mark="7")
    assert result["changes"] == ["add ipv4 203.0.113.77 tcp/80 mark 0x7"]
    assert shown(netns) == SHOWN | {"v4_ports_exact 203.0.113.77 tcp 80 mark_0x7"}


def test_absent_needs_no_mark_and_takes_the_chain_along(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    gone = {"vips": ALL["vips"], "ports": ["any"], "state": "absent"}
    assert netns.call("fwmark", **gone)["changed"]
    assert shown(netns) == {line for line in SHOWN if "_any" not in line}
    assert chains(netns) == {"prerouting", "lookups", "mark_0x10001"}
    assert not netns.call("fwmark", **gone)["changed"]


@pytest.mark.parametrize(
    "options", [{"marks": [], "purge": True}, {"marks": [WEB, ALL], "state": "absent"}], ids=["purge", "absent"]
)
def test_nothing_is_left_of_the_table_when_the_last_mark_goes(netns: Namespace, options: dict[str, Any]) -> None:
    assert not netns.call("fwmark", **options)["changed"]
    netns.call("fwmark", **BOTH)
    predicted = netns.call("fwmark", check=True, **options)
    result = netns.call("fwmark", **options)
    assert result == predicted
    assert result["diff"]["after"] == ""
    assert "remove table inet lvs_vipless" in result["changes"]
    assert ruleset(netns) == []
    assert not netns.call("fwmark", **options)["changed"]


def test_an_empty_list_without_purge_asks_for_nothing(netns: Namespace) -> None:
    assert not netns.call("fwmark", marks=[])["changed"]
    assert ruleset(netns) == []


def test_other_tables_stay_as_they_are(netns: Namespace) -> None:
    netns.run("nft", "-f", "-", stdin=FOREIGN)
    before = others(netns)
    assert "lvs_vipless_too" in before
    assert "vmap @v4_ports" in before
    netns.call("fwmark", **BOTH)
    netns.call("fwmark", marks=[{**WEB, "mark": "5"}], purge=True)
    assert others(netns) == before
    netns.call("fwmark", marks=[], purge=True)
    assert others(netns) == before == netns.run("nft", "list", "ruleset")


@pytest.mark.parametrize(
    ("commands", "what"),
    [
        ("add set inet lvs_vipless vips { type ipv4_addr; }", "a set vips"),
        ("add chain inet lvs_vipless web", "a chain web"),
        ("add chain inet lvs_vipless prerouting", "a chain prerouting and no map"),
        ("add counter inet lvs_vipless seen", "a counter seen"),
        ("add map inet lvs_vipless v4_any { type ipv4_addr : verdict; flags interval; }", "a map v4_any"),
        ("add map inet lvs_vipless v4_any { type ipv4_addr . nf_proto : mark; flags interval; }", "a map v4_any"),
    ],
)
def test_a_table_of_others_is_refused(netns: Namespace, commands: str, what: str) -> None:
    netns.run("nft", "-f", "-", stdin=f"add table inet lvs_vipless\n{commands}\n")
    before = ruleset(netns)
    for options in (BOTH, {"marks": [], "purge": True}, {"marks": [WEB], "state": "absent"}):
        for check in (True, False):
            with pytest.raises(Refused, match=f"^table: 'lvs_vipless' refused: .* has {what}.*Choose another name"):
                netns.call("fwmark", check=check, **options)
    assert ruleset(netns) == before


def test_an_element_of_another_shape_is_refused(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    netns.run("nft", "add", "element", "inet", "lvs_vipless", "v4_ports", "{ * : goto mark_0x10001 }")
    before = ruleset(netns)
    with pytest.raises(Refused, match=r"an element \* in the map v4_ports"):
        netns.call("fwmark", **BOTH)
    assert ruleset(netns) == before


def test_a_sleeping_table_is_refused(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    netns.run("nft", "add table inet lvs_vipless { flags dormant; }")
    # nft 1.0.6 writes a wrong name for the flags, or breaks off there.
    with pytest.raises(LvsError, match="flags"):
        netns.call("fwmark", **BOTH)
    assert "dormant" in netns.run("nft", "list", "table", "inet", "lvs_vipless")


T = "inet lvs_vipless"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (f"flush chain {T} prerouting", "chain prerouting"),
        (f"delete chain {T} prerouting", "chain prerouting"),
        (f"insert rule {T} prerouting accept", "chain prerouting"),
        (f"add chain {T} prerouting {{ policy drop; }}", "chain prerouting"),
        (
            f"delete chain {T} prerouting\n"
            f"add chain {T} prerouting {{ type filter hook prerouting priority -140; }}\n"
            f"add rule {T} prerouting goto lookups",
            "chain prerouting",
        ),
        (f"delete chain {T} prerouting\nflush chain {T} lookups", "chain lookups, chain prerouting"),
        (f"add rule {T} lookups accept", "chain lookups"),
        (f"add map {T} v6_any {{ type ipv6_addr . nf_proto : verdict; flags interval; }}", "map v6_any"),
        (f"add set {T} excluded_macs {{ type ether_addr; }}", "set excluded_macs"),
        (f"flush chain {T} mark_0x2_0xff", "chain mark_0x2_0xff"),
        (f"add rule {T} mark_0x2_0xff accept", "chain mark_0x2_0xff"),
        (f"flush chain {T} mark_0x10001\nadd rule {T} mark_0x10001 meta mark set 0x10002", "chain mark_0x10001"),
        (f"add chain {T} mark_0x7", "chain mark_0x7"),
    ],
)
def test_repairs_in_place(netns: Namespace, damage: str, named: str) -> None:
    # Only v4 in the map that one case deletes.
    entries = {"marks": [WEB, {**ALL, "vips": ["203.0.113.0/24"]}], "purge": True}
    netns.call("fwmark", **entries)
    pristine = whole(netns)
    netns.run("nft", "-f", "-", stdin=damage + "\n")
    damaged = whole(netns)
    assert damaged != pristine
    predicted = netns.call("fwmark", check=True, **entries)
    assert whole(netns) == damaged
    result = netns.call("fwmark", **entries)
    assert result == predicted
    assert result["changes"] == [f"change table inet lvs_vipless (damaged: {named}) to table inet lvs_vipless"]
    assert whole(netns) == pristine
    assert not netns.call("fwmark", **entries)["changed"]


@pytest.mark.parametrize(
    ("damage", "steps"),
    [
        (
            f"delete element {T} v4_ports_exact {{ 203.0.113.10 . tcp . 80 }}",
            [
                # Empty now, and looked up for nothing.
                "change table inet lvs_vipless (damaged: chain lookups, map v4_ports_exact) to table inet lvs_vipless",
                "add ipv4 203.0.113.10 tcp/80 mark 0x10001",
            ],
        ),
        (
            f"delete element {T} v4_ports_exact {{ 203.0.113.10 . tcp . 80 }}\n"
            f"add element {T} v4_ports_exact {{ 203.0.113.10 . tcp . 80 : drop }}",
            ["change ipv4 203.0.113.10 tcp/80 drop to ipv4 203.0.113.10 tcp/80 mark 0x10001"],
        ),
        (
            f"delete element {T} v4_any {{ 203.0.113.0/24 . ipv4 }}\n"
            f"add element {T} v4_any {{ 203.0.113.0/24 . ipv4 : jump mark_0x10001 }}",
            [
                # Nothing leads there any more.
                "change table inet lvs_vipless (damaged: chain mark_0x2_0xff) to table inet lvs_vipless",
                "change ipv4 203.0.113.0/24 any jump mark_0x10001 to ipv4 203.0.113.0/24 any mark 0x2/0xff",
            ],
        ),
        (
            f"add element {T} v4_ports {{ 10.0.0.1-10.0.0.6 . icmp . 0-9 : accept }}",
            ["remove ipv4 10.0.0.1-10.0.0.6 icmp/0-9 accept"],
        ),
        (
            f'add element {T} v6_ports {{ ::/1 . 6 . 7 comment "mine" : goto mark_0x10001 }}',
            ["remove ipv6 ::/1 tcp/7 mark 0x10001"],
        ),
    ],
)
def test_elements_of_others_are_ours_to_put_right(netns: Namespace, damage: str, steps: list[str]) -> None:
    entries = {"marks": [WEB, {**ALL, "vips": ["203.0.113.0/24"]}], "purge": True}
    netns.call("fwmark", **entries)
    pristine = whole(netns)
    netns.run("nft", "-f", "-", stdin=damage + "\n")
    assert netns.call("fwmark", **entries)["changes"] == steps
    assert whole(netns) == pristine


def test_what_nft_lists_can_be_loaded_at_boot(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    before, text = whole(netns), netns.run("nft", "list", "ruleset")
    netns.run("nft", "flush", "ruleset")
    netns.run("nft", "-f", "-", stdin=text)
    assert whole(netns) == before
    assert not netns.call("fwmark", **BOTH)["changed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vips": ["203.0.113.10/24"]}, "vips[0]: '203.0.113.10/24' has host bits set; the prefix is 203.0.113.0/24."),
        ({"ports": ["tcp/0"]}, "ports[0]: 'tcp/0' names a port that is not between 1 and 65535."),
        ({"ports": ["tcp/80-70"]}, "ports[0]: 'tcp/80-70' ends before it starts."),
        ({"ports": None}, "ports is missing: name ports, or any."),
        ({"mark": "0x101/0xff"}, "mark: '0x101/0xff' has bits outside its mask (mark 0x101, mask 0xff)."),
        ({"mark": None}, "mark is missing: say which mark the packets get."),
        ({"purge": True}, "purge: True goes with the list marks and state: present only."),
        (
            {"table": "a table"},
            "table: 'a table' is not a table's name (letters, digits, '_', '.', '-'; not a digit first).",
        ),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    options = {name: value for name, value in {**WEB, **change}.items() if value is not None}
    with pytest.raises(BadInput) as caught:
        netns.call("fwmark", **options)
    assert str(caught.value) == message
    assert ruleset(netns) == []


def test_the_same_mark_twice_is_an_error(netns: Namespace) -> None:
    with pytest.raises(BadInput, match=r"^marks\[1\]\.vips\[0\]: .* names the same object as marks\[0\]\.vips\[0\]"):
        netns.call("fwmark", marks=[WEB, {**WEB, "mark": "7"}])


def test_overlapping_marks_are_an_error(netns: Namespace) -> None:
    wider = {"vips": ["192.0.2.1", "203.0.113.0/24"], "ports": ["tcp/1-100"], "mark": "7"}
    with pytest.raises(BadInput, match=r"^marks\[1\]\.vips\[1\]: .* overlaps marks\[0\]\.vips\[0\]"):
        netns.call("fwmark", marks=[WEB, wider])
    assert ruleset(netns) == []


def test_a_mark_that_overlaps_one_which_stays_is_refused(netns: Namespace) -> None:
    netns.call("fwmark", **BOTH)
    before = ruleset(netns)
    wider = {"vips": ["203.0.113.0/24"], "ports": ["tcp/1-100"], "mark": "7"}
    with pytest.raises(Refused, match=r"holds 'ipv4 203\.0\.113\.10 tcp/80 mark 0x10001', which it overlaps"):
        netns.call("fwmark", **wider)
    assert ruleset(netns) == before
    netns.call("fwmark", marks=[wider], purge=True)
    assert shown(netns) == {"v4_ports 203.0.113.0/24 tcp 1-100 mark_0x7"}


@pytest.mark.parametrize("mark", ["7", "8"])
def test_what_a_killed_run_left_of_a_move_goes(netns: Namespace, mark: str) -> None:
    """Once the marks are as they should be, and whatever it says."""
    wanted = [{"vips": ["203.0.113.0/24"], "ports": ["tcp/80"], "mark": mark}]
    netns.call("fwmark", marks=wanted)
    meant = whole(netns)
    netns.call("fwmark", marks=[{**wanted[0], "mark": "7"}])
    left = "203.0.113.0/24 . 6 . 80 : goto mark_0x9"
    rule = "ip daddr . meta l4proto . th dport vmap @v4_ports_moving"
    for line in (
        f"add chain {T} mark_0x9",
        f"add map {T} v4_ports_moving {{ type ipv4_addr . inet_proto . inet_service : verdict; flags interval; }}",
        f"add element {T} v4_ports_moving {{ {left} }}",
        f"insert rule {T} lookups {rule}",
    ):
        netns.run("nft", line)
    predicted = netns.call("fwmark", check=True, marks=wanted)
    assert netns.call("fwmark", marks=wanted)["changes"] == predicted["changes"]
    assert whole(netns) == meant
    assert not netns.call("fwmark", marks=wanted)["changed"]


@pytest.mark.usefixtures("way")
def test_a_failing_transaction_changes_nothing(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    netns.call("fwmark", **BOTH)
    # Without the module's own check, nft is the one to refuse a prefix within another.
    monkeypatch.setattr(mark_table, "overlap", lambda _marks: None)
    wanted = [{"vips": ["192.0.2.1", "203.0.113.10"], "ports": ["udp/4500-5000"], "mark": "1"}]
    before = whole(netns)
    with pytest.raises(PartlyApplied) as caught:
        netns.call("fwmark", marks=[{"vips": ["192.0.2.9"], "ports": ["tcp/80"], "mark": "9"}, *wanted])
    assert caught.value.details["done"] == []
    assert "File exists" in str(caught.value)
    with pytest.raises(ProgramFailed, match=r"^nft refused the changes to the table inet lvs_vipless.*File exists"):
        netns.call("fwmark", marks=[{**one, "mark": WEB["mark"]} for one in wanted])
    monkeypatch.undo()
    assert shown(netns) == SHOWN
    # Chains that nothing leads to.
    assert netns.call("fwmark", **BOTH)["changed"]
    assert whole(netns) == before


def test_a_table_that_changed_meanwhile_is_read_again(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    netns.call("fwmark", **BOTH)
    check = mark_table.MarkTable.check

    def overtaken(table: mark_table.MarkTable, plan: Any) -> None:
        check(table, plan)
        with netns.entered():
            nft.Transactions().carry_out("", [f"add element {T} v4_ports {{ 198.51.100.0/24 . 6 . 80 : accept }}"])

    monkeypatch.setattr(mark_table.MarkTable, "check", overtaken)
    wanted = [WEB, {"vips": ["198.51.100.0/25"], "ports": ["tcp/80"], "mark": "0x10001"}]
    assert netns.call("fwmark", marks=wanted, purge=True)["changed"]
    monkeypatch.undo()
    assert "v4_ports 198.51.100.0/25 tcp 80 mark_0x10001" in shown(netns)
    assert not any("198.51.100.0/24" in line for line in shown(netns))
    assert not netns.call("fwmark", marks=wanted, purge=True)["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_an_unprivileged_run_says_what_it_lacks(netns: Namespace, check: bool) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match="CAP_NET_ADMIN, which even reading"):
        call("fwmark", check=check, **BOTH)
    assert ruleset(netns) == []


def test_a_host_without_nft_is_told_the_package(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SYSTEM_DIRECTORIES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with netns.entered(), pytest.raises(Missing, match="install the package nftables"):
        call("fwmark", **BOTH)


def test_nft_is_found_without_the_system_directories_in_path(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with netns.entered(), monkeypatch.context() as patch:
        patch.setenv("PATH", "/usr/bin")
        assert call("fwmark", **BOTH)["changed"]


def test_what_nft_says_when_it_fails_is_passed_on(
    netns: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "nft"
    broken.write_text("#!/bin/sh\necho 'internal:0:0-0: Error: netlink is out of order' >&2\nexit 3\n")
    broken.chmod(0o755)
    with netns.entered(), monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(ProgramFailed, match=r"list the table inet lvs_vipless: .*out of order \(exit code 3\)"):
            call("fwmark", **BOTH)


@pytest.fixture
def line(netns: Namespace) -> Iterator[Wire]:
    """A wire to v0, and a table that sees the marks of what arrives."""
    netns.run("nft", "-f", "-", stdin=PROBE)
    with wire(netns) as made:
        yield made


def seen(netns: Namespace, line: Wire, data: bytes) -> int:
    """The mark that a packet has after our table."""
    netns.run("nft", "flush", "set", "inet", "probe", "seen")
    line.send(data)
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        (found,) = (item["set"] for item in ruleset(netns) if item.get("set", {}).get("name") == "seen")
        if "elem" in found:
            (mark,) = found["elem"]
            return int(mark)
    raise TimeoutError("the packet did not arrive")


def test_packets_get_the_marks(netns: Namespace, line: Wire) -> None:
    netns.call("fwmark", **BOTH)
    expected = {
        packet("203.0.113.10", "tcp", 80): 0x10001,
        packet("203.0.113.10", "udp", 4000): 0x10001,
        packet("203.0.113.10", "udp", 4999): 0x10001,
        packet("2001:db8:f::77", "tcp", 80): 0x10001,
        packet("2001:db8:f::77", "tcp", 80, options=True): 0x10001,
        # Its ports go first, any takes the rest.
        packet("2001:db8:f::10", "tcp", 80): 0x10001,
        packet("2001:db8:f::10", "tcp", 81): 2,
        packet("2001:db8:f::10", "icmpv6"): 2,
        packet("203.0.113.10", "tcp", 81): 2,
        packet("203.0.113.10", "udp", 80): 2,
        packet("203.0.113.10", "udp", 5000): 2,
        packet("203.0.113.10", "sctp", 80): 2,
        packet("203.0.113.10", "icmp"): 2,
        packet("203.0.113.255", "icmp"): 2,
        # A later fragment has no port.
        packet("203.0.113.10", "udp", fragment=1480): 2,
        packet("2001:db8:f::10", "udp", fragment=1480): 2,
        packet("2001:db8:f::77", "udp", fragment=1480): 0,
        packet("2001:db8:f::77", "tcp", 81): 0,
        packet("2001:db8:f:1::77", "tcp", 80): 0,
        packet("203.0.114.10", "tcp", 80): 0,
    }
    assert {data: seen(netns, line, data) for data in expected} == expected


def test_bits_outside_the_mask_are_kept(netns: Namespace, line: Wire) -> None:
    netns.run("nft", "add rule inet probe before meta mark set 0xa5a5a5a5")
    marks = {"10.9.0.1": "2/0xff", "10.9.0.2": "0x10000/0x30000", "10.9.0.3": "0/0xf", "10.9.0.4": "3", "10.9.0.5": "0"}
    wanted = [{"vips": [vip], "ports": ["sctp/7"], "mark": mark} for vip, mark in marks.items()]
    netns.call("fwmark", marks=wanted, purge=True)
    kept = [seen(netns, line, packet(vip, "sctp", 7)) for vip in [*marks, "10.9.0.6"]]
    assert kept == [0xA5A5A502, 0xA5A5A5A5 & ~0x30000 | 0x10000, 0xA5A5A5A0, 3, 0, 0xA5A5A5A5]
    # Overlapping any, since ports go first.
    netns.call("fwmark", vips=["10.9.0.0/16"], ports=["any"], mark="0x70/0xf0")
    assert seen(netns, line, packet("10.9.0.1", "sctp", 7)) == 0xA5A5A502
    assert seen(netns, line, packet("10.9.0.1", "sctp", 8)) == 0xA5A5A575


def test_a_marked_packet_is_delivered(netns: Namespace, line: Wire) -> None:
    netns.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
    netns.call("ip_rule", family="ipv4", priority=100, iif="v0", fwmark="0x10000/0x10000", table="100")
    with netns.entered():
        daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with daemon:
        daemon.bind(("0.0.0.0", 4000))
        daemon.settimeout(0.2)
        line.send(packet("203.0.113.10", "udp", 4000))
        with pytest.raises(TimeoutError):
            daemon.recv(100)
        netns.call("fwmark", **WEB)
        daemon.settimeout(10)
        line.send(packet("203.0.113.10", "udp", 4000))
        assert daemon.recv(100) == bytes(4)


def test_marks_stay_whoever_else_sets_them(netns: Namespace, line: Wire) -> None:
    """Of the chains at one priority, the kernel asks the newest first: reloading a firewall changes their order."""
    restoring = "add table inet vpn; add chain inet vpn before { type filter hook prerouting priority mangle; }"
    for mark in ("meta mark set ct mark", "meta mark set 0"):
        for step in range(2):
            netns.run("nft", f"{restoring}; add rule inet vpn before {mark}")
            netns.call("fwmark", **WEB)
            assert seen(netns, line, packet("203.0.113.10", "udp", 4000)) == 0x10001, (mark, step)
            netns.run("nft", "delete table inet vpn")
            if step:
                netns.run("nft", "delete table inet lvs_vipless")


def test_packets_by_source_interface_and_protocol(netns: Namespace, line: Wire) -> None:
    vips = ["203.0.113.10", "2001:db8:f::10"]
    clients = ["10.0.0.0/24", "2001:db8:a::9"]
    entries = [
        {"vips": vips, "ports": ["any"], "mark": "1"},
        {"vips": vips, "ports": ["tcp"], "mark": "2"},
        {"vips": vips, "ports": ["tcp/80"], "mark": "3"},
        {"vips": vips, "ports": ["any"], "mark": "4", "sources": ["198.51.100.7", "2001:db8:1::/48"]},
        {"vips": vips, "ports": ["udp/53"], "mark": "5", "sources": clients},
        {"vips": vips, "ports": ["udp/53"], "mark": "6", "sources": clients, "iif": ["v1"]},
        {"vips": vips, "ports": ["sctp/1-9"], "mark": "7", "iif": ["v0", "v1"]},
        {"vips": vips[:1], "ports": ["icmp"], "mark": "8"},
        {"vips": vips[1:], "ports": ["icmpv6"], "mark": "9"},
    ]
    netns.call("fwmark", marks=entries, purge=True)
    expected = {
        packet(vip, protocol, port): mark
        for vip, ping in zip(vips, [("icmp", 0, 8), ("icmpv6", 0, 9)], strict=True)
        for protocol, port, mark in (
            ("tcp", 80, 3),
            ("tcp", 81, 2),
            ("udp", 53, 5),
            ("udp", 54, 1),
            ("sctp", 9, 7),
            ping,
        )
    }
    assert {data: seen(netns, line, data) for data in expected} == expected


def test_packets_from_an_excluded_mac_are_not_marked(netns: Namespace, line: Wire) -> None:
    data = packet("203.0.113.10", "tcp", 80)
    netns.call("fwmark", **WEB, exclude_macs=["52:54:00:00:00:01"])
    assert seen(netns, line, data) == 0x10001
    # What the wire's frames have.
    netns.call("fwmark", **WEB, exclude_macs=["52:54:00:00:00:01", "00:00:00:00:00:00"])
    assert seen(netns, line, data) == 0
    netns.call("fwmark", **WEB, exclude_macs=["52:54:00:00:00:01"])
    assert seen(netns, line, data) == 0x10001


def test_a_packet_of_this_host_finds_the_way_of_its_mark(netns: Namespace) -> None:
    netns.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
    netns.call("ip_rule", family="ipv4", priority=100, fwmark="0x10000/0x10000", table="100")
    with netns.entered():
        daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with daemon, client:
        daemon.bind(("0.0.0.0", 4000))
        netns.call("fwmark", **WEB)
        client.sendto(b"lost", ("203.0.113.10", 4000))
        netns.call("fwmark", **WEB, hooks=["prerouting", "output"])
        client.sendto(b"found", ("203.0.113.10", 4000))
        daemon.settimeout(10)
        assert daemon.recv(100) == b"found"


def test_later_packets_of_a_connection_get_what_the_first_got(netns: Namespace) -> None:
    vip, other = "203.0.113.10", {"vips": ["203.0.113.11"], "ports": ["tcp/80"], "mark": "0x10000/0x10000"}
    netns.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
    netns.call("ip_rule", family="ipv4", priority=100, iif="v0", fwmark="0x10000/0x10000", table="100")
    netns.run("nft", "-f", "-", stdin=COUNTERS)
    with Namespace() as client:
        connect(netns, client)
        netns.call("fwmark", marks=[{**other, "vips": [vip]}, other], new_connections=True)
        with serving(netns), client.entered(), socket.create_connection((vip, 80), timeout=10) as connection:
            assert connection.recv(4) == b"here"
            # The entry goes; what the connection has saved stays.
            netns.call("fwmark", marks=[other], purge=True)
            connection.sendall(b"?")
            assert connection.recv(1) == b"?"
            with pytest.raises(OSError, match="timed out"):
                socket.create_connection((vip, 80), timeout=0.3)
    counted = {item["counter"]["name"]: item["counter"]["packets"] for item in ruleset(netns) if "counter" in item}
    assert counted["marked"] >= 4
    assert counted["unmarked"] >= 1
    assert counted["replies"] >= 3
    assert counted["marked_replies"] == 0


COUNTERS = """
add table inet probe
add counter inet probe marked
add counter inet probe unmarked
add counter inet probe replies
add counter inet probe marked_replies
add chain inet probe after { type filter hook prerouting priority -100; }
add chain inet probe leaving { type filter hook postrouting priority 0; }
add rule inet probe after iifname v0 tcp dport 80 meta mark 0x10000 counter name marked
add rule inet probe after iifname v0 tcp dport 80 meta mark 0 counter name unmarked
add rule inet probe leaving oifname v0 tcp sport 80 counter name replies
add rule inet probe leaving oifname v0 tcp sport 80 meta mark != 0 counter name marked_replies
"""


def test_no_packet_is_missed_while_other_marks_change(netns: Namespace, line: Wire) -> None:
    netns.call("fwmark", marks=[WEB], purge=True)
    data, over = packet("203.0.113.10", "tcp", 80), threading.Event()

    def keep_sending() -> None:
        while not over.is_set():
            line.send(data)

    sender = threading.Thread(target=keep_sending)
    sender.start()
    try:
        for number in range(10):
            # Elements, chains and the base chain come and go.
            other = {"vips": [f"192.0.2.{number}", "203.0.113.9"], "ports": ["tcp/80"], "mark": str(number + 1)}
            netns.call("fwmark", marks=[WEB, other], purge=True)
            netns.run("nft", f"insert rule {T} prerouting counter")
    finally:
        over.set()
        sender.join()
    counters = {item["counter"]["name"]: item["counter"]["packets"] for item in ruleset(netns) if "counter" in item}
    assert counters["marked"] > 1000
    assert counters["unmarked"] == 0


def test_ten_thousand_vips(netns: Namespace) -> None:
    vips = [str(ipaddress.ip_address(0x0A000000 + 2 * place)) for place in range(10_000)]
    entry = {"vips": vips, "ports": ["tcp/80"], "mark": "0x10001"}
    assert len(netns.call("fwmark", marks=[entry], purge=True)["changes"]) == 10_001
    assert not netns.call("fwmark", marks=[entry], purge=True)["changed"]
    ten = {"vips": vips[:10], "ports": ["tcp/80"], "mark": "0x10002"}
    result = netns.call("fwmark", marks=[ten, {**entry, "vips": vips[10:]}], purge=True)
    assert len(result["changes"]) == 10
    found = shown(netns)
    assert len(found) == 10_000
    assert {item for item in found if item.endswith("mark_0x10002")} == {
        f"v4_ports_exact {vip} tcp 80 mark_0x10002" for vip in vips[:10]
    }


VIPS = ["203.0.113.0/24", "203.0.113.10", "203.0.113.64/26", "0.0.0.0/0", "2001:db8:f::/64", "2001:db8:f::10", "::/0"]
PORTS = ["any", "tcp/80", "tcp/64-127", "udp/80", "udp/1-65535", "sctp/80-81", "tcp", "89"]
MARKS = ["1", "0x10001", "0x10000/0x10000", "0xff/0xff", "0xffffffff"]
SOURCES = {4: ["198.51.100.0/24", "198.51.100.7", "192.0.2.0/24"], 6: ["2001:db8:1::/48", "2001:db8:2::1"]}


@st.composite
def lists_of_marks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Entries of one VIP, port, source and interface, none of which overlaps another of its kind."""
    found: list[dict[str, Any]] = []
    for vip, port in draw(st.lists(st.tuples(st.sampled_from(VIPS), st.sampled_from(PORTS)), max_size=8)):
        entry: dict[str, Any] = {"vips": [vip], "ports": [port], "mark": draw(st.sampled_from(MARKS))}
        if draw(st.booleans()):
            entry["sources"] = [draw(st.sampled_from(SOURCES[ipaddress.ip_network(vip).version]))]
        if draw(st.booleans()):
            entry["iif"] = [draw(st.sampled_from(["v0", "eth0.100"]))]
        if not any(meet(entry, other) for other in found):
            found.append(entry)
    return found


TABLES = st.fixed_dictionaries(
    {},
    optional={
        "hooks": st.sampled_from([["prerouting"], ["output"], ["prerouting", "output"]]),
        "new_connections": st.booleans(),
        "exclude_macs": st.lists(st.sampled_from([f"52:54:00:00:00:0{i}" for i in range(3)]), unique=True),
    },
)


def meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if any(one.get(name, []) != other.get(name, []) for name in ("iif",)) or ("sources" in one) != ("sources" in other):
        return False
    for name in ("vips", "sources"):
        nets = [ipaddress.ip_network(text) for entry in (one, other) for text in entry.get(name, [])]
        if nets and (nets[0].version != nets[1].version or not nets[0].overlaps(nets[1])):
            return False
    (protocol, low, high), (its_protocol, its_low, its_high) = (span(entry["ports"][0]) for entry in (one, other))
    return (
        protocol == its_protocol
        and ("/" in one["ports"][0]) == ("/" in other["ports"][0])
        and low <= its_high
        and its_low <= high
    )


def span(port: str) -> tuple[str, int, int]:
    protocol, _slash, ports = port.partition("/")
    numbers = [int(text) for text in ports.split("-")] if ports else [0]
    return protocol, numbers[0], numbers[-1]


def as_shown(entry: dict[str, Any]) -> str:
    """The element that such an entry makes, as the oracle shows it."""
    (vip,), (port,) = entry["vips"], entry["ports"]
    version = 6 if ":" in vip else 4
    mark, _slash, mask = entry["mark"].partition("/")
    protocol, _slash, ports = port.partition("/")
    kind = "any" if port == "any" else "ports" if ports else "protocol"
    where = [name for option, name in (("iif", "iif"), ("sources", "source")) if option in entry]
    ranged = "-" in ports or any("/" in text for text in [vip, *entry.get("sources", [])])
    keys = [*entry.get("iif", []), *entry.get("sources", []), vip]
    keys += [f"ipv{version}"] if port == "any" else filter(None, [protocol.replace("89", "ospf"), ports])
    chain = f"mark_{int(mark, 0):#x}" + (f"_{mask}" if mask else "")
    return " ".join(["_".join([f"v{version}", *where, kind, *([] if ranged else ["exact"])]), *keys, chain])


def as_line(element: str) -> str:
    """An element that the oracle shows, as the diff writes it."""
    name, *keys, chain = element.split()
    words = name.split("_")
    iif = f" iif {keys.pop(0)}" if "iif" in words else ""
    source = f" from {keys.pop(0)}" if "source" in words else ""
    vip, *port = keys
    _mark, mark, *mask = chain.split("_")
    what = "any" if "any" in words else "/".join(port).replace("ospf", "89")
    return f"ip{words[0]} {vip} {what}{source}{iif} mark {'/'.join([mark, *mask])}"


@pytest.mark.parametrize("leaving", ["0x10002", "0x2/0xff", "0x10000/0x10000"])
@pytest.mark.parametrize("saved_before", [False, True])
def test_marks_leave_as_connections_begin_to_be_saved(netns: Namespace, leaving: str, saved_before: bool) -> None:
    """What was saved of them meanwhile leads to a chain that goes."""
    both = [{"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": mark} for mark in ("0x10001", leaving)]
    both[1]["vips"] = ["203.0.113.11"]
    netns.call("fwmark", marks=both, purge=True, new_connections=saved_before)
    predicted = netns.call("fwmark", check=True, marks=both[:1], purge=True, new_connections=True)
    assert netns.call("fwmark", marks=both[:1], purge=True, new_connections=True) == predicted
    left = netns.run("nft", "list", "table", "inet", "lvs_vipless")
    netns.run("nft", "delete", "table", "inet", "lvs_vipless")
    netns.call("fwmark", marks=both[:1], purge=True, new_connections=True)
    assert left == netns.run("nft", "list", "table", "inet", "lvs_vipless")


def test_any_state_follows_any_other_in_one_run(netns: Namespace) -> None:
    netns.run("nft", "-f", "-", stdin=FOREIGN)
    foreign = others(netns)

    @given(lists_of_marks(), TABLES, lists_of_marks(), TABLES)
    def converges(
        first: list[dict[str, Any]], its: dict[str, Any], second: list[dict[str, Any]], table: dict[str, Any]
    ) -> None:
        # A mark of an interface is nothing for hook output alone, which tests/unit refuses.
        start, wanted = (
            [entry for entry in entries if options.get("hooks") != ["output"] or "iif" not in entry]
            for entries, options in ((first, its), (second, table))
        )
        netns.call("fwmark", marks=start, purge=True, **its)
        before = whole(netns)
        assert shown(netns) == {as_shown(entry) for entry in start}
        predicted = netns.call("fwmark", check=True, marks=wanted, purge=True, **table)
        assert whole(netns) == before
        assert netns.call("fwmark", marks=wanted, purge=True, **table) == predicted
        after = shown(netns)
        assert after == {as_shown(entry) for entry in wanted}
        assert predicted["changed"] == (whole(netns) != before)
        lines = predicted["diff"]["after"].splitlines()
        assert {line for line in lines if not line.startswith("table")} == {as_line(element) for element in after}
        assert not netns.call("fwmark", marks=wanted, purge=True, **table)["changed"]
        if wanted:
            its_own = {"prerouting", "output", "lookups"}
            assert chains(netns) - its_own == {line.split()[-1] for line in after}
            assert chains(netns) & {"prerouting", "output"} == set(table.get("hooks", hooks_of(start, its)))
            macs = {item["set"]["name"]: item["set"].get("elem") for item in ruleset(netns) if "set" in item}
            expected = table.get("exclude_macs", its.get("exclude_macs", []) if start else [])
            assert macs.get("excluded_macs", []) == sorted(expected) or set(macs["excluded_macs"]) == set(expected)
        netns.call("fwmark", marks=[], purge=True)

    converges()
    assert others(netns) == foreign


def hooks_of(entries: list[dict[str, Any]], table: dict[str, Any]) -> list[str]:
    """The hooks of a table that was made for these; that of a new one where there was nothing to make it for."""
    found: list[str] = table.get("hooks", ["prerouting"]) if entries else ["prerouting"]
    return found
