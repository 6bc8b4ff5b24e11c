"""The catalogue of bad input: each gives one error that names option and value, in both modes, and changes nothing.

The files of the modules try the words of many of them; here every option has its share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace, require_root

PREFIXES = ["vip", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "203.0.113.10/24", "2001:db8:::1", "2001:db8::/129"]
V4, MAC = "203.0.113.10", "02:00:5e:10:00:01"
LONG = "a" * 16
STATE = """
for family in -4 -6; do ip $family rule; ip $family route show table all; done
ip address; ip neighbour; ip link; nft list ruleset
cat /proc/sys/net/ipv4/conf/*/arp_* /proc/sys/net/ipv4/ip_forward
"""
# Of one option each: a whole set of options that is good, and values that make it bad.
BAD: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "ip_rule": (
        {"family": "ipv4", "priority": 100, "table": "100"},
        {
            "family": ["inet", "ipv5"],
            "priority": [-1, 4294967296, "first"],
            "from": PREFIXES,
            "to": PREFIXES,
            "iif": ["nope0", "a name", "a/b", LONG],
            "oif": ["nope0", "a name", "a/b", LONG],
            "fwmark": ["one", "-1", "0x100000000", "0x101/0xff", "1/", "1/1/1"],
            "tos": ["0x11", "256", "low", "-4"],
            "dscp": [64, -1, "EF"],
            "ipproto": ["tpc", "256", "-1"],
            "sport": ["0", "65536", "90-80", "http", "1-", "1,2"],
            "dport": ["0", "65536", "90-80", "http", "1-", "1,2"],
            "uidrange": ["root", "5-4", "-1", "4294967295"],
            "not": ["maybe"],
            "action": ["drop"],
            "table": ["0", "4294967296", "mine"],
            "l3mdev": ["maybe"],
            "goto": [100, 99, "end"],
            "suppress_prefixlength": [-1, 33, "all"],
            "suppress_ifgroup": [-1, 2147483648, "lan"],
            "protocol": ["0", "256", "ours"],
            "purge_protocol": ["0", "256", "ours"],
            "state": ["gone"],
            "file": ["rules.ip", "/nowhere/rules.ip"],
        },
    ),
    "ip_local_route": (
        {"prefixes": ["198.51.100.0/24"], "table": "100"},
        {
            "prefixes": [*([one] for one in PREFIXES), []],
            "table": ["0", "4294967296", "mine"],
            "type": ["unicast", "throw"],
            "device": ["nope0", "a name", LONG],
            "metric": [-1, 4294967296, "low"],
            "source": ["here", "10.0.0.2/24", "10.0.0.99", "2001:db8:a::2"],
            "protocol": ["0", "256", "ours"],
            "purge_protocol": ["0", "256", "ours"],
            "protect": [["10.0.0.0/8"], ["router"]],
            "state": ["gone"],
            "file": ["routes.ip", "/nowhere/routes.ip"],
        },
    ),
    "ip_route": (
        {"prefixes": ["198.51.100.0/24"], "device": "v0", "gateways": ["10.0.0.9"]},
        {
            "prefixes": [*([one] for one in PREFIXES), [], ["0.0.0.0/0"], ["2001:db8:f::/64"]],
            "gateways": [["router"], ["10.0.0.9", "10.0.0.8"], ["10.0.0.0/24"]],
            "device": ["nope0", "a name", LONG],
            "table": ["0", "local", "mine"],
            "metric": [-1, 4294967296],
            "protocol": ["0", "256", "ours"],
            "purge_protocol": ["0"],
        },
    ),
    "ip_address": (
        {"prefixes": [V4], "device": "lo"},
        {
            "prefixes": [["vip"], ["10.0.0.0/33"], ["0.0.0.0"], ["224.0.0.1"], ["255.255.255.255"], ["fe80::1%lo"], []],
            "device": ["nope0", "a name", LONG],
            "scope": ["site"],
            "protocol": [0, 3, 256, "ours"],
            "purge_protocol": [0, 256],
        },
    ),
    "static_neighbor": (
        {"address": "10.0.0.9", "device": "v0", "mac": MAC},
        {
            "address": [
                [],
                ["10.0.0.9", "router"],
                "router",
                "10.0.0.0/24",
                "0.0.0.0",
                "127.0.0.1",
                "224.0.0.1",
                "255.255.255.255",
                "::1",
                "ff02::1",
            ],
            "device": ["nope0", "lo", "a name", LONG],
            "mac": ["02:00", "zz:00:5e:10:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"],
            "proxy": ["maybe"],
            "protocol": ["0", "256", "ours"],
            "purge_protocol": ["0", "256", "ours"],
        },
    ),
    "fwmark": (
        {"vips": [V4], "ports": ["tcp/80"], "mark": "1"},
        {
            "vips": [*([one] for one in PREFIXES), []],
            "ports": [
                *(["tcp/0"], ["tcp/65536"], ["tcp/80-70"], ["tcp/http"], ["http"], ["icmp/8"], ["any/80"], ["tcp/"]),
                *(["256"], ["any", "tcp/80"], [""], []),
            ],
            "sources": [*([one] for one in PREFIXES), []],
            "iif": [["a name"], ["a/b"], [LONG], []],
            "mark": ["one", "-1", "0x100000000", "0x101/0xff", "1/"],
            "table": ["a table", "1st", ""],
            "hooks": [["input"], []],
            "exclude_macs": [["02:00"], ["all"]],
            "file": ["marks.nft", "/nowhere/marks.nft"],
        },
    ),
    "ipvs_service": (
        {"vip": V4, "protocol": "tcp", "port": 80, "family": "ipv4"},
        {
            "vip": ["web", "203.0.113.0/24", "0.0.0.0", "224.0.0.1"],
            "protocol": ["icmp"],
            "port": [-1, 65536, "http", 0],
            "family": ["ipv6", "inet"],
            "fwmark": ["one", "0", "0x100000000"],
            "scheduler": ["a" * 16, "r r", ""],
            "flags": [["one-packet"], ["sh-port"], ["mh-port"], ["fast"]],
            "persistent": [0, -1, 2678401, "long"],
            "persistent_netmask": ["24", "255.255"],
            "persistence_engine": ["sip", "no sip"],
            "purge_fwmarks": ["1/1", "one"],
            "destinations": [
                [{"address": "rs1"}],
                [{"address": "224.0.0.1"}],
                [{"address": "2001:db8:a::11"}],
                [{"address": "10.0.0.11", "weight": 65536}],
                [{"address": "10.0.0.11", "port": 8080}],
                [{"address": "10.0.0.11", "upper_threshold": -1}],
                [{"address": "10.0.0.11", "tunnel_type": "gre"}],
                [{"address": "10.0.0.11", "forwarding": "nat"}],
            ],
        },
    ),
    "ipvs_module": (
        {"name": "lvstest"},
        {
            "name": ["a name", "../lvstest", "", "a.conf"],
            "conn_tab_bits": [7, 28, -1, "many"],
            "schedulers": [["r r"], [""], ["a" * 16]],
            "persistence_engines": [["no sip"], ["sip;"]],
            "state": ["gone"],
        },
    ),
    "arp_suppress": (
        {"interfaces": ["v0"]},
        {
            "interfaces": [["nope0"], ["a name"], []],
            "arp_ignore": [-1, 4, 9, "on"],
            "arp_announce": [-1, 3, "best"],
            "method": ["arptables"],
            "vips": [[V4]],
            "source": ["10.0.0.2"],
            "file": ["arp.conf", "/nowhere/arp.conf"],
        },
    ),
    "ip_tunnel": (
        {"name": "tunl9", "local": "10.0.0.2"},
        {
            "name": ["a name", "a/b", LONG, "tunl0"],
            "type": ["sit"],
            "local": ["rip", "2001:db8:a::2", "10.0.0.0/24"],
            "remote": ["client", "2001:db8:a::9"],
        },
    ),
    "vip_guard": (
        {"vips": [V4]},
        {
            "vips": [["vip"], ["10.0.0.0/33"], ["203.0.113.10/24"]],
            "mask": ["0", "one", "0x100000000"],
            "table": ["a table", "1st"],
            "file": ["guard.nft", "/nowhere/guard.nft"],
        },
    ),
    "boot_unit": (
        {"name": "director"},
        {"name": ["a name", "../director", ""], "sysctl_file": ["x.conf"], "watch": ["maybe"]},
    ),
    "sysctl": (
        {"values": {"net.ipv4.conf.v0.arp_ignore": 1}},
        {
            "values": [
                *({}, {"net.ipv4.nope": 1}, {"net": 1}, {"/etc/passwd": 1}, {"net.ipv4.ip_forward": True}),
                *({"net.ipv4.ip_forward": [1]}, {"net.ipv4.route.flush": 1}, {"net.ipv4.conf.v0.nope": 1}),
            ],
            "file": ["x.conf", "/nowhere/x.conf"],
        },
    ),
    "delivery_info": (
        {"destination": V4, "source": "10.0.0.9", "iif": "v0"},
        {
            "destination": ["vip", "203.0.113.0/24", "224.0.0.1"],
            "source": ["client", "2001:db8:a::9", "10.0.0.0/24"],
            "iif": ["nope0", "a name"],
            "fwmark": ["one", "0x100000000", "1/1"],
            "protocol": ["sctp"],
            "source_port": [0, 65536, "high"],
            "destination_port": [0, 65536, "http"],
        },
    ),
}
# What an option cannot go with, and is left out.
ALONE = {("ip_rule", "goto"): {"table"}, ("ipvs_service", "fwmark"): {"vip", "protocol", "port"}}
CASES = [
    (module, option, value)
    for module, (_good, options) in BAD.items()
    for option, values in options.items()
    for value in values
]


@pytest.fixture(scope="module")
def held() -> Iterator[tuple[Namespace, str]]:
    """One namespace for all, since nothing is changed in it, and its state."""
    require_root()
    with Namespace() as made:
        yield made, made.run("sh", "-c", STATE)


@pytest.mark.parametrize(("module", "option", "value"), CASES, ids=[f"{m}-{o}-{v!r}" for m, o, v in CASES])
def test_one_error_and_no_change(held: tuple[Namespace, str], module: str, option: str, value: object) -> None:
    whole = {name: set_to for name, set_to in BAD[module][0].items() if name not in ALONE.get((module, option), ())}
    netns, before = held
    messages = set()
    for check in (True, False):
        # What Ansible itself refuses is a ValueError here, as the test's validation raises it.
        with pytest.raises((BadInput, ValueError)) as caught:
            netns.call(module, check=check, **whole | {option: value})
        messages.add(str(caught.value))
    (message,) = messages
    assert message.startswith(option) or (caught.type is ValueError and re.search(rf"\b{option}\b", message))
    assert any(told in message for told in _told(value)), message
    assert netns.run("sh", "-c", STATE) == before


def test_are_two_hundred() -> None:
    assert len(CASES) >= 200


def _told(value: object) -> list[str]:
    """How a message may name a value: as it was given, or what is bad within it. Ansible writes no quotes."""
    parts: list[object] = list(value) if isinstance(value, list | dict) else []
    parts += value.values() if isinstance(value, dict) else []
    return [repr(value), f": {value}", *(told for part in parts for told in _told(part))]
