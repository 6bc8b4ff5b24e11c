"""What else becomes of packets for VIPs, around the ways of delivery of the matrix."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import probes
import pytest
from cluster import DIRECTOR, REALSERVERS, ROUTER, VIP_PREFIXES, VIPS, Cluster, Step, applied
from ways import MARK, by_mark, by_vip, delivered, local, marks, rows, rule

VIP = VIPS[4]
BARE, BY_INTERFACE = rows(4)["F mark"], rows(4)["F mark by interface"]
TRANSPARENT_PORT = 81


def test_frames_are_sent_on_before_they_are_routed(hosts: Cluster) -> None:
    """Row P: nftables alone gives each frame the MAC of a realserver, and neither rules nor IPVS see it."""
    macs = [netns.ip_json("link show dev v0")[0]["address"] for netns in (hosts.director, *hosts.realservers)]
    frames = (
        f"ip daddr {VIP} tcp dport 80 ether saddr set {macs[0]} ether daddr set"
        f" jhash ip saddr . tcp sport mod 2 map {{ 0: {macs[1]}, 1: {macs[2]} }} fwd to v0"
    )
    sent = probes.Sent(hosts.director)
    with chain(hosts, "netdev", "ingress device v0 priority 0", frames):
        assert {probes.asked(hosts.client, VIP) for _request in range(16)} == {"rs1", "rs2"}
        found = [question(hosts) for question in (probes.resolved, probes.ping, probes.unreachable, probes.exposed)]
        assert found == ["no"] * 4
        assert probes.big(hosts) == "yes"
        assert not delivered(hosts, 4, "0")
    assert sent.kinds() == "nothing"


def test_src_valid_mark_kills_a_rule_by_mark_alone(hosts: Cluster) -> None:
    found: dict[tuple[str, str, int, int], bool] = {}
    told = {}
    settings = [("all", filtering, valid) for filtering in range(3) for valid in range(2)]
    for way, steps in {"bare": BARE, "by interface": BY_INTERFACE}.items():
        with applied(hosts.director, steps):
            # The larger of both levels counts.
            for where, filtering, valid in [*settings, ("v0", 0, 1)]:
                names = {f"net.ipv4.conf.{where}.rp_filter": filtering, f"net.ipv4.conf.{where}.src_valid_mark": valid}
                with applied(hosts.director, [("sysctl", {"values": names})]):
                    found[way, where, filtering, valid] = bool(probes.asked(hosts.client, VIP))
                    told[way, where, filtering, valid] = delivered(hosts, 4, MARK)
    assert found == {key: key[0] == "by interface" or key[3] == 0 for key in found}
    assert len(found) == 14
    assert told == found


def test_what_nothing_takes_bounces_until_it_is_refused(hosts: Cluster) -> None:
    with applied(hosts.director, BARE):
        assert _forwarded_for_pings(hosts) == 155
        with applied(hosts.director, [local(VIP_PREFIXES[4], "main", type="unreachable")]):
            assert _forwarded_for_pings(hosts) == 0
            assert probes.balanced(hosts) == "yes"


def _forwarded_for_pings(hosts: Cluster) -> int:
    before = probes.forwarded(hosts.director)
    for _ping in range(5):
        assert probes.ping(hosts) == "no"
    seen = -1
    while seen != (seen := probes.forwarded(hosts.director)):
        time.sleep(0.1)
    return seen - before


def test_a_smaller_advmss_does_without_errors(hosts: Cluster) -> None:
    with applied(hosts.director, BARE):
        assert probes.big(hosts) == "no"
        for netns in hosts.realservers:
            netns.ip(f"route replace default via {ROUTER[4]} advmss 1260")
        try:
            assert probes.big(hosts) == "yes"
        finally:
            for netns in hosts.realservers:
                netns.ip(f"route replace default via {ROUTER[4]}")


FIRST = {
    # Where IPVS keeps conntrack out (net.ipv4.vs.conntrack=0), every packet is the first. Where it does not, the
    # director knows a connection only if it sees the answers too.
    # (forwarding, conntrack)  marks of first packets, and those saved with the connection
    ("direct", 0)           : "yes                     yes",
    ("direct", 1)           : "no                      no",
    ("masquerade", 0)       : "yes                     yes",
    ("masquerade", 1)       : "no                      yes",
}  # fmt: skip
FIRST_ALONE = f"ct state new ip daddr {VIP_PREFIXES[4]} meta l4proto {{ tcp, udp }} meta mark set {MARK}"


@pytest.mark.parametrize(("forwarding", "conntrack"), FIRST)
def test_marks_of_first_packets(hosts: Cluster, forwarding: str, conntrack: int) -> None:
    settings = ("sysctl", {"values": {"net.ipv4.vs.conntrack": conntrack}})
    steps = [by_mark(4, forwarding=forwarding), *BARE[2:], settings]
    with _answering_by_director(hosts, forwarding == "masquerade"), applied(hosts.director, steps):
        with chain(hosts, "inet", "prerouting priority mangle", FIRST_ALONE):
            found = [probes.asked(hosts.client, VIP)]
            if forwarding == "direct":
                with echoing(hosts):
                    assert _echoed(hosts), "an exchange of one packet failed"
        with applied(hosts.director, [marks(4, new_connections=True)]):
            found.append(probes.asked(hosts.client, VIP))
    assert ["yes" if answer else "no" for answer in found] == FIRST[forwarding, conntrack].split()


@contextmanager
def _answering_by_director(hosts: Cluster, wanted: bool = True) -> Iterator[None]:
    """The realservers' way back leads through the director."""
    for netns in hosts.realservers:
        netns.ip(f"route replace default via {(DIRECTOR if wanted else ROUTER)[4]}")
    try:
        yield
    finally:
        for netns in hosts.realservers:
            netns.ip(f"route replace default via {ROUTER[4]}")


