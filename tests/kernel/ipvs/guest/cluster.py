"""A client, a router, and on the bridge behind it a director and two realservers that answer past it, in namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from namespace import Namespace

VIPS = {4: "203.0.113.10", 6: "2001:db8:f::10"}
VIP_PREFIXES = {4: "203.0.113.0/24", 6: "2001:db8:f::/64"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:c::10"}
DIRECTOR = {4: "10.0.0.2", 6: "2001:db8:a::2"}
REALSERVERS = {4: ("10.0.0.11", "10.0.0.12"), 6: ("2001:db8:a::11", "2001:db8:a::12")}
ROUTER = {4: "10.0.0.1", 6: "2001:db8:a::1"}

Step = tuple[str, dict[str, Any]]
"""A module and its options."""


class Cluster(NamedTuple):
    """Each but the router has v0, whose other end is there: ``client``, or a port of the bridge ``lan``."""

    client: Namespace
    router: Namespace
    director: Namespace
    realservers: tuple[Namespace, Namespace]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """The realservers have the VIPs and are silent about them, and the router sends the VIPs to the director."""
    with ExitStack() as stack:
        client, router, director, one, two = (stack.enter_context(Namespace()) for _host in range(5))
        made = Cluster(client, router, director, (one, two))
        _wire(made)
        for netns in made.realservers:
            netns.call("arp_suppress")
            netns.call("ip_address", prefixes=list(VIPS.values()))
        router.call("ip_route", prefixes=list(VIP_PREFIXES.values()), gateways=list(DIRECTOR.values()), device="lan")
        yield made


def _wire(made: Cluster) -> None:
    made.router.ip("link delete v0")
    _addresses(made.client, (f"{CLIENT[4]}/24", f"{CLIENT[6]}/64"), ("198.51.100.1", "2001:db8:c::1"))
    # What is not sent from an address of its interface has the next hop asked for by a link-local one.
    made.director.ip("address add fe80::2/64 dev v0 nodad")
    for place, netns in enumerate(made.realservers):
        netns.ip(f"address add fe80::1{place}/64 dev v0 nodad")
        own = (f"{REALSERVERS[4][place]}/24", f"{REALSERVERS[6][place]}/64")
        _addresses(netns, own, (ROUTER[4], ROUTER[6]))
    # Only the way to the realservers is narrow, so that the director is who must say so.
    made.director.batch(*(f"route add {a} dev v0 mtu 1300" for family in (4, 6) for a in REALSERVERS[family]))
    ports = {"client": made.client, "port0": made.director, "port1": made.realservers[0], "port2": made.realservers[1]}
    for name, netns in ports.items():
        netns.ip(f"link set v1 netns {made.router.name} name {name}")
    made.router.batch(
        "link add lan type bridge",
        *(f"link set {name} addrgenmode none" for name in ("lan", *ports)),
        *(f"link set {name} master lan" for name in ports if name != "client"),
        *(f"link set {name} up" for name in ("lan", *ports)),
        "address add 198.51.100.1/24 dev client",
        "address add 2001:db8:c::1/64 dev client nodad",
        f"address add {ROUTER[4]}/24 dev lan",
        f"address add {ROUTER[6]}/64 dev lan nodad",
        "address add fe80::1/64 dev lan nodad",
        "address add fe80::1/64 dev client nodad",
    )
    forward = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
    # What is asked for may be refused many times a second here.
    unlimited = {"net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0}
    for netns in (made.director, made.router):
        netns.call("sysctl", values=forward | unlimited)
    # Else a realserver whose answers are masqueraded is told of a way past the director, and takes it.
    made.director.call("sysctl", values={f"net.ipv4.conf.{name}.send_redirects": 0 for name in ("all", "v0")})
    for netns, devices in ((made.router, ("client", "lan")), *((one, ("v0",)) for one in ports.values())):
        netns.call("sysctl", values={f"net.ipv4.conf.{name}.rp_filter": 0 for name in ("all", *devices)})
    made.client.call("sysctl", values={"net.ipv4.ping_group_range": "0 0"})


def _addresses(netns: Namespace, own: tuple[str, str], gateways: tuple[str, str]) -> None:
    netns.batch(
        "address flush dev v0 scope global",
        f"address add {own[0]} dev v0",
        f"address add {own[1]} dev v0 nodad",
        f"route replace default via {gateways[0]}",
        f"route replace default via {gateways[1]}",
    )


@contextmanager
def applied(netns: Namespace, steps: Sequence[Step]) -> Iterator[None]:
    """What modules make, until the end of the block."""
    with ExitStack() as stack:
        for module, options in steps:
            if module == "sysctl":
                stack.callback(netns.call, module, values=_levels(netns, options["values"]))
            else:
                stack.callback(netns.call, module, **options, state="absent")
            netns.call(module, **options)
        yield


def _levels(netns: Namespace, keys: Sequence[str]) -> dict[str, str]:
    with netns.entered():
        return {key: Path("/proc/sys", *key.split(".")).read_text() for key in keys}
