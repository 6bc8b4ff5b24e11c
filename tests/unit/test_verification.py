"""What verification makes of what the readers found. The readings have the form in which the modules return them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import findings, services, verification
from ansible_collections.lvs.vipless.plugins.module_utils._model.findings import BAD, NOTE, OK, Finding
from ansible_collections.lvs.vipless.plugins.module_utils._model.managers import (
    Files,
    UnitState,
    filters,
    judge,
    parse_units,
)

WEB: dict[str, Any] = {
    "name": "web",
    "mark": 1,
    "vips": ["203.0.113.10", "203.0.113.64/26", "2001:db8:f::/64"],
    "ports": ["udp/443", "tcp/8000-8100"],
    "scheduler": "rr",
    "realservers": [{"address": "10.0.0.11", "weight": 2}, {"address": "10.0.0.12"}, {"address": "2001:db8:a::11"}],
}
DNS: dict[str, Any] = {
    "name": "dns",
    "mark": 2,
    "vips": ["203.0.113.53"],
    "ports": ["udp/53"],
    "forwarding": "masquerade",
    "realservers": [{"address": "10.0.0.11"}],
}
DECLARED = services.parse([WEB, DNS])
BIT = 0x10000
EXPIRE = "net.ipv4.vs.expire_nodest_conn"
SOURCES = ["198.51.100.7", "2001:db8:c::7"]
AROUND: dict[str, Any] = {
    "interfaces": {"eth0": {"rp_filter": 0, "src_valid_mark": 0, "forwarding": 1, "forwarding6": 1}},
    "addresses": {"10.0.0.2": "eth0"},
    "towards": {"198.51.100.7": "eth0", "2001:db8:c::7": "eth0"},
    "sysctls": {EXPIRE: "1"},
    "sysctls_at_boot": {EXPIRE: {"file": "/etc/sysctl.d/90-lvs-vipless-director.conf", "value": "1"}},
    "units": {"lvs-vipless-director.service": {"enabled": True, "active": True}},
    "managers": [],
    "markers": [],
}


def answers(questions: list[findings.Asked], **change: Any) -> list[dict[str, Any]]:
    good = {"delivered": True, "table": "100", "summary": "it is delivered"}
    return [{**good, **question.packet, **change} for question in questions]


def healthy() -> dict[str, Any]:
    """What is told of a director on which all is as it should be."""
    configuration = services.balanced(DECLARED, BIT)
    return {
        "around": copy.deepcopy(AROUND),
        "unit": "director",
        "interfaces": ["eth0"],
        "sources": SOURCES,
        "keep_weights": False,
        "marks": {"changes": []},
        "delivery": {"packets": answers(findings.asked(DECLARED, BIT, ["eth0"], SOURCES))},
        "ipvs": {"loaded": True, "configuration": configuration},
        "sysctls": {EXPIRE: 1},
    }


def bad(found: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(one.service, one.what, one.blocks) for one in found if one.state == BAD]


def test_a_healthy_director_has_nothing_bad() -> None:
    found = list(verification.director(DECLARED, BIT, healthy()))
    assert {one.state for one in found} == {OK}
    assert [one.service for one in found if one.what == "delivery"] == ["web ipv4", "web ipv6", "dns ipv4"]
    assert [one.service for one in found if one.what == "ipvs"] == ["web ipv4", "web ipv6", "dns ipv4"]


def test_each_fault_of_a_director_is_found_alone() -> None:
    def faults(told: dict[str, Any]) -> list[tuple[str, str, bool]]:
        return bad(list(verification.director(DECLARED, BIT, told)))

    told = healthy()
    told["marks"]["changes"] = ["add 203.0.113.10"]
    assert faults(told) == [("", "marks", True)]
    told = healthy()
    told["delivery"]["packets"][1].update(delivered=False, summary="it is not delivered here: eth0 is down.")
    assert faults(told) == [("web ipv4", "delivery", True)]
    told = healthy()
    del told["ipvs"]["configuration"][1]
    assert faults(told) == [("web ipv6", "ipvs", True)]
    told = healthy()
    told["around"]["sysctls"][EXPIRE] = "0"
    assert faults(told) == [("", "sysctl", False)]
    told = healthy()
    told["around"]["interfaces"]["eth0"]["forwarding"] = 0
    assert faults(told) == [("", "sysctl", True)]
    told = healthy()
    told["around"]["units"] = {}
    assert faults(told) == [("", "boot", True)]
    told = {**healthy(), "unit": ""}
    told["around"]["units"] = {}
    assert faults(told) == []


ALIEN = "/etc/sysctl.d/99-hardening.conf"


@pytest.mark.parametrize(
    ("now", "at_boot", "reapplied", "found"),
    [
        ("1", {"file": ALIEN, "value": "1"}, False, [(OK, f"{EXPIRE} 1", "")]),
        ("1", None, False, [(OK, f"{EXPIRE} 1", "")]),
        (
            "1",
            {"file": ALIEN, "value": "0"},
            False,
            [
                (OK, f"{EXPIRE} 1", ""),
                (BAD, f"{ALIEN} sets {EXPIRE} = 0 at boot, declared 1", f"take it out of {ALIEN}"),
            ],
        ),
        (
            "1",
            {"file": ALIEN, "value": None},
            True,
            [
                (OK, f"{EXPIRE} 1", ""),
                (
                    NOTE,
                    f"{ALIEN} keeps {EXPIRE} from being set at boot, declared 1"
                    " (the boot unit sets it again after that; 'sysctl --system' would undo it)",
                    f"take it out of {ALIEN}",
                ),
            ],
        ),
        ("0", None, False, [(BAD, f"{EXPIRE} is 0, declared 1", "do")]),
        (
            "0",
            {"file": ALIEN, "value": "0"},
            False,
            [
                (BAD, f"{EXPIRE} is 0, declared 1", f"take it out of {ALIEN}, which sets it at boot; do"),
                (BAD, f"{ALIEN} sets {EXPIRE} = 0 at boot, declared 1", f"take it out of {ALIEN}"),
            ],
        ),
    ],
)
def test_settings_are_as_declared_and_stay_so(
    now: str, at_boot: dict[str, Any] | None, reapplied: bool, found: list[tuple[str, str, str]]
) -> None:
    around = {"sysctls": {EXPIRE: now}, "sysctls_at_boot": {EXPIRE: at_boot}}
    told = findings.settings({EXPIRE: 1}, around, "do", reapplied)
    assert [(one.state, one.found, one.todo) for one in told] == found


def test_spaces_between_the_words_of_a_setting_mean_nothing() -> None:
    around = {"sysctls": {"net.ipv4.tcp_rmem": "4096 131072 6291456"}, "sysctls_at_boot": {"net.ipv4.tcp_rmem": None}}
    (found,) = findings.settings({"net.ipv4.tcp_rmem": "4096  131072\t6291456"}, around, "do", reapplied=False)
    assert found.state == OK


def test_a_realserver_that_another_file_makes_loud_at_boot() -> None:
    alien = {"key": "net.ipv4.conf.all.arp_ignore", "value": "1", "file": ALIEN, "file_value": "0"}
    (found,) = findings.overridden([alien])
    assert (found.state, found.found) == (BAD, f"{ALIEN} sets net.ipv4.conf.all.arp_ignore = 0 at boot, declared 1")


@pytest.mark.parametrize(
    ("change", "says", "blocks"),
    [
        ({"weight": 0}, "10.0.0.12 is direct of weight 0, declared direct of 1", False),
        ({"forwarding": "tunnel"}, "10.0.0.12 is tunnel of weight 1, declared direct of 1", False),
        ({"address": "10.0.0.99"}, "10.0.0.12 is missing; 10.0.0.99 is not declared", False),
    ],
)
def test_realservers_are_compared(change: dict[str, Any], says: str, blocks: bool) -> None:
    told = healthy()["ipvs"]
    told["configuration"][0]["destinations"][1] |= change
    (found,) = (one for one in findings.balanced(DECLARED, BIT, told, "do", keep_weights=False) if one.state == BAD)
    assert (found.found, found.blocks) == (says, blocks)
    left = [one for one in findings.balanced(DECLARED, BIT, told, "do", keep_weights=True) if one.state == BAD]
    assert bool(left) == ("weight" not in change)


def test_a_service_without_weights_blocks() -> None:
    told = healthy()["ipvs"]
    told["configuration"][0]["scheduler"] = "wlc"
    for destination in told["configuration"][0]["destinations"]:
        destination["weight"] = 0
    found = next(findings.balanced(DECLARED, BIT, told, "do", keep_weights=False))
    assert found.found.startswith("no realserver has a weight; 10.0.0.11 is direct of weight 0")
    assert found.blocks
    none = {"loaded": False, "configuration": []}
    (first, *_others) = findings.balanced(DECLARED, BIT, none, "do", keep_weights=False)
    assert first.found == "ip_vs is not loaded"


def test_of_many_prefixes_some_are_asked() -> None:
    many = services.parse([{**DNS, "vips": [f"203.0.113.{number}" for number in range(200)]}])
    questions = findings.asked(many, BIT, ["eth0"], SOURCES)
    assert len(questions) == findings.SAMPLE
    assert questions[0].packet["fwmark"] == "0x10002"
    assert findings.asked(many, 0, ["eth0"], SOURCES)[0].packet["fwmark"] == "0x0"
    lost = answers(questions, delivered=False, summary="lost")
    (found,) = findings.delivered(questions, lost, "do")
    assert found.found == f"lost (and so {findings.SAMPLE - 1} more of {findings.SAMPLE})"
    with pytest.raises(BadInput, match="delivery: 0 answers, where 64 packets were asked about"):
        list(findings.delivered(questions, [], "do"))


def routed(**change: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "around": {**AROUND, "units": {"lvs-vipless-router.service": {"enabled": True, "active": True}}},
        "unit": "router",
        "sources": SOURCES,
        "way": {
            "device": "eth1",
            "next_hops": ["10.0.0.2", "2001:db8:a::2"],
            "mac": "",
            "director": "director1",
            "recorded": "",
            "declared": "director1",
        },
        "neighbors": {},
        "heard": {"interface": "eth1", "answers": [{"target": "203.0.113.10", "macs": [], "asked": True}]},
        "control": [],
        **change,
    }
    hops = dict(zip((False, True), told["way"]["next_hops"] or (None, None), strict=True))
    told["delivery"] = {
        "packets": [
            {
                **question.packet,
                "type": "unicast",
                "device": "eth1",
                "gateway": hops[":" in question.packet["destination"]],
                "reason": None,
                "forwards": True,
            }
            for question in verification.routed_questions(DECLARED, told)
        ]
    }
    return told


def test_a_router_sends_to_the_director_alone() -> None:
    assert not bad(list(verification.router(DECLARED, routed())))
    told = routed()
    told["delivery"]["packets"][0]["gateway"] = "10.0.0.3"
    (found,) = (one for one in verification.router(DECLARED, told) if one.state == BAD)
    assert found.found == "203.0.113.10 goes via 10.0.0.3 on eth1; it should go via 10.0.0.2 on eth1"
    told["delivery"]["packets"][0].update(type=None, device=None, reason="no route.")
    (found,) = (one for one in verification.router(DECLARED, told) if one.state == BAD)
    assert found.found == "203.0.113.10 goes nowhere: no route; it should go via 10.0.0.2 on eth1"


def test_a_router_that_forwards_one_family_alone() -> None:
    told = routed()
    for packet in told["delivery"]["packets"]:
        packet["forwards"] = ":" not in packet["destination"]
    found = [one for one in verification.router(DECLARED, told) if one.state == BAD]
    assert found
    assert all("goes no further" in one.found and one.found.startswith("2001:db8:f::") for one in found)


def test_a_router_by_neighbour_entries() -> None:
    way = {
        **routed()["way"],
        "next_hops": [],
        "mac": "02:00:00:00:00:02",
        "recorded": "director1",
        "declared": "director2",
    }
    told = routed(way=way, neighbors={"changes": []})
    states = {one.what: one.state for one in verification.router(DECLARED, told)}
    assert states == {"route": OK, "neighbours": OK, "director": NOTE, "arp": OK, "managers": OK, "boot": OK}
    told["neighbors"] = {"changes": ["add ipv4 203.0.113.10"]}
    assert bad(list(verification.router(DECLARED, told))) == [("", "neighbours", True)]


def test_a_router_that_knows_no_client_says_so() -> None:
    told = routed(around={**AROUND, "towards": {"198.51.100.7": "eth0", "2001:db8:c::7": None}})
    found = [one for one in verification.router(DECLARED, told) if one.what == "route" and one.state == BAD]
    assert [one.found for one in found] == [
        "no interface leads to a client such as 2001:db8:c::7, so that nothing could be asked"
    ]


def test_who_speaks_on_the_link() -> None:
    heard = [
        {"target": "203.0.113.10", "macs": ["02:00:00:00:00:05"], "asked": True},
        {"target": "2001:db8:f::", "macs": [], "asked": False},
        {"target": "10.0.0.2", "macs": [], "asked": True},
    ]
    found = list(findings.silent(heard, "eth1", ["10.0.0.2"]))
    assert [(one.state, one.found) for one in found] == [
        (BAD, "203.0.113.10 is answered for by 02:00:00:00:00:05"),
        (BAD, "nobody on eth1 answers for 10.0.0.2"),
        (NOTE, "eth1 has no address of the family of 2001:db8:f::, so it was not asked"),
    ]


def accepting(**change: Any) -> dict[str, Any]:
    """What is told of a realserver that is none of the services'."""
    told: dict[str, Any] = {
        "around": AROUND,
        "unit": "",
        "hop_unit": "",
        "interfaces": [],
        "sources": SOURCES,
        "delivery": {"packets": []},
        "silence": {"changes": [], "overridden": []},
        "heard": {},
        "control": [],
    }
    return told | change