@contextmanager
def echoing(hosts: Cluster) -> Iterator[None]:
    """Realservers that send each datagram for port 53 of the VIP back."""
    with ExitStack() as stack:
        for netns in hosts.realservers:
            with netns.entered():
                echo = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                echo.bind((VIP, 53))
            thread = threading.Thread(target=_echo, args=(echo,))
            thread.start()
            stack.callback(thread.join)
            # A datagram that says nothing ends it.
            stack.callback(_end, netns)
        yield


def _echo(echo: socket.socket) -> None:
    while True:
        data, peer = echo.recvfrom(16)
        if not data:
            return
        echo.sendto(data, peer)


def _end(netns: Any) -> None:
    with netns.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as said:
        said.sendto(b"", (VIP, 53))


def _echoed(hosts: Cluster) -> bool:
    with hosts.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        question.settimeout(10)
        question.sendto(b"?", (VIP, 53))
        return question.recv(16) == b"?"


FROM_OWN = [by_vip(4), local(VIP_PREFIXES[4], source=DIRECTOR[4])]
OWN = {
    "F": (BARE, False),
    "F, own packets marked too": ([marks(4, hooks=["prerouting", "output"]), *BARE[1:]], True),
    "F by interface, own packets marked too": ([marks(4, hooks=["prerouting", "output"]), *BY_INTERFACE[1:]], True),
    "E": ([by_vip(4), local(VIP_PREFIXES[4])], False),
    "E, from its own address": (FROM_OWN, False),
    # Without this the answer's source is an address of its own.
    "E, from its own address, accept_local": (
        [*FROM_OWN, ("sysctl", {"values": {"net.ipv4.conf.v0.accept_local": 1}})],
        True,
    ),
}


@pytest.mark.parametrize("way", OWN)
def test_the_directors_own_requests(hosts: Cluster, way: str) -> None:
    steps, answered = OWN[way]
    with applied(hosts.director, steps):
        assert bool(probes.asked(hosts.director, VIP, beside=REALSERVERS[4][0])) == answered


def test_a_backup_takes_what_the_other_director_balances_to_it(hosts: Cluster) -> None:
    """With backup_only, what IPVS would balance once more goes to the host itself, as long as it is a backup."""
    backup = {"role": "backup", "interface": "v0", "id": 7}
    only = ("sysctl", {"values": {"net.ipv4.vs.backup_only": 1}})
    steps = [marks(4), by_mark(4), *BY_INTERFACE[2:], local(VIP)]
    with applied(hosts.director, steps), probes.daemon(hosts.director, "director"):
        hosts.director.call("ipvs_config", daemons=[backup])
        try:
            found = [probes.balanced(hosts)]
            with applied(hosts.director, [only]):
                found.append(probes.balanced(hosts))
        finally:
            hosts.director.call("ipvs_config", daemons=[])
        with applied(hosts.director, [only]):
            found.append(probes.balanced(hosts))
    assert found == ["yes", "{'director': 4}", "yes"]


