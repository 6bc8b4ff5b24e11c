"""The module ip_rule_info against the kernel: what it tells is what ``ip -j -d rule`` shows."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.modules import ip_rule_info
from namespace import Namespace, call, without_net_admin

RULES: list[dict[str, Any]] = [
    {"priority": 90, "family": "both", "iif": "v0", "fwmark": "0x10000/0x10000", "table": "100"},
    {"priority": 91, "from": "198.51.100.0/24", "to": "203.0.113.10", "not": True, "action": "prohibit"},
    {"priority": 92, "family": "ipv4", "oif": "v1", "tos": "0x10", "uidrange": "5-7", "goto": 200},
    {"priority": 93, "family": "ipv6", "ipproto": "udp", "sport": "53", "dport": "1-9", "l3mdev": True},
    {"priority": 94, "to": "2001:db8:f::/64", "dscp": 46, "table": "main", "suppress_prefixlength": 0},
    {"priority": 95, "to": "203.0.113.11", "fwmark": "7", "table": "101", "suppress_ifgroup": 7, "protocol": "118"},
]
# What is left where each option is given a value, as priorities.
NARROWED = {
    "family": ("ipv6", [90, 93, 94]),
    "priority": (92, [92]),
    "table": ("100", [90, 90]),
    "protocol": ("118", [95]),
}


def test_what_it_tells_can_be_given_back(netns: Namespace) -> None:
    netns.call("ip_rule", rules=RULES, force=True)
    found = netns.call("ip_rule_info")
    assert not found["changed"]
    assert len(found["rules"]) == len(found["lines"]) == 7
    assert not netns.call("ip_rule", rules=found["rules"], purge=True, force=True)["changed"]
    with Namespace() as other:
        other.call("ip_rule", rules=found["rules"], force=True)
        for family in ("-4", "-6"):
            assert other.ip_json(f"{family} rule show") == netns.ip_json(f"{family} rule show")


def test_in_the_words_of_the_options(netns: Namespace) -> None:
    netns.call("ip_rule", rules=RULES[:2], force=True)
    found = netns.call("ip_rule_info", family="ipv4")
    assert found["rules"] == [
        {**RULES[0], "family": "ipv4", "action": "lookup", "protocol": "117"},
        {**RULES[1], "family": "ipv4", "to": "203.0.113.10/32", "protocol": "117"},
    ]
    assert found["lines"] == [
        "ipv4 90: from all fwmark 0x10000/0x10000 iif v0 lookup 100 proto 117",
        "ipv4 91: not from 198.51.100.0/24 to 203.0.113.10/32 prohibit proto 117",
    ]


@pytest.mark.parametrize("option", ip_rule_info.SPEC.options)
def test_each_option_narrows(netns: Namespace, option: str) -> None:
    netns.call("ip_rule", rules=RULES, force=True)
    value, left = NARROWED[option]
    assert [rule["priority"] for rule in netns.call("ip_rule_info", **{option: value})["rules"]] == left


def test_others_are_told_of(netns: Namespace) -> None:
    netns.ip("rule add priority 90 to 203.0.113.10 table 100 realms 5/6")
    netns.ip("rule add priority 91 to 203.0.113.10 nop")
    found = netns.call("ip_rule_info")
    assert [rule["priority"] for rule in found["rules"]] == [91]
    assert [line.split()[1] for line in found["lines"]] == ["90:", "91:"]
    kernels = netns.call("ip_rule_info", family="ipv4", protocol="kernel")
    assert [rule["table"] for rule in kernels["rules"]] == ["local", "main", "default"]


def test_needs_no_privilege(netns: Namespace) -> None:
    netns.call("ip_rule", **RULES[0])
    with netns.entered(), without_net_admin():
        assert len(call("ip_rule_info")["rules"]) == 2


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("priority", -1, "priority: -1 is not between 0 and 4294967295."),
        ("table", "nowhere", "table: 'nowhere' is not a whole number."),
        ("protocol", "300", "protocol: '300' is not between 1 and 255."),
    ],
)
def test_bad_input_is_one_clear_error(netns: Namespace, option: str, value: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("ip_rule_info", **{option: value})
    assert str(caught.value) == message
