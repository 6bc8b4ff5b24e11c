"""How a realserver accepts the VIPs, who is answered then, and which way the answers go."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from far_end import Neighbour
from namespace import Namespace
from traffic import connect

VIPS = ("203.0.113.10", "2001:db8:f::10")
CLIENT = ("198.51.100.10", "2001:db8:c::10")
GATEWAY = ("10.0.0.1", "2001:db8:a::1")
DIRECTOR = ("10.0.0.9", "2001:db8:a::9")
RIP = ("10.0.0.2", "2001:db8:a::2")
PORT = 80
PATIENCE_SECONDS = 1.5
_IPV6_TRANSPARENT = 75
_ETH_P_ALL = 3
_SYN_ACK = 0x12


def by_anyip(netns: Namespace) -> None:
    netns.call("ip_local_route", prefixes=list(VIPS), metric=1024)


def by_address(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=list(VIPS), device="lo")


def by_rule(netns: Namespace) -> None:
    netns.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="118")
    netns.call("ip_rule", to=list(VIPS), priority=118, table="118")


WAYS = {"address": by_address, "anyip": by_anyip, "rule": by_rule}


@pytest.fixture
def client(netns: Namespace) -> Iterator[Namespace]:
    """A client beyond its own link, and the gateway of the realserver at once."""
    with Namespace() as made:
        connect(netns, made)
        macs = [host.ip_json(f"link show {device}")[0]["address"] for host, device in ((made, "v1"), (netns, "v0"))]
        for family, address, gateway, prefix, hop in zip(
            ("-4", "-6"), CLIENT, GATEWAY, ("203.0.113.0/24", "2001:db8:f::/48"), RIP, strict=True
        ):
            made.ip(f"{family} address add {address} dev lo")
            made.await_address(address)
            made.ip(f"{family} route replace {prefix} via {hop} src {address}")
            # Nothing here has a link-local address, as which it would ask for the other.
            netns.ip(f"{family} neighbour replace {gateway} lladdr {macs[0]} dev v0 nud permanent")
            made.ip(f"{family} neighbour replace {hop} lladdr {macs[1]} dev v1 nud permanent")
        yield made


@contextmanager
def listening(netns: Namespace, vip: str, *, transparent: bool) -> Iterator[socket.socket]:
    """A daemon on the wildcard address. The kernel alone answers a connection."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    with netns.entered(), socket.create_server(("", PORT), family=family) as listener:
        if transparent and family == socket.AF_INET:
            listener.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
        elif transparent:
            listener.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        yield listener


def is_answered(client: Namespace, vip: str) -> bool:
    with client.entered():
        try:
            socket.create_connection((vip, PORT), timeout=PATIENCE_SECONDS).close()
        except TimeoutError:
            return False
        return True


@pytest.mark.parametrize("vip", VIPS)
@pytest.mark.parametrize("transparent", [False, True], ids=["plain", "transparent"])
@pytest.mark.parametrize("way", WAYS)
def test_who_is_answered(netns: Namespace, client: Namespace, way: str, transparent: bool, vip: str) -> None:
    """IPv4 refuses an answer from an address that is in no interface and not in table local. IPv6 does not ask."""
    WAYS[way](netns)
    with listening(netns, vip, transparent=transparent):
        assert is_answered(client, vip) == (way != "rule" or transparent or ":" in vip)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_answers_arp_without_silence(netns: Namespace, neighbour: Neighbour, way: str) -> None:
    WAYS[way](netns)
    assert neighbour.arp_answers(VIPS[0], RIP[0]) == {VIPS[0], RIP[0]}
    netns.call("arp_suppress")
    assert neighbour.arp_answers(VIPS[0], RIP[0]) == {RIP[0]}
    netns.call("arp_suppress", state="absent")
    netns.call("arp_suppress", method="nftables", vips=[VIPS[0]])
    assert neighbour.arp_answers(VIPS[0], RIP[0]) == {RIP[0]}


def segments_asked_for(client: Namespace, vip: str) -> int:
    """The maximum segment size in the SYN-ACK of a connection (RFC 9293, section 3.2)."""
    with client.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as wire:
        wire.bind(("v1", _ETH_P_ALL))
        wire.settimeout(PATIENCE_SECONDS)
        socket.create_connection((vip, PORT), timeout=PATIENCE_SECONDS).close()
        while True:
            frame = wire.recv(2048)
            segment = frame[54:] if ":" in vip else frame[34:]
            source = frame[22:38] if ":" in vip else frame[26:30]
            family = socket.AF_INET6 if ":" in vip else socket.AF_INET
            if source == socket.inet_pton(family, vip) and segment[13] == _SYN_ACK:
                assert segment[20:22] == b"\x02\x04"
                return int(struct.unpack("!H", segment[22:24])[0])


def test_smaller_segments_for_clients_of_the_vips_alone(netns: Namespace, client: Namespace) -> None:
    by_anyip(netns)
    usual = [1460, 1440]
    hops = {"prefixes": ["0.0.0.0/0", "::/0"], "gateways": list(GATEWAY), "device": "v0", "table": "120"}
    for family, own, hop in zip(("-4", "-6"), RIP, GATEWAY, strict=True):
        client.ip(f"{family} route replace {own} dev v1 src {hop}")
    for place, vip in enumerate(VIPS):
        with listening(netns, vip, transparent=False):
            assert segments_asked_for(client, vip) == usual[place]
            netns.call("ip_route", **hops, advmss=1400)
            netns.call(
                "ip_rule",
                rules=[
                    {"priority": 120, "from": list(VIPS), "table": "main", "suppress_prefixlength": 0},
                    {"priority": 121, "from": list(VIPS), "table": "120"},
                ],
            )
            assert segments_asked_for(client, vip) == 1400
            assert segments_asked_for(client, RIP[place]) == usual[place]
            netns.call("ip_rule", rules=[], purge=True)


def test_only_answers_of_masqueraded_services_go_by_the_director(netns: Namespace) -> None:
    hops = {"prefixes": ["0.0.0.0/0", "::/0"], "gateways": list(DIRECTOR), "device": "v0", "table": "119"}
    netns.call("ip_route", **hops)
    netns.call("ip_rule", **{"from": list(RIP)}, ipproto="tcp", sport="8080", priority=119, table="119")
    for family, own, client, gateway, director in zip(("-4", "-6"), RIP, CLIENT, GATEWAY, DIRECTOR, strict=True):
        ways = {
            port: netns.ip_json(f"{family} route get {client} from {own} ipproto {protocol} sport {port}")[0]["gateway"]
            for protocol, port in (("tcp", 8080), ("tcp", 22), ("udp", 8081))
        }
        assert ways == {8080: director, 22: gateway, 8081: gateway}
