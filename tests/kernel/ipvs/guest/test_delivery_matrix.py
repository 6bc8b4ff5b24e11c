"""Every way of delivery to a director, by real packets: a row a way, and a column a thing that comes of it."""

from __future__ import annotations

from typing import Any

import probes
import pytest
from cluster import CLIENT, REALSERVERS, VIP_PREFIXES, VIPS, Cluster, Step, applied

COLUMNS = ("balanced", "resolved", "ping", "unreachable", "big", "exposed", "sent as VIP")
"""Requests are shared; somebody answers ARP or neighbour discovery; the VIP answers a ping; a closed port is reported;
a request that is longer than the way to the realservers is wide gets through; a daemon of the director answers at the
VIP; what the director sends with the VIP as source."""

MARK, DELIVERY_BIT = "1", "0x10000/0x10000"


def by_vip(family: int) -> Step:
    destinations = [{"address": address} for address in REALSERVERS[family]]
    return "ipvs_service", {
        "vip": VIPS[family],
        "protocol": "tcp",
        "port": 80,
        "scheduler": "rr",
        "destinations": destinations,
    }


def by_mark(family: int, mark: str = MARK, **options: Any) -> Step:
    destinations = [{"address": address, **options} for address in REALSERVERS[family]]
    named = {4: "ipv4", 6: "ipv6"}[family]
    return "ipvs_service", {"fwmark": mark, "family": named, "scheduler": "rr", "destinations": destinations}


def marks(family: int, mark: str = MARK, ports: str = "tcp/80", **options: Any) -> Step:
    return "fwmark", {"marks": [{"vips": [VIP_PREFIXES[family]], "ports": [ports], "mark": mark}], **options}


def local(prefix: str, table: str = "local", **options: Any) -> Step:
    return "ip_local_route", {"prefixes": [prefix], "table": table, **options}


def rule(**options: Any) -> Step:
    return "ip_rule", {"priority": 100, "table": "100", **options}


def rows(f: int) -> dict[str, list[Step]]:
    """The steps of each way, for a family."""
    family, everything = {4: ("ipv4", "0.0.0.0/0"), 6: ("ipv6", "::/0")}[f]
    vip, marked = VIPS[f], [marks(f), by_mark(f)]
    table = local(everything, "100")
    bare = rule(family=family, fwmark=MARK)
    host = ("ip_address", {"prefixes": [vip]})
    return {
        "A nothing": [by_vip(f)],
        "B marks, no delivery": marked,
        "C address on lo": [by_vip(f), host],
        "C address on lo, by mark": [*marked, host],
        "D network on lo": [by_vip(f), ("ip_address", {"prefixes": [VIP_PREFIXES[f].replace(".0/", ".1/")]})],
        "E AnyIP": [by_vip(f), local(VIP_PREFIXES[f])],
        "E AnyIP, by mark": [*marked, local(VIP_PREFIXES[f])],
        "E AnyIP, silent": [by_vip(f), local(VIP_PREFIXES[f]), ("arp_suppress", {})],
        "F mark": [*marked, table, bare],
        "F mark by interface": [*marked, table, rule(family=family, iif="v0", fwmark=MARK)],
        "F one bit of the mark": [
            (
                "fwmark",
                {
                    "marks": [
                        {"vips": [vip], "ports": ["tcp/80"], "mark": "0x10001"},
                        # Delivered, and no service takes it.
                        {"vips": [vip], "ports": [f"udp/{probes.CLOSED_PORT}"], "mark": "0x10002"},
                    ]
                },
            ),
            by_mark(f, "0x10001"),
            table,
            rule(family=family, iif="v0", fwmark=DELIVERY_BIT),
        ],
        "F mark, and the VIP is local": [*marked, table, bare, local(vip)],
        "F mark, fwmark_reflect": [*marked, table, bare, ("sysctl", {"values": {"net.ipv4.fwmark_reflect": 1}})],
        "F mark, guarded": [*marked, table, bare, local(VIP_PREFIXES[f], "main", type="unreachable")],
        "F first packets' marks": [marks(f, new_connections=True), by_mark(f), table, bare],
        "G destination": [by_vip(f), table, rule(to=[vip])],
        "G destination by interface": [by_vip(f), table, rule(to=[vip], iif="v0")],
        "G destination, silent": [by_vip(f), table, rule(to=[vip]), ("arp_suppress", {})],
        "I mark, local on the device": [*marked, local(everything, "100", device="v0"), bare],
    }


IPV4 = {
    #                               balanced  ARP  ping  unreachable  big  exposed  sent as VIP
    "A nothing":                    "no       no   no    no           no   no       nothing",
    "B marks, no delivery":         "no       no   no    no           no   no       nothing",
    "C address on lo":              "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "C address on lo, by mark":     "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "D network on lo":              "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP":                      "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP, by mark":             "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP, silent":              "yes      no   yes   yes          yes  yes      echo+errors+tcp",
    "F mark":                       "yes      no   no    no           no   no       nothing",
    "F mark by interface":          "yes      no   no    no           no   no       nothing",
    "F one bit of the mark":        "yes      no   no    no           no   no       nothing",
    "F mark, and the VIP is local": "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "F mark, fwmark_reflect":       "yes      no   no    no           no   no       nothing",
    "F mark, guarded":              "yes      no   no    no           no   no       nothing",
    "F first packets' marks":       "yes      no   no    no           no   no       nothing",
    "G destination":                "yes      yes  no    no           no   no       nothing",
    "G destination by interface":   "yes      yes  no    no           no   no       nothing",
    "G destination, silent":        "yes      no   no    no           no   no       nothing",
    "I mark, local on the device":  "yes      no   no    no           no   no       nothing",
}  # fmt: skip
IPV6 = {
    #                               balanced  ND   ping  unreachable  big  exposed  sent as VIP
    "C address on lo":              "yes      no   yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP":                      "yes      no   yes   yes          yes  yes      echo+tcp",
    "F mark":                       "yes      no   no    no           yes  no       nothing",
    "F one bit of the mark":        "yes      no   no    yes          yes  no       nothing",
    "G destination":                "yes      no   yes   yes          yes  yes      echo+tcp",
    "I mark, local on the device":  "yes      no   no    no           yes  no       nothing",
}  # fmt: skip
TABLES = {4: IPV4, 6: IPV6}


@pytest.mark.parametrize(("family", "way"), [(family, way) for family, table in TABLES.items() for way in table])
def test_each_way(hosts: Cluster, family: int, way: str) -> None:
    steps = rows(family)[way]
    sent = probes.Sent(hosts.director)
    with applied(hosts.director, steps):
        questions = (probes.balanced, probes.resolved, probes.ping, probes.unreachable, probes.big, probes.exposed)
        found = [question(hosts, family) for question in questions] + [sent.kinds()]
        told = delivered(hosts, family, _mark(steps))
    assert dict(zip(COLUMNS, found, strict=True)) == dict(zip(COLUMNS, TABLES[family][way].split(), strict=True))
    assert told == (found[0] == "yes"), "delivery_info told otherwise than packets did"


def delivered(hosts: Cluster, family: int, mark: str) -> bool:
    """What delivery_info tells of a client's packet with the mark."""
    packet = {"destination": VIPS[family], "source": CLIENT[family], "iif": "v0", "fwmark": mark}
    (found,) = hosts.director.call("delivery_info", **packet)["packets"]
    return bool(found["delivered"])


def _mark(steps: list[Step]) -> str:
    """The mark of a request."""
    marking = dict(steps).get("fwmark")
    return str(marking["marks"][0]["mark"]) if marking else "0"