def test_a_router_with_the_vip_on_its_link_needs_the_directors_mac(hosts: Cluster) -> None:
    (link,) = hosts.director.ip_json("link show dev v0")
    on_link = ("ip_route", {"prefixes": [VIP], "device": "lan"})
    neighbor = ("static_neighbor", {"address": VIP, "device": "lan", "mac": link["address"]})
    with applied(hosts.director, BARE), applied(hosts.router, [on_link]):
        assert not probes.asked(hosts.client, VIP)
        with applied(hosts.router, [neighbor]):
            assert probes.balanced(hosts) == "yes"


REALSERVER = {
    # How it holds the VIP      plain socket  IP_TRANSPARENT  ARP with arp_ignore 1 and 0 (neighbour discovery)
    (4, "address on lo")     : "yes           yes             no  yes",
    (4, "AnyIP")             : "yes           yes             no  yes",
    (4, "rule")              : "no            yes             no  yes",
    (6, "address on lo")     : "yes           yes             no  no",
    (6, "AnyIP")             : "yes           yes             no  no",
    (6, "rule")              : "yes           yes             no  no",
}  # fmt: skip


@pytest.mark.parametrize(("family", "how"), REALSERVER)
def test_what_a_realserver_accepts(hosts: Cluster, family: int, how: str) -> None:
    vip = VIPS[family]
    everything = {4: "0.0.0.0/0", 6: "::/0"}[family]
    holding: dict[str, list[Step]] = {
        "address on lo": [("ip_address", {"prefixes": [vip]})],
        "AnyIP": [local(vip)],
        "rule": [local(everything, "100"), rule(to=[vip])],
    }
    director = [marks(family, ports="tcp"), *rows(family)["F mark"][1:]]
    with ExitStack() as stack:
        for place, netns in enumerate(hosts.realservers):
            netns.call("ip_address", prefixes=[vip], state="absent")
            stack.callback(netns.call, "ip_address", prefixes=[vip])
            stack.enter_context(applied(netns, holding[how]))
            stack.enter_context(probes.daemon(netns, f"rs{place + 1}", TRANSPARENT_PORT, transparent=True))
        stack.enter_context(applied(hosts.director, director))
        answers = [probes.asked(hosts.client, vip, port) for port in (80, TRANSPARENT_PORT)]
        found = ["yes" if answer else "no" for answer in answers]
        found.append(_heard(hosts, family))
        for netns in hosts.realservers:
            netns.call("arp_suppress", state="absent")
            stack.callback(netns.call, "arp_suppress")
        found.append(_heard(hosts, family))
    assert found == REALSERVER[family, how].split()


def _heard(hosts: Cluster, family: int) -> str:
    """Whether each realserver answers for the VIP on its link, or none."""
    answers = {probes.resolved(hosts, family, host) for host in REALSERVERS[family]}
    return answers.pop() if len(answers) == 1 else str(answers)


@pytest.mark.parametrize("port", [{}, {"port": 80}], ids=["packets keep their port", "port 80"])
def test_masquerading(hosts: Cluster, port: dict[str, int]) -> None:
    """LVS-NAT by a mark: the realservers' answers pass the director."""
    steps = [marks(4), by_mark(4, forwarding="masquerade", **port), *BY_INTERFACE[2:]]
    with _answering_by_director(hosts), applied(hosts.director, steps):
        assert probes.balanced(hosts) == "yes"


@pytest.mark.parametrize("port", [{}, {"port": 80}], ids=["packets keep their port", "port 80"])
def test_tunnels(hosts: Cluster, port: dict[str, int]) -> None:
    """LVS-TUN by a mark: the realservers' end of the tunnel must not filter by the way back."""
    subprocess.run(["modprobe", "ipip"], check=True)
    steps = [marks(4), by_mark(4, forwarding="tunnel", **port), *BY_INTERFACE[2:]]
    with applied(hosts.director, steps):
        for netns in hosts.realservers:
            netns.ip("link set tunl0 up")
            netns.call("sysctl", values={"net.ipv4.conf.tunl0.rp_filter": 1})
        assert not probes.asked(hosts.client, VIP)
        for netns in hosts.realservers:
            netns.call("sysctl", values={"net.ipv4.conf.tunl0.rp_filter": 0})
        assert probes.balanced(hosts) == "yes"


@contextmanager
def chain(hosts: Cluster, family: str, hook: str, line: str) -> Iterator[None]:
    """A chain of the director that no module makes."""
    table = f"table {family} probe {{\n chain c {{\n type filter hook {hook};\n{line}\n}}\n}}\n"
    hosts.director.run("nft", "-f", "-", stdin=table)
    try:
        yield
    finally:
        hosts.director.run("nft", "delete", "table", family, "probe")
