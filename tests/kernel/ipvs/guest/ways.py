"""The ways of delivery to a director, as modules and their options."""

from __future__ import annotations

from typing import Any

import probes
from cluster import CLIENT, REALSERVERS, VIP_PREFIXES, VIPS, Cluster, Step

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


def delivered(hosts: Cluster, family: int, mark: str) -> bool:
    """What delivery_info tells of a client's packet with the mark."""
    packet = {"destination": VIPS[family], "source": CLIENT[family], "iif": "v0", "fwmark": mark}
    (found,) = hosts.director.call("delivery_info", **packet)["packets"]
    return bool(found["delivered"])


def mark_of(steps: list[Step]) -> str:
    """The mark of a request."""
    marking = dict(steps).get("fwmark")
    return str(marking["marks"][0]["mark"]) if marking else "0"
