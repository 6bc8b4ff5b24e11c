"""The module ip_rule against the kernel. ``ip -j -d rule`` is the oracle."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rule_codec import encode
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import dump_rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Message, Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4
from ansible_collections.lvs.vipless.plugins.modules import ip_rule
from namespace import Namespace, call, without_net_admin

DELIVERY = {"family": "both", "priority": 100, "iif": "v0", "fwmark": "0x10000/0x10000", "table": "100"}


def rules(netns: Namespace, family: str, priority: int = 100) -> list[dict[str, Any]]:
    return netns.ip_json(f"{family} rule show priority {priority}")


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_adds_the_rule_that_was_asked_for(netns: Namespace, family: str) -> None:
    assert netns.call("ip_rule", **DELIVERY)["changed"]
    (found,) = rules(netns, family)
    assert found["fwmark"] == "0x10000"
    assert found["fwmask"] == "0x10000"
    assert found["iif"] == "v0"
    assert found["table"] == "100"
    assert found["protocol"] == "117"


def test_second_run_changes_nothing(netns: Namespace) -> None:
    netns.call("ip_rule", **DELIVERY)
    again = netns.call("ip_rule", **DELIVERY)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"] != ""


def test_check_mode_predicts_and_changes_nothing(netns: Namespace) -> None:
    before = netns.ip_json("rule show")
    predicted = netns.call("ip_rule", check=True, **DELIVERY)
    assert netns.ip_json("rule show") == before
    assert predicted == netns.call("ip_rule", **DELIVERY)


# Each option with a value, what it needs beside or without, and how ip(8) shows it.
EACH_OPTION: list[tuple[str, object, dict[str, Any], dict[str, Any]]] = [
    ("priority", 101, {}, {"priority": 101}),
    ("family", "ipv6", {}, {"iif": "v0"}),
    ("from", "198.51.100.0/24", {}, {"src": "198.51.100.0", "srclen": 24}),
    ("to", "203.0.113.10", {}, {"dst": "203.0.113.10"}),
    ("iif", "v1", {}, {"iif": "v1"}),
    ("oif", "v1", {}, {"oif": "v1"}),
    ("fwmark", "0x10000", {}, {"fwmark": "0x10000"}),
    ("tos", "0x10", {}, {"tos": "0x10"}),
    ("dscp", 46, {}, {}),
    ("ipproto", "udp", {}, {"ipproto": "udp"}),
    ("sport", "53", {"ipproto": "udp"}, {"sport": 53}),
    ("dport", "4000-4999", {"ipproto": "udp"}, {"dport_start": 4000, "dport_end": 4999}),
    ("uidrange", "1000-1999", {}, {"uid_start": 1000, "uid_end": 1999}),
    ("not", True, {}, {"not": None}),
    ("action", "blackhole", {"table": None}, {"action": "blackhole"}),
    ("table", "4000000000", {}, {"table": "4000000000"}),
    ("l3mdev", True, {"table": None}, {"l3mdev": None}),
    ("goto", 200, {"table": None}, {"goto": 200}),
    ("suppress_prefixlength", 0, {}, {"suppress_prefixlen": 0}),
    ("suppress_ifgroup", 7, {}, {"suppress_ifgroup": "7"}),
    ("protocol", "118", {}, {"protocol": "118"}),
]


@pytest.mark.parametrize(("option", "value", "beside", "shown"), EACH_OPTION, ids=[case[0] for case in EACH_OPTION])
def test_every_option_changed_alone_is_a_change(
    netns: Namespace, option: str, value: object, beside: dict[str, Any], shown: dict[str, Any]
) -> None:
    start = {**DELIVERY, "family": "ipv4", **{name: set_to for name, set_to in beside.items() if set_to is not None}}
    netns.call("ip_rule", **start)
    changed = {**start, **beside, option: value}
    changed = {name: set_to for name, set_to in changed.items() if set_to is not None}
    predicted = netns.call("ip_rule", check=True, **changed)
    assert predicted["changed"]
    assert netns.call("ip_rule", **changed) == predicted
    assert not netns.call("ip_rule", **changed)["changed"]
    family = "-6" if changed["family"] == "ipv6" else "-4"
    held = rules(netns, family, changed["priority"])
    assert any(shown.items() <= one.items() for one in held), held
    if option == "dscp":
        # This ip(8) does not know it.
        assert "dscp 46" in predicted["diff"]["after"]
    # An attribute of the rule is changed in its place; another selector is another rule beside it.
    attributes = {"action", "table", "l3mdev", "goto", "suppress_prefixlength", "suppress_ifgroup"}
    assert len(rules(netns, "-4")) + len(rules(netns, "-4", 101)) + len(rules(netns, "-6")) == (
        1 if option in attributes else 2
    )


def test_every_option_has_a_case() -> None:
    assert {case[0] for case in EACH_OPTION} == set(ip_rule.OPTIONS)


def test_changed_target_leaves_no_gap(netns: Namespace) -> None:
    # The kernel holds a rule that differs in nothing but its target for the same one, and would refuse it.
    start = {"priority": 100, "to": "203.0.113.10", "goto": 200}
    netns.call("ip_rule", **start)
    with netns.watching_rules() as seen:
        assert netns.call("ip_rule", **{**start, "goto": 300})["changed"]
    (left,) = rules(netns, "-4")
    assert left["goto"] == 300
    assert [line.startswith("Deleted") for line in seen if "goto" in line] == [False, True]


def test_what_an_old_kernel_ignores_is_refused(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.release", lambda: "6.1.0-42-cloud-amd64")
    with pytest.raises(BadInput, match=r"^dscp: 46 needs Linux 6.12 or newer, and this is 6.1.0-42-cloud-amd64"):
        netns.call("ip_rule", **DELIVERY, dscp=46)


def test_refuses_to_pass_over_main(netns: Namespace) -> None:
    leap = {"family": "ipv4", "priority": 100, "goto": 32767}
    with pytest.raises(Refused, match="takes every packet past the rule for table main"):
        netns.call("ip_rule", **leap)
    assert netns.call("ip_rule", **{**leap, "goto": 32766})["changed"]


def test_a_default_that_is_suppressed_ends_nothing(netns: Namespace) -> None:
    netns.ip("route add local default dev lo table 100")
    assert netns.call("ip_rule", family="ipv4", priority=100, table="100", suppress_prefixlength=0)["changed"]
    assert netns.run("ip", "route", "get", "192.0.2.1").split()[:3] == ["192.0.2.1", "via", "10.0.0.1"]


@pytest.mark.parametrize("action", ["blackhole", "unreachable", "prohibit"])
def test_refuses_to_end_everything_before_main(netns: Namespace, action: str) -> None:
    refusal = {"family": "both", "priority": 32765, "action": action}
    with pytest.raises(Refused, match="every packet before the rule for table main, at priority 32766"):
        netns.call("ip_rule", **refusal)
    assert netns.call("ip_rule", **{**refusal, "priority": 32800})["changed"]
    assert netns.call("ip_rule", oif="v1", **refusal)["changed"]


def test_changed_table_leaves_one_rule(netns: Namespace) -> None:
    netns.call("ip_rule", **DELIVERY)
    netns.call("ip_rule", **{**DELIVERY, "table": "101"})
    (found,) = rules(netns, "-4")
    assert found["table"] == "101"


def test_foreign_rules_stay(netns: Namespace) -> None:
    netns.ip("rule add priority 100 iif v0 fwmark 0x10000/0x10000 table 55")
    netns.ip("rule add priority 99 to 192.0.2.1 table 56 protocol 117 tos 0x10")
    netns.ip("rule add priority 98 to 192.0.2.1 table 56")
    netns.call("ip_rule", rules=[DELIVERY], purge=True)
    assert len(rules(netns, "-4", 98)) == 1
    assert not rules(netns, "-4", 99)
    assert sorted(r["table"] for r in rules(netns, "-4")) == ["100", "55"]


def test_purge_removes_ours_with_selectors_it_does_not_write(netns: Namespace) -> None:
    netns.ip("rule add priority 97 uidrange 5-7 ipproto tcp dport 80 table 56 protocol 117")
    netns.ip("rule add priority 97 uidrange 5-7 ipproto tcp dport 80 table 56")
    netns.call("ip_rule", rules=[], purge=True)
    (left,) = rules(netns, "-4", 97)
    assert "protocol" not in left or left["protocol"] != "117"


def test_deletes_the_rule_that_is_meant(netns: Namespace) -> None:
    # A deletion of "to VIP" would take "from CLIENT to VIP", which stands first and has all that the request says.
    narrow = {"priority": 100, "from": "198.51.100.7", "to": "203.0.113.10", "table": "100"}
    wide = {"priority": 100, "to": "203.0.113.10", "table": "100"}
    netns.call("ip_rule", rules=[narrow])
    assert netns.call("ip_rule", rules=[narrow, wide])["changed"]
    assert len(rules(netns, "-4")) == 2
    result = netns.call("ip_rule", rules=[narrow], purge=True)
    assert result["changes"] == ["remove ipv4 100: from all to 203.0.113.10/32 lookup 100 proto 117"]
    (left,) = rules(netns, "-4")
    assert left["src"] == "198.51.100.7"


def _copied(netns: Namespace, times: int) -> None:
    """As programs do that do not ask the kernel to refuse a copy (NLM_F_EXCL); ip(8) asks."""
    with netns.entered(), Session() as session:
        ours = [rule for rule in dump_rules(session, IPV4) if rule.priority == 100]
        copy = Message(rtnl.RTM_NEWRULE, netlink.NLM_F_CREATE, encode(ours[0]))
        assert not any(result.errno for result in session.batch([copy] * times))


@pytest.mark.parametrize(
    ("wanted", "left", "gone"),
    [
        ({}, 1, 4),
        ({"table": "101"}, 1, 4),
        ({"state": "absent"}, 0, 5),
    ],
    ids=["as it is", "changed", "gone"],
)
def test_identical_copies_are_seen_and_go(netns: Namespace, wanted: dict[str, str], left: int, gone: int) -> None:
    declared = {**DELIVERY, "family": "ipv4"}
    netns.call("ip_rule", **declared)
    _copied(netns, 4)
    assert len(rules(netns, "-4")) == 5
    predicted = netns.call("ip_rule", check=True, **{**declared, **wanted})
    assert [change.partition(" ")[0] for change in predicted["changes"]].count("remove") == gone
    assert len(rules(netns, "-4")) == 5
    with netns.watching_rules() as seen:
        assert netns.call("ip_rule", **{**declared, **wanted}) == predicted
    # At every moment one was there, unless none is to be.
    count = 5
    for line in (one for one in seen if " 100:" in f" {one.removeprefix('Deleted ')}" and "iif v0" in one):
        count += -1 if line.startswith("Deleted") else 1
        assert count or not left
    assert count == left
    assert len(rules(netns, "-4")) == left
    assert not netns.call("ip_rule", **{**declared, **wanted})["changed"]


def test_absent_needs_no_table(netns: Namespace) -> None:
    netns.call("ip_rule", **DELIVERY)
    gone = {name: value for name, value in DELIVERY.items() if name != "table"}
    assert netns.call("ip_rule", state="absent", **gone)["changed"]
    assert not rules(netns, "-4")
    assert not netns.call("ip_rule", state="absent", **gone)["changed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fwmark": "0x101/0xff"}, "fwmark: '0x101/0xff' has bits outside its mask (mark 0x101, mask 0xff)."),
        ({"fwmark": "one"}, "fwmark: 'one' is not a whole number."),
        ({"iif": "nope0"}, "iif: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        (
            {"iif": "a name"},
            "iif: 'a name' is not an interface name (1 to 15 letters, digits, '_', '.', ':', '@', '+', '-').",
        ),
        ({"table": "0"}, "table: '0' is not between 1 and 4294967295."),
        ({"table": None}, "table is missing: say which table the rule leads to."),
        ({"protocol": "256"}, "protocol: '256' is not between 1 and 255."),
        ({"priority": -1}, "priority: -1 is not between 0 and 4294967295."),
        ({"family": None}, "family is missing: the rule names no address to take it from."),
        ({"family": "ipv6", "to": "203.0.113.10"}, "family: 'ipv6' is not the family of to: '203.0.113.10/32'."),
        ({"to": "203.0.113.10/24"}, "to: '203.0.113.10/24' has host bits set; the prefix is 203.0.113.0/24."),
        ({"tos": "0x11"}, "tos: '0x11' has one of the two lowest bits set, which are those of ECN."),
        ({"tos": "0x10", "dscp": 4}, "dscp: 4 cannot go with tos, which holds it."),
        ({"dscp": 64}, "dscp: 64 is not between 0 and 63."),
        ({"ipproto": "tpc"}, "ipproto: 'tpc' is not a whole number."),
        ({"sport": "0"}, "sport: '0' is not between 1 and 65535."),
        ({"dport": "90-80"}, "dport: '90-80' ends before it starts."),
        ({"dport": "http"}, "dport: 'http' is not a number nor a range such as 1000-1999."),
        ({"uidrange": "0-4294967295"}, "uidrange: '0-4294967295' is not between 0 and 4294967294."),
        ({"oif": "nope0"}, "oif: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"action": "nop"}, "table: '100' cannot go with action nop."),
        ({"action": "goto", "table": None}, "goto is missing: say at which priority to go on."),
        ({"goto": 100, "table": None}, "goto: 100 is not between 101 and 4294967295."),
        ({"goto": 200}, "table: '100' cannot go with action goto."),
        ({"action": "lookup", "goto": 200}, "goto: 200 cannot go with action lookup."),
        ({"l3mdev": True}, "table: '100' cannot go with l3mdev, which finds the table."),
        ({"l3mdev": True, "action": "nop", "table": None}, "l3mdev: True cannot go with action nop."),
        ({"suppress_prefixlength": 33}, "suppress_prefixlength: 33 is not between 0 and 32."),
        ({"suppress_ifgroup": -1}, "suppress_ifgroup: -1 is not between 0 and 2147483647."),
        ({"purge": True}, "purge: True goes with the list rules and state: present only."),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    before = netns.ip_json("rule show")
    given = {**DELIVERY, "family": "ipv4", **change}
    with pytest.raises(BadInput) as caught:
        netns.call("ip_rule", **{name: value for name, value in given.items() if value is not None})
    assert str(caught.value) == message
    assert netns.ip_json("rule show") == before


def test_each_pair_of_prefixes_of_one_family_is_a_rule(netns: Namespace) -> None:
    lists = {"from": ["198.51.100.7", "2001:db8:c::7", "0.0.0.0/0"], "to": ["203.0.113.10", "2001:db8:f::10"]}
    many = {"priority": 100, "table": "100", **lists}
    expected = {
        ("-4", "198.51.100.7", "203.0.113.10"),
        ("-4", "all", "203.0.113.10"),
        ("-6", "2001:db8:c::7", "2001:db8:f::10"),
    }
    assert netns.call("ip_rule", check=True, **many)["changes"] == netns.call("ip_rule", **many)["changes"]
    assert {(option, rule["src"], rule["dst"]) for option in ("-4", "-6") for rule in rules(netns, option)} == expected
    assert not netns.call("ip_rule", **many)["changed"]
    assert netns.call("ip_rule", state="absent", **many | {"to": ["203.0.113.10"], "from": ["198.51.100.7"]})["changed"]
    assert {rule["src"] for rule in rules(netns, "-4")} == {"all"}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"to": []}, "to: [] is empty: name at least one prefix, or leave it out."),
        ({"to": ["203.0.113.10", "203.0.113"]}, "to[1]: '203.0.113' is not an IPv4 or IPv6 prefix or address."),
        (
            {"to": ["203.0.113.10", "2001:db8:f::10"], "from": "198.51.100.7"},
            "to[1]: '2001:db8:f::10/128' goes with no prefix of from: none is of its family.",
        ),
        (
            {"from": ["203.0.113.10", "203.0.113.11"], "not": True},
            "from: ['203.0.113.10', '203.0.113.11'] cannot go with not: each of its rules would take what the others "
            "select.",
        ),
        (
            {"to": ["203.0.113.10", "203.0.113.11", "203.0.113.10/32"]},
            "to[2]: 'ipv4 100: from all to 203.0.113.10/32 lookup 100 proto 117' names the same object as to[0].",
        ),
    ],
)
def test_bad_lists_of_prefixes(netns: Namespace, lists: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("ip_rule", priority=100, table="100", **lists)
    assert str(caught.value) == message
    assert not [*rules(netns, "-4"), *rules(netns, "-6")]


def test_the_same_rule_twice_is_an_error(netns: Namespace) -> None:
    with pytest.raises(BadInput, match=r"^rules\[1\]: .* names the same object as rules\[0\]"):
        netns.call("ip_rule", rules=[DELIVERY, {**DELIVERY, "table": "7"}])


def test_refuses_to_end_all_traffic(netns: Namespace) -> None:
    netns.ip("route add local default dev lo table 100")
    everything = {"family": "ipv4", "priority": 100, "table": "100"}
    with pytest.raises(Refused, match="every packet"):
        netns.call("ip_rule", **everything)
    assert not rules(netns, "-4")
    assert netns.call("ip_rule", force=True, **everything)["changed"]


def test_refuses_a_bare_mark_under_src_valid_mark(netns: Namespace) -> None:
    bare = {"family": "ipv4", "priority": 100, "fwmark": "1", "table": "100"}
    netns.run("sysctl", "-qw", "net.ipv4.conf.v1.src_valid_mark=1")
    with pytest.raises(Refused, match="src_valid_mark is 1 on v1"):
        netns.call("ip_rule", **bare)
    assert netns.call("ip_rule", iif="v0", **bare)["changed"]
    assert netns.call("ip_rule", force=True, **bare)["changed"]


def test_a_mark_that_leads_out_is_no_delivery(netns: Namespace) -> None:
    """wg-quick(8) sets src_valid_mark together with such rules."""
    netns.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1")
    netns.ip("route add default via 10.0.0.1 table 51820")
    netns.ip("route add local 203.0.113.0/24 dev lo table 7")
    outward: list[dict[str, Any]] = [
        {"priority": 32764, "fwmark": "51820", "not": True, "table": "51820"},
        {"priority": 5210, "fwmark": "0x80000/0xff0000", "table": "main"},
        {"priority": 5250, "fwmark": "0x80000/0xff0000", "action": "unreachable"},
        {"priority": 90, "fwmark": "1", "oif": "v0", "table": "7"},
    ]
    for rule in outward:
        assert netns.call("ip_rule", family="ipv4", **rule)["changed"], rule
    for table in ("7", "8"):
        with pytest.raises(Refused, match="src_valid_mark is 1"):
            netns.call("ip_rule", family="ipv4", priority=95, fwmark="1", table=table)


def test_an_unprivileged_run_says_what_it_lacks(netns: Namespace) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match="CAP_NET_ADMIN"):
        call("ip_rule", **DELIVERY)
    assert not rules(netns, "-4")