def test_a_realserver_that_is_none() -> None:
    (found,) = (one for one in verification.realserver(DECLARED, accepting()) if one.state == BAD)
    assert found.found == "no realserver of the services is this host, which has 10.0.0.2"


def test_ways_back_that_do_not_come_back_at_boot() -> None:
    around = {**AROUND, "units": {"lvs-vipless-rs.service": {"enabled": True, "active": True}}}
    told = accepting(around=around, unit="rs", hop_unit="rs-hops")
    found = [one for one in verification.realserver(DECLARED, told) if one.what == "boot"][-1]
    assert found.state == BAD
    assert found.found == "lvs-vipless-rs-hops.service is not enabled and not active: nothing comes back at boot"


def test_each_service_is_asked_for_once() -> None:
    requests = list(verification.requests(DECLARED))
    assert requests == [
        ("web ipv4", {"address": "203.0.113.10", "port": 8000}),
        ("web ipv6", {"address": "2001:db8:f::1", "port": 8000}),
        ("dns ipv4", None),
    ]
    connections = [
        {"connected": True, "seconds": 0.01, "reason": None},
        {"connected": False, "seconds": None, "reason": "Connection refused"},
    ]
    found = list(verification.client(DECLARED, connections))
    assert [(one.service, one.state) for one in found] == [("web ipv4", OK), ("web ipv6", BAD), ("dns ipv4", NOTE)]
    assert found[1].found == "2001:db8:f::1 port 8000: Connection refused"


