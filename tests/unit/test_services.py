"""The declaration lvs_services: what it becomes for each module, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.filter.services import FilterModule
from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import services

FILTERS = FilterModule().filters()
WEB: dict[str, Any] = {
    "name": "web",
    "mark": 1,
    "vips": ["203.0.113.10", "203.0.113.64/26", "2001:db8:f::/64"],
    "ports": ["tcp/80", "tcp/443"],
    "scheduler": "rr",
    "realservers": [{"address": "10.0.0.11"}, {"address": "10.0.0.12", "weight": 0}, {"address": "2001:db8:a::11"}],
}
DNS: dict[str, Any] = {
    "name": "dns",
    "mark": 2,
    "vips": ["203.0.113.53"],
    "ports": ["udp/53"],
    "forwarding": "masquerade",
    "realservers": [{"address": "10.0.0.11"}],
}
BIT = 0x10000


def test_marks_carry_the_delivery_bit() -> None:
    web, dns = services.marked(services.parse([WEB, DNS]), BIT)
    assert web == {
        "vips": ["203.0.113.10/32", "203.0.113.64/26", "2001:db8:f::/64"],
        "ports": ["tcp/80", "tcp/443"],
        "mark": "0x10001",
    }
    assert dns["mark"] == "0x10002"


def test_marks_by_interface() -> None:
    (web,) = services.marked(services.parse([WEB]), BIT, ["eth0", "eth1"])
    assert web["iif"] == ["eth0", "eth1"]


ANYWHERE: dict[str, Any] = {**WEB, "vips": ["0.0.0.0/0", "::/0"]}


def test_every_destination_is_no_vip() -> None:
    """What is forwarded is chosen by its ports; no host holds it, routes it or guards it."""
    parsed = services.parse([ANYWHERE, {**DNS, "ports": ["udp/53"]}])
    assert services.vip_prefixes(parsed) == ["203.0.113.53/32"]
    assert services.marked(parsed, BIT)[0]["vips"] == ["0.0.0.0/0", "::/0"]
    asked = services.packets(parsed, BIT, ["eth0"], ["2001:db8:c::7", "198.51.100.7"])
    assert [packet["destination"] for packet in asked] == ["192.0.2.1", "2001:db8::1", "203.0.113.53"]


@pytest.mark.parametrize("ports", [["any"], ["tcp"], ["tcp/80", "icmp"]])
def test_every_destination_needs_ports(ports: list[str]) -> None:
    with pytest.raises(BadInput, match=r"lvs_services\[0\]\.vips\[0\]: '0\.0\.0\.0/0' is every destination"):
        services.parse([{**ANYWHERE, "vips": ["0.0.0.0/0"], "ports": ports}])


def test_one_ipvs_service_for_each_family() -> None:
    found = services.balanced(services.parse([WEB]), BIT)
    assert [(s["family"], s["fwmark"], s["scheduler"]) for s in found] == [
        ("ipv4", "0x10001", "rr"),
        ("ipv6", "0x10001", "rr"),
    ]
    assert [(d["address"], d["weight"], d["port"]) for d in found[0]["destinations"]] == [
        ("10.0.0.11", 1, 0),
        ("10.0.0.12", 0, 0),
    ]
    assert [d["address"] for d in found[1]["destinations"]] == ["2001:db8:a::11"]


def test_what_concerns_ipvs_alone_is_handed_on() -> None:
    own = {"persistent": 300, "persistent_netmask": "24", "flags": ["sh-port"], "persistence_engine": None}
    server = {"address": "10.0.0.11", "upper_threshold": 100, "lower_threshold": 0, "tunnel_type": "gre"}
    (found,) = services.balanced(services.parse([{**DNS, **own, "realservers": [server]}]), BIT)
    (destination,) = found.pop("destinations")
    assert {name: found[name] for name in own if name in found} == {
        "persistent": 300,
        "persistent_netmask": "24",
        "flags": ["sh-port"],
    }
    assert {name: destination.get(name) for name in server} == server


def test_a_clients_packet_for_each_prefix_and_interface() -> None:
    asked = services.packets(services.parse([WEB, DNS]), BIT, ["eth0", "eth1"], ["2001:db8:c::7", "198.51.100.7"])
    assert len(asked) == 8
    assert asked[2] == {
        "destination": "203.0.113.64",
        "source": "198.51.100.7",
        "iif": "eth0",
        "fwmark": "0x10001",
        "protocol": "tcp",
        "destination_port": 80,
    }
    assert asked[5]["iif"] == "eth1"
    assert (asked[5]["destination"], asked[5]["source"]) == ("2001:db8:f::", "2001:db8:c::7")
    with pytest.raises(BadInput, match=r"sources: \['198\.51\.100\.7'\] has no ipv6 address\."):
        services.packets(services.parse([WEB]), BIT, ["eth0"], ["198.51.100.7"])


@pytest.mark.parametrize(("given", "port"), [({}, 0), ({"port": 5353}, 5353)])
def test_packets_keep_their_port_unless_another_is_named(given: dict[str, int], port: int) -> None:
    (found,) = services.balanced(services.parse([{**DNS, "realservers": [{"address": "10.0.0.11", **given}]}]), BIT)
    assert found["destinations"] == [{"address": "10.0.0.11", "port": port, "forwarding": "masquerade", "weight": 1}]


def test_answers_are_known_by_rip_protocol_and_port() -> None:
    other = {"address": "10.0.0.12"}
    ports = {**DNS, "ports": ["udp/53", "tcp/53", "udp/5000-5009"], "realservers": [*DNS["realservers"], other]}
    found = services.replies(services.parse([WEB, ports]), ["10.0.0.2"], [])
    rips = ["10.0.0.11", "10.0.0.12"]
    assert found == [
        {"from": rips, "ipproto": "tcp", "sport": "53"},
        {"from": rips, "ipproto": "udp", "sport": "5000-5009"},
        {"from": rips, "ipproto": "udp", "sport": "53"},
    ]
    own = services.replies(services.parse([ports]), ["10.0.0.2", "2001:db8:a::2"], ["10.0.0.12", "2001:db8:a::12"])
    assert {tuple(selector["from"]) for selector in own} == {("10.0.0.12",)}


@pytest.mark.parametrize(("ports", "protocols"), [(["udp/53"], ["udp"]), (["any"], ["tcp", "udp"])])
def test_answers_come_from_the_realservers_own_port(ports: list[str], protocols: list[str]) -> None:
    changed = {**DNS, "ports": ports, "realservers": [{"address": "10.0.0.11", "port": 5353}]}
    found = services.replies(services.parse([changed]), ["10.0.0.2"], [])
    assert found == [{"from": ["10.0.0.11"], "ipproto": protocol, "sport": "5353"} for protocol in protocols]


@pytest.mark.parametrize(
    ("change", "gateways", "message"),
    [
        (
            {},
            ["2001:db8:a::2"],
            "lvs_services[0].realservers[0].address: '10.0.0.11' has no next hop of its family among "
            "['2001:db8:a::2'].",
        ),
        (
            {"ports": ["any"]},
            ["10.0.0.2"],
            "lvs_services[0].ports: ['any'] leaves open what is an answer, so that all of a realserver would go by the "
            "director. Name the ports.",
        ),
        ({}, ["there"], "gateways[0]: 'there' is not an IPv4 or IPv6 address."),
    ],
)
def test_answers_that_cannot_be_known(change: dict[str, Any], gateways: list[str], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        services.replies(services.parse([{**DNS, **change}]), gateways, [])
    assert str(caught.value) == message


def test_addresses_stand_once() -> None:
    parsed = services.parse([WEB, DNS])
    assert services.vip_prefixes(parsed) == [
        "203.0.113.10/32",
        "203.0.113.64/26",
        "2001:db8:f::/64",
        "203.0.113.53/32",
    ]
    inner = services.parse([WEB, {**DNS, "vips": ["203.0.113.70", "203.0.113.53"]}])
    assert services.vip_prefixes(inner, outermost=True) == [
        "203.0.113.10/32",
        "203.0.113.64/26",
        "2001:db8:f::/64",
        "203.0.113.53/32",
    ]
    assert services.realserver_addresses(parsed) == ["10.0.0.11", "10.0.0.12", "2001:db8:a::11"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            (
                {"ports": ["tcp/443", port]},
                f"lvs_services[1].ports[1]: {port!r} is a number alone: "
                "a port has its protocol before it, such as tcp/80.",
            )
            for port in (80, "80")
        ),
        *(
            ({"vips": [vip]}, f"lvs_services[1].vips[0]: '{vip}' is {what}, which cannot be a VIP.")
            for vip, what in (("127.0.0.5", "an address of the host itself"), ("ff02::1", "a multicast address"))
        ),
        ({"name": "dns"}, "lvs_services[1].name: 'dns' is that of lvs_services[0] (dns) too."),
        ({"mark": 2}, "lvs_services[1].mark: 2 is that of lvs_services[0] (dns) too."),
        ({"mark": "x"}, "lvs_services[1].mark: 'x' is not a whole number."),
        ({"mark": None}, "lvs_services[1].mark is missing or empty."),
        ({"mark": BIT}, "lvs_services[1].mark: 65536 is not below the delivery bit, 0x10000."),
        ({"vips": []}, "lvs_services[1].vips: [] is missing or empty."),
        (
            {"vips": ["203.0.113.10/24"]},
            "lvs_services[1].vips[0]: '203.0.113.10/24' has host bits set; the prefix is 203.0.113.0/24.",
        ),
        ({"vips": ["10.0.0.0/24"]}, "lvs_services[1].vips[0]: '10.0.0.0/24' holds 10.0.0.11, a realserver of dns."),
        (
            {"vips": ["203.0.113.0/24"], "ports": ["udp/50-60"]},
            "lvs_services[1].vips[0]: 'ipv4 203.0.113.0/24 udp/50-60 mark 0x1' "
            "overlaps lvs_services[0].vips[0]: 'ipv4 203.0.113.53 udp/53 mark 0x2'.",
        ),
        (
            {"ports": ["tcp/70000"]},
            "lvs_services[1].ports[0]: 'tcp/70000' names a port that is not between 1 and 65535.",
        ),
        ({"forwarding": "nat"}, "lvs_services[1].forwarding: 'nat' is not one of direct, tunnel, masquerade."),
        (
            {"realservers": [{"address": "10.0.0.11"}]},
            "lvs_services[1].realservers: ['10.0.0.11'] has no ipv6 address.",
        ),
        (
            {"realservers": [{"address": "rs1"}]},
            "lvs_services[1].realservers[0].address: 'rs1' is not an IPv4 or IPv6 address.",
        ),
        (
            {"realservers": [{"address": "10.0.0.11", "weight": -1}]},
            "lvs_services[1].realservers[0].weight: -1 is not between 0 and 65535.",
        ),
    ],
)
def test_bad_declarations_name_option_and_value(change: dict[str, Any], message: str) -> None:
    entry = {**copy.deepcopy(WEB), **change}
    with pytest.raises(BadInput) as caught:
        services.marked(services.parse([DNS, entry]), BIT)
    assert str(caught.value) == message


def server(**options: Any) -> dict[str, Any]:
    return {"realservers": [{"address": "2001:db8:a::11"}, {"address": "10.0.0.11", **options}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flags": ["mh-port"]}, "flags: 'mh-port' is for scheduler mh only, not wlc."),
        ({"flags": "mh-port,sh-port"}, "flags: 'mh-port' is for scheduler mh only, not wlc."),
        ({"flags": ["often"]}, "flags: 'often' is not one of "),
        ({"persistent": 0}, "persistent: 0 is not between 1 and 2678400."),
        ({"persistence_engine": "sip"}, "persistence_engine: 'sip' goes with persistent only."),
        (
            {"persistent": 300, "persistent_netmask": "24"},
            "persistent_netmask: '24' is one length for clients of two families: "
            "give the VIPs of each family a service of their own.",
        ),
        (
            {"vips": ["203.0.113.10"], "persistent": 300, "persistent_netmask": "64"},
            "persistent_netmask: '64' is not between 0 and 32.",
        ),
        (
            server(upper_threshold=5, lower_threshold=6),
            "realservers[1].lower_threshold: 6 is above the upper one, 5.",
        ),
        ({"forwarding": "tunnel", **server(tunnel_type="vxlan")}, "realservers[1].tunnel_type: 'vxlan' is not one of "),
        (
            {"forwarding": "tunnel", **server(tunnel_type="gue")},
            "realservers[1].tunnel_port is missing: packets of type gue go to a port.",
        ),
        (server(tunnel_type="gre"), "realservers[1].tunnel_type: 'gre' goes with forwarding: tunnel only."),
        (server(address="10.0.0.11", weight=70000), "realservers[1].weight: 70000 is not between 0 and 65535."),
    ],
)
def test_what_no_ipvs_could_have_is_refused_by_the_declarations_names(change: dict[str, Any], message: str) -> None:
    entry = {**copy.deepcopy(WEB), "scheduler": "wlc", **change}
    with pytest.raises(AnsibleFilterError) as caught:
        FILTERS["ipvs_services"]([DNS, entry], BIT)
    assert str(caught.value).startswith(f"lvs_services[1].{message}")


def test_a_declaration_with_all_that_ipvs_can_have_is_sound() -> None:
    whole = {
        **WEB,
        "vips": ["203.0.113.10"],
        "scheduler": "mh",
        "flags": ["mh-port", "mh-fallback"],
        "persistent": 300,
        "persistent_netmask": "255.255.255.0",
        "forwarding": "tunnel",
        "realservers": [{"address": "10.0.0.11", "tunnel_type": "gue", "tunnel_port": "6080", "upper_threshold": 9}],
    }
    (found,) = FILTERS["ipvs_services"]([whole], BIT)
    assert found["destinations"][0]["tunnel_port"] == "6080"
