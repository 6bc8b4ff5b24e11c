"""What a packet costs that is forwarded through a director, with one VIP and with many."""

from __future__ import annotations

import re
import statistics
from contextlib import ExitStack
from typing import NamedTuple

from namespace import Namespace
from objects import vip

PINGS = 100_000
ROUNDS = 7


class Cost(NamedTuple):
    """Milliseconds of a round trip with one VIP and with ``vips`` of them."""

    vips: int
    one: float
    many: float


def cost(count: int) -> Cost:
    """The medians of round trips from a client through the director to a server, in turns."""
    with ExitStack() as stack:
        client, director, server = (stack.enter_context(Namespace()) for _host in range(3))
        _connect(client, director, server)
        taken: tuple[list[float], list[float]] = ([], [])
        for _round in range(ROUNDS):
            for times, vips in zip(taken, (1, count), strict=True):
                director.call("fwmark", marks=[_entry(vips)], purge=True)
                times.append(_round_trip(client))
    return Cost(count, statistics.median(taken[0]), statistics.median(taken[1]))


def _entry(count: int) -> dict[str, object]:
    return {"vips": [vip(2, place) for place in range(count)], "ports": ["tcp/80"], "mark": "0x10000/0x10000"}


def _connect(client: Namespace, director: Namespace, server: Namespace) -> None:
    """client v0 - v1 director v0 - v1 server."""
    for netns in (client, server):
        netns.ip("link delete v0")
    director.ip("link delete v0")
    director.ip(f"link add left type veth peer name near netns {client.name}")
    director.ip(f"link add right type veth peer name near netns {server.name}")
    for netns, device, address in (
        (director, "left", "10.1.0.1/24"),
        (director, "right", "10.2.0.1/24"),
        (client, "near", "10.1.0.2/24"),
        (server, "near", "10.2.0.2/24"),
    ):
        netns.ip(f"link set {device} up")
        netns.ip(f"address add {address} dev {device}")
    client.ip("route add default via 10.1.0.1")
    server.ip("route add default via 10.2.0.1")
    director.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    director.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
    director.call("ip_rule", family="ipv4", priority=100, iif="left", fwmark="0x10000/0x10000", table="100")


def _round_trip(client: Namespace) -> float:
    shown = client.run("ping", "-q", "-f", "-c", str(PINGS), "10.2.0.2")
    # The whole time of so many: its own average has three digits behind a millisecond's point.
    found = re.search(r" 0% packet loss, time ([0-9]+)ms", shown)
    if not found:
        raise RuntimeError(shown)
    return int(found[1]) / PINGS