def test_the_table_ends_with_what_is_bad() -> None:
    rows = [
        ("director1", verification.unasked("it is off")._asdict()),
        ("rs1", Finding("web ipv4", "delivery", OK, "fine")._asdict()),
        ("router", Finding("", "director", NOTE, "noted")._asdict()),
    ]
    assert verification.table(rows) == [
        "      host       service   check     found",
        "OK    rs1        web ipv4  delivery  fine",
        "NOTE  router               director  noted",
        "BAD   director1            asking    cannot be asked: it is off",
        "      do: cure this, and verify again",
        "1 OK, 1 NOTE, 1 BAD",
    ]


RUNNING = UnitState(enabled=True, active=True)
OFF = UnitState(enabled=False, active=False)


@pytest.mark.parametrize(
    ("units", "texts", "harmful", "harmless"),
    [
        ({"systemd-networkd.service": RUNNING}, Files(), ["systemd-networkd"], []),
        (
            {"systemd-networkd.service": RUNNING},
            Files("[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"),
            [],
            ["systemd-networkd"],
        ),
        (
            {"systemd-networkd.service": RUNNING},
            Files("ManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\nManageForeignRoutes=yes\n"),
            ["systemd-networkd"],
            [],
        ),
        (
            {"NetworkManager.service": RUNNING, "firewalld.service": RUNNING},
            Files(),
            [],
            ["NetworkManager", "firewalld"],
        ),
        ({"keepalived.service": RUNNING}, Files(keepalived="vrrp_instance a {\n}\n"), [], ["keepalived"]),
        ({"keepalived.service": RUNNING}, Files(keepalived=" virtual_server fwmark 1 {\n"), ["keepalived"], []),
        ({"nftables.service": RUNNING}, Files(nftables="#!/usr/sbin/nft -f\nflush ruleset\n"), ["nftables"], []),
        ({"nftables.service": RUNNING}, Files(nftables="flush ruleset", restored=True), [], []),
        ({"nftables.service": OFF}, Files(nftables="flush ruleset"), [], []),
        ({"nftables.service": RUNNING}, Files(nftables="# flush ruleset\n"), [], []),
    ],
)
def test_managers(units: dict[str, UnitState], texts: Files, harmful: list[str], harmless: list[str]) -> None:
    found = judge(units, texts)
    assert [one["name"] for one in found if one["harmful"]] == harmful
    assert [one["name"] for one in found if not one["harmful"]] == harmless
    assert all(bool(one["remedy"]) == one["harmful"] for one in found)
    assert (findings.managers({"managers": found}).state == BAD) == bool(harmful)


