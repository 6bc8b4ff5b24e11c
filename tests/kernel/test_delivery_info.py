"""The module delivery_info against the kernel: what it tells of a packet is what becomes of it when it arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.modules import delivery_info
from frames import packet, wire
from namespace import Namespace, call, without_net_admin

VIPS = {4: "203.0.113.10", 6: "2001:db8:f::10"}
CLIENTS = {4: "10.0.0.9", 6: "2001:db8:a::9"}
OWN = {4: "10.0.0.2", 6: "2001:db8:a::2"}
MARK = "0x10001"
TO_TABLE = "-{f} route add local default dev lo table 100"
BY_MARK = "-{f} rule add priority 100 iif v0 fwmark 0x10000/0x10000 lookup 100 protocol 117"
FORWARD = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"

# Commands of ip and settings, and what is to be told: type, priority of the rule, words of the reason.
DELIVERED = {
    "address": (["-{f} address add {vip} dev lo"], "", ("local", 0)),
    "anyip": (["-{f} route add local {vip} dev lo table local"], "", ("local", 0)),
    "fwmark": ([TO_TABLE, BY_MARK], "", ("local", 100)),
    "destination": ([TO_TABLE, "-{f} rule add priority 100 to {vip} lookup 100"], "", ("local", 100)),
    "interface": ([TO_TABLE, "-{f} rule add priority 100 iif v0 lookup 100"], "", ("local", 100)),
    "port": ([TO_TABLE, "-{f} rule add priority 100 ipproto tcp dport 80 lookup 100"], "", ("local", 100)),
    "user": ([TO_TABLE, "-{f} rule add priority 100 iif v0 uidrange 0-5 lookup 100"], "", ("local", 100)),
    "after goto": (
        [TO_TABLE, "-{f} rule add priority 90 goto 100", "-{f} rule add priority 95 blackhole", BY_MARK],
        "",
        ("local", 100),
    ),
    "mark by interface under src_valid_mark": (
        [TO_TABLE, BY_MARK],
        "net.ipv4.conf.all.src_valid_mark=1",
        ("local", 100),
    ),
}
LOST = {
    "nothing": ([], "", (4, "does not forward"), (6, "does not forward")),
    "forwarded": ([], FORWARD, (4, "is forwarded"), (6, "is forwarded")),
    "another mark": (
        [TO_TABLE, "-{f} rule add priority 100 fwmark 2 lookup 100"],
        "",
        (4, "does not forward"),
        (6, "does not forward"),
    ),
    "another port": (
        [TO_TABLE, "-{f} rule add priority 100 ipproto tcp dport 81 lookup 100"],
        FORWARD,
        (4, "is forwarded"),
        (6, "is forwarded"),
    ),
    "another user": (
        [TO_TABLE, "-{f} rule add priority 100 iif v0 uidrange 1-4294967294 lookup 100"],
        "",
        (4, "does not forward"),
        (6, "does not forward"),
    ),
    "rule that refuses": (
        [TO_TABLE, "-{f} rule add priority 90 to {vip} prohibit", BY_MARK],
        "",
        (4, "90: from all to"),
        (6, "90: from all to"),
    ),
    "blackhole rule": (
        [TO_TABLE, "-{f} rule add priority 90 to {vip} blackhole", BY_MARK],
        "",
        (4, "90: from all to"),
        (6, "90: from all to"),
    ),
    "route that refuses": (["-{f} route add unreachable {vip}"], FORWARD, (4, "No route to host"), (6, "No route")),
    "bare mark under src_valid_mark": (
        [TO_TABLE, "-{f} rule add priority 100 fwmark 0x10000/0x10000 lookup 100"],
        "net.ipv4.conf.v0.src_valid_mark=1",
        (4, "name the interface"),
    ),
    "way back caught too": (
        [TO_TABLE, "-{f} rule add priority 100 ipproto tcp lookup 100"],
        "",
        (4, "a rule without iif takes the way back to it too"),
    ),
    "way back elsewhere": (
        [TO_TABLE, BY_MARK, "-{f} route add {client} dev v1"],
        "net.ipv4.conf.v0.rp_filter=1",
        (4, "by v0, or set rp_filter"),
    ),
}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", DELIVERED)
def test_what_is_delivered(netns: Namespace, method: str, family: int) -> None:
    commands, settings, (kind, priority) = DELIVERED[method]
    _prepare(netns, commands, settings, family)
    found = _asked(netns, family)
    assert (found["delivered"], found["type"], found["rule"]["priority"]) == (True, kind, priority)
    assert found["reason"] is None
    assert "is delivered here: '" in found["summary"]
    assert _arrives(netns, family)


@pytest.mark.parametrize(("method", "family"), [(name, told[0]) for name, case in LOST.items() for told in case[2:]])
def test_what_is_not(netns: Namespace, method: str, family: int) -> None:
    commands, settings, *told = LOST[method]
    _prepare(netns, commands, settings, family)
    found = _asked(netns, family)
    assert not found["delivered"]
    assert dict(told)[family] in found["reason"]
    assert found["summary"].endswith(found["reason"])
    assert not _arrives(netns, family)


@pytest.mark.parametrize("family", [4, 6])
def test_whether_the_host_forwards(netns: Namespace, family: int) -> None:
    key = {4: "net.ipv4.conf.v0.forwarding", 6: "net.ipv6.conf.all.forwarding"}[family]
    for value in (0, 1):
        netns.run("sysctl", "-qw", f"{key}={value}")
        assert _asked(netns, family)["forwards"] is bool(value)


def test_an_interface_that_is_down(netns: Namespace) -> None:
    _prepare(netns, [TO_TABLE, BY_MARK], "", 6)
    netns.ip("link set v0 down")
    netns.ip("-6 route replace local default dev lo table 100")
    assert _asked(netns, 6)["reason"] == "v0 is down. Bring it up."


def test_a_source_that_cannot_be(netns: Namespace) -> None:
    _prepare(netns, [TO_TABLE, BY_MARK], "", 4)
    (found,) = netns.call("delivery_info", **_question(4) | {"source": OWN[4]})["packets"]
    assert "whose source 10.0.0.2 cannot be" in found["reason"]
    assert "rp_filter is 0 on v0" in found["reason"]


def test_rules_of_others_are_not_guessed_at(netns: Namespace) -> None:
    _prepare(netns, [TO_TABLE, BY_MARK, "rule add priority 50 to {vip} lookup 200 realms 5/6"], "", 4)
    found = _asked(netns, 4)
    assert found["delivered"]
    assert found["rule"] is None


@pytest.mark.parametrize("option", delivery_info.OPTIONS)
def test_each_option_changes_the_answer(netns: Namespace, option: str) -> None:
    rules = {
        "destination": ("to 203.0.113.10", "203.0.113.11"),
        "source": ("from 198.51.100.7", "198.51.100.8"),
        "iif": ("iif v0", "lo"),
        "fwmark": ("fwmark 7", "6"),
        "protocol": ("iif v0 ipproto udp", "icmp"),
        "source_port": ("ipproto udp sport 1024", 1025),
        "destination_port": ("ipproto udp dport 53", 54),
    }
    selectors, other = rules[option]
    for line in ("route add local default dev lo table 100", f"rule add priority 100 {selectors} lookup 100"):
        netns.ip(line)
    asked: dict[str, Any] = {"destination": VIPS[4], "source": "198.51.100.7", "iif": "v0", "fwmark": "7"}
    asked |= {"protocol": "udp", "source_port": 1024, "destination_port": 53}
    changed = {**asked, option: other}
    if option == "protocol":
        asked, changed = ({k: v for k, v in one.items() if not k.endswith("_port")} for one in (asked, changed))
    found = netns.call("delivery_info", packets=[asked, changed])["packets"]
    assert [one["delivered"] for one in found] == [True, False]


def test_needs_no_privilege(netns: Namespace) -> None:
    _prepare(netns, [TO_TABLE, BY_MARK], "", 4)
    with netns.entered(), without_net_admin():
        assert call("delivery_info", **_question(4))["packets"][0]["delivered"]


def test_a_thousand_packets_in_a_moment(netns: Namespace) -> None:
    _prepare(netns, [TO_TABLE, BY_MARK], "", 4)
    start = time.process_time()
    found = netns.call("delivery_info", packets=[_question(4) | {"destination_port": 1 + i} for i in range(1000)])
    assert all(one["delivered"] for one in found["packets"])
    assert time.process_time() - start < 2


PREFIXES = ["203.0.113.10", "203.0.113.0/24", "198.51.100.0/24", "0.0.0.0/0"]
RULES = st.builds(
    "rule add priority {} {} {} {}".format,
    st.integers(90, 99),
    st.sampled_from(["", "not"]),
    st.sampled_from(
        [
            "from 198.51.100.0/24",
            "from 198.51.100.7 to 203.0.113.0/24",
            "to 203.0.113.10",
            "iif v0",
            "iif v1",
            "fwmark 1",
            "fwmark 0x100/0xff00",
            "ipproto tcp dport 80-89",
            "ipproto udp",
            "oif v0",
            "tos 0x10",
            "uidrange 0-5",
        ]
    ),
    st.sampled_from(
        ["lookup 100", "lookup 101", "lookup 101 suppress_prefixlength 24", "goto 95", "goto 99", "nop", "prohibit"]
    ),
)
ROUTES = st.builds(
    "route add {} {} table {}".format,
    st.sampled_from(["local", "unicast", "throw"]),
    st.sampled_from(PREFIXES),
    st.sampled_from(["100", "101"]),
)
PACKETS = st.fixed_dictionaries(
    {
        "destination": st.sampled_from(["203.0.113.10", "203.0.113.11", "192.0.2.1"]),
        "source": st.sampled_from(["198.51.100.7", "198.51.100.8", "10.0.0.9"]),
        "iif": st.just("v0"),
        "fwmark": st.sampled_from(["0", "1", "0x101"]),
        "protocol": st.sampled_from(["tcp", "udp"]),
        "destination_port": st.sampled_from([80, 90]),
    }
)


CLEAR = """
ip rule flush
ip rule add priority 32766 lookup main
ip rule add priority 32767 lookup default
for table in 100 101; do ip route flush table $table 2>/dev/null; done; true
"""


def test_the_rule_is_the_one_that_leads_there(netns: Namespace) -> None:
    """The answer is that of ip, and the rule is at the priority where it is decided."""
    netns.run("sysctl", "-qw", *FORWARD.split())

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(RULES, max_size=6), st.lists(ROUTES, max_size=4, unique=True), st.lists(PACKETS, min_size=1))
    def agrees(rules: list[str], routes: list[str], packets: list[dict[str, Any]]) -> None:
        netns.run("sh", "-c", CLEAR)
        for line in routes:
            _try(netns, line + (" dev lo" if "local" in line else " dev v0" if "unicast" in line else ""))
        for line in rules:
            _try(netns, line)
        found = netns.call("delivery_info", packets=packets)["packets"]
        for asked, told in zip(packets, found, strict=True):
            shown = _shown(netns, asked)
            assert told["delivered"] == (shown.get("type") == "local")
            assert told["table"] == shown.get("table", "main" if shown else None)
            if told["table"] in ("100", "101"):
                assert told["rule"]["table"] == told["table"]
            if told["rule"] and told["rule"]["priority"] < 100:
                assert _decides(netns, asked, rules, told["rule"]["priority"])

    agrees()


def _decides(netns: Namespace, asked: dict[str, Any], rules: list[str], priority: int) -> bool:
    """Whether the rules of a priority decide: a refusal after them changes nothing, and one in their place refuses. One
    before them says nothing of those that a goto leads to."""
    there = [line for line in rules if line.startswith(f"rule add priority {priority} ")]
    shown = _shown(netns, asked)
    refusal = f"rule add priority {priority} to {asked['destination']} prohibit protocol 99"
    netns.ip(refusal)
    after = _shown(netns, asked)
    netns.ip(f"rule delete priority {priority} protocol 99")
    for _line in netns.ip_json(f"rule show priority {priority}"):
        netns.ip(f"rule delete priority {priority}")
    netns.ip(refusal)
    instead = _shown(netns, asked)
    netns.ip(f"rule delete priority {priority} protocol 99")
    for line in there:
        _try(netns, line)
    return [after, instead] == [shown, {}]


def _shown(netns: Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    """What ip shows of the same lookup; nothing where it is refused."""
    words = f"{asked['destination']} from {asked['source']} iif {asked['iif']} mark {asked['fwmark']}"
    words += f" ipproto {asked['protocol']} dport {asked['destination_port']}"
    try:
        (found,) = netns.ip_json(f"route get fibmatch {words}")
    except RuntimeError:
        return {}
    return found


def _try(netns: Namespace, line: str) -> None:
    """What the kernel refuses, such as the same twice, is left out."""
    with suppress(RuntimeError):
        netns.ip(line)


def _prepare(netns: Namespace, commands: Iterable[str], settings: str, family: int) -> None:
    for command in commands:
        netns.ip(command.format(f=family, vip=VIPS[family], client=CLIENTS[family]))
        if "address add" in command:
            netns.await_address(VIPS[family])
    if settings:
        netns.run("sysctl", "-qw", *settings.split())


def _question(family: int) -> dict[str, Any]:
    return {
        "destination": VIPS[family],
        "source": CLIENTS[family],
        "iif": "v0",
        "fwmark": MARK,
        "source_port": 1024,
        "destination_port": 80,
    }


def _asked(netns: Namespace, family: int) -> dict[str, Any]:
    (found,) = netns.call("delivery_info", **_question(family))["packets"]
    return dict(found)


def _arrives(netns: Namespace, family: int) -> bool:
    """Send the packet, and another after it. The kernel takes them one by one, so that where the other has come in, the
    first has come as far as it will."""
    word = {4: "ip", 6: "ip6"}[family]
    netns.run(
        "nft",
        "add table inet probe; add counter inet probe vip; add counter inet probe other;"
        "add chain inet probe before { type filter hook prerouting priority mangle; };"
        f"add rule inet probe before meta mark set {MARK};"
        f"add rule inet probe before {word} daddr {OWN[family]} counter name other;"
        "add chain inet probe arrived { type filter hook input priority 0; };"
        f"add rule inet probe arrived {word} daddr {VIPS[family]} counter name vip;",
    )
    with wire(netns) as made:
        for address in (VIPS[family], OWN[family]):
            made.send(packet(address, "tcp", 80))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        listed = json.loads(netns.run("nft", "-j", "list", "counters", "table", "inet", "probe"))["nftables"]
        counters = {one["counter"]["name"]: one["counter"]["packets"] for one in listed if "counter" in one}
        if counters["other"]:
            return bool(counters["vip"])
    raise AssertionError("the packets did not come in")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"destination": "203.0.113"}, "destination: '203.0.113' is not an IPv4 or IPv6 address."),
        ({"destination": "224.0.0.5"}, "destination: '224.0.0.5' is a multicast address, which no rule delivers."),
        ({"source": None}, "source is missing: the lookup needs it."),
        ({"source": "2001:db8::1"}, "source: '2001:db8::1' is not of the family of destination: '203.0.113.10'."),
        ({"iif": None}, "iif is missing: the lookup needs it."),
        ({"iif": "nope0"}, "iif: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"fwmark": "one"}, "fwmark: 'one' is not a whole number."),
        ({"protocol": "icmp"}, "source_port: 1024 cannot go with protocol icmp, which has no ports."),
        ({"source_port": 0}, "source_port: 0 is not between 1 and 65535."),
        ({"destination_port": 65536}, "destination_port: 65536 is not between 1 and 65535."),
    ],
)
def test_bad_input_is_one_clear_error(netns: Namespace, change: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in {**_question(4), **change}.items() if value is not None}
    with pytest.raises(BadInput) as caught:
        netns.call("delivery_info", **given)
    assert str(caught.value) == message