@pytest.mark.parametrize(("bits", "named"), [("0xffff0000", True), ("0x10000", True), ("0xff", False)])
def test_who_else_sets_the_delivery_bit(bits: str, named: bool) -> None:
    told = healthy()
    told["around"]["markers"] = [{"chain": "ip mangle PREROUTING", "bits": bits}]
    notes = [one for one in verification.director(DECLARED, BIT, told) if one.what == "marks" and one.state == NOTE]
    assert [one.found.partition(" may change")[0] for one in notes] == ["ip mangle PREROUTING"] * named


def chain(**attributes: Any) -> dict[str, Any]:
    base = {"family": "inet", "table": "filter", "name": "in", "type": "filter", "hook": "input", "policy": "accept"}
    return {"chain": {**base, **attributes}}


def rule(*words: str) -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "filter", "chain": "in", "expr": [{word: None} for word in words]}}


@pytest.mark.parametrize(
    ("ruleset", "named"),
    [
        ([chain(policy="drop")], True),
        ([chain(), rule("match", "accept"), rule("counter", "drop")], True),
        ([chain(), rule("reject"), rule("match", "accept")], False),
        ([chain(), rule("match", "drop")], False),
        ([chain(), rule("limit", "drop")], False),
        ([chain(policy="drop", hook="prerouting")], False),
        ([chain(policy="drop", family="arp")], False),
        ([{"chain": {"family": "inet", "table": "filter", "name": "web"}}, rule("drop")], False),
        ([{"table": {"family": "inet", "name": "filter"}}, chain(hook="forward", policy="drop")], True),
    ],
)
def test_filters(ruleset: list[dict[str, Any]], named: bool) -> None:
    found = filters(ruleset)
    assert [(one["name"], one["harmful"]) for one in found] == [("nftables chain inet filter in", False)] * named


def test_what_systemd_shows() -> None:
    shown = (
        "Id=a.service\nActiveState=active\nUnitFileState=enabled\n\nId=b.service\nActiveState=failed\nUnitFileState=\n"
    )
    assert parse_units(shown) == {"a.service": RUNNING, "b.service": OFF}
