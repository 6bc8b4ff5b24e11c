"""What a packet for a VIP meets in a cluster, found out by packets.

A question that nobody answers is followed by one to the director's own address, or another as far away. When that is
answered, the other has come as far as it will, so that a slow machine does not look like a silent one.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cluster import DIRECTOR, VIP_PREFIXES, VIPS, Cluster

from far_end import Neighbour
from namespace import Namespace

CLOSED_PORT = 9999
BIG = 3000
_PATIENCE_SECONDS = 10
_GRACE_SECONDS = 0.4
_LOST = 3
"""So many times the same bytes are sent again before they are known to be lost, a second and a half after the first."""
_TCP_INFO_RETRANSMITS = 2
_ROUNDS = 3
_IPV6_TRANSPARENT = 75
_END_AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER (socket(7)): closing resets the connection instead of waiting for its last packets."""
_RECEIVE_BUFFER_FORCE = 33
_HEARD_BYTES = 16 << 20
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_ECHO = {4: (socket.IPPROTO_ICMP, 8), 6: (socket.IPPROTO_ICMPV6, 128)}
_NAMES = {(1, 0): "echo", (1, 3): "errors", (58, 1): "errors", (58, 2): "errors", (58, 129): "echo"}


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            self.rfile.readline()
            self.wfile.write(self.server.name)  # type: ignore[attr-defined]


class _Daemon(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, name: str, transparent: bool) -> None:
        self.name = name.encode()
        self._transparent = transparent
        super().__init__(("::", port), _Answer)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if self._transparent:
            self.socket.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        super().server_bind()


@contextmanager
def daemon(netns: Namespace, name: str, port: int = 80, *, transparent: bool = False) -> Iterator[None]:
    """One that listens on every address of a host and answers a line with its name."""
    with netns.entered():
        server = _Daemon(port, name, transparent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(netns: Namespace, address: str, port: int = 80, size: int = 1, *, beside: str = "") -> str:
    """The name of the daemon that answers a request of so many bytes; none if it is not answered when ``beside`` is.

    Asked twice where nobody answers: a busy machine loses a packet now and then.
    """
    question = (netns, address, port, size, beside or DIRECTOR[ipaddress.ip_address(address).version])
    return _asked_once(*question) or _asked_once(*question)


def _asked_once(netns: Namespace, address: str, port: int, size: int, beside: str) -> str:
    with netns.entered():
        wire = socket.socket(_FAMILIES[ipaddress.ip_address(address).version])
    with wire:
        # IPVS keeps one route for all connections of a destination. The last packet of a masqueraded one, sent again
        # during the next question, would leave it without a next hop, and the director would ask who has the VIP.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _END_AT_ONCE)
        wire.setblocking(False)
        wire.connect_ex((address, port))
        if not _ready(wire, select.POLLOUT, 0):
            assert reaches(netns, beside)
            if not _ready(wire, select.POLLOUT, _GRACE_SECONDS):
                return ""
        if wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return ""
        wire.send(b"?" * (size - 1) + b"\n")
        return _answer(wire)


def _answer(wire: socket.socket) -> str:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not _ready(wire, select.POLLIN, 0.02):
        lost = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[_TCP_INFO_RETRANSMITS]
        if lost >= _LOST or time.monotonic() > end:
            return ""
    return wire.recv(64).decode()


def _ready(wire: socket.socket, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(wire, event)
    return bool(poll.poll(seconds * 1000))


def balanced(hosts: Cluster, family: int = 4) -> str:
    """Whether four requests are shared by two realservers, or none is answered.

    Of requests one after the other: a lost one has had its turn, so that the others are shared unevenly.
    """
    vip, beside = VIPS[family], DIRECTOR[family]
    if not asked(hosts.client, vip):
        return "no"
    shares: Counter[str] = Counter()
    for _round in range(_ROUNDS):
        shares = Counter(_asked_once(hosts.client, vip, 80, 1, beside) for _request in range(4))
        if "" not in shares:
            break
    return "yes" if shares == {"rs1": 2, "rs2": 2} else str(dict(shares))


def big(hosts: Cluster, family: int = 4) -> str:
    """Whether a request gets through that is longer than the way from the director to the realservers is wide."""
    # What an earlier one has taught the client is forgotten.
    hosts.client.ip(f"-{family} route flush cache")
    return "yes" if asked(hosts.client, VIPS[family], size=BIG) else "no"


def exposed(hosts: Cluster, family: int = 4) -> str:
    """Whether a daemon of the director answers at the VIP."""
    return "yes" if asked(hosts.client, VIPS[family], port=22) == "director" else "no"


def reaches(netns: Namespace, address: str) -> bool:
    """Whether a port that nobody listens on is reported as such."""
    with netns.entered():
        question = _question(address)
    with question:
        return _told(question, _PATIENCE_SECONDS)


def unreachable(hosts: Cluster, family: int = 4) -> str:
    """Whether the client is told that nobody listens on a port of the VIP."""
    with hosts.client.entered():
        question = _question(VIPS[family])
    with question:
        assert reaches(hosts.client, DIRECTOR[family])
        return "yes" if _told(question, _GRACE_SECONDS) else "no"


def _question(address: str) -> socket.socket:
    wire = socket.socket(_FAMILIES[ipaddress.ip_address(address).version], socket.SOCK_DGRAM)
    wire.connect((address, CLOSED_PORT))
    wire.send(b"?")
    return wire


def _told(question: socket.socket, seconds: float) -> bool:
    question.settimeout(seconds)
    try:
        question.recv(1)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    raise AssertionError("somebody listens on the closed port")


def ping(hosts: Cluster, family: int = 4) -> str:
    """Whether the VIP answers an echo request."""
    protocol, kind = _ECHO[family]
    with hosts.client.entered():
        wire = socket.socket(_FAMILIES[family], socket.SOCK_DGRAM, protocol)
    with wire:
        wire.settimeout(_PATIENCE_SECONDS)
        for address in (VIPS[family], DIRECTOR[family]):
            wire.sendto(struct.pack("!BBHHH", kind, 0, 0, 0, 1), (address, 0))
        heard = set()
        while DIRECTOR[family] not in heard:
            heard.add(wire.recvfrom(64)[1][0])
        return "yes" if VIPS[family] in heard else "no"


def resolved(hosts: Cluster, family: int = 4, host: str = "") -> str:
    """Whether somebody answers the router's question who has the VIP. ``host`` always answers for itself."""
    with hosts.router.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        wire.bind(("lan", 0x0003))
    with wire:
        wire.settimeout(_PATIENCE_SECONDS)
        asker = Neighbour(wire)
        ask = asker.arp_answers if family == 4 else asker.neighbour_answers
        return "yes" if VIPS[family] in ask(VIPS[family], host or DIRECTOR[family]) else "no"


class Sent:
    """What a host sends by v0 with a VIP as its source."""

    def __init__(self, netns: Namespace) -> None:
        with netns.entered():
            self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self._wire.bind(("v0", 0x0003))
        # Packets that bounce between two hosts are many; one that is not heard would be one that nobody sent.
        self._wire.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _HEARD_BYTES)
        self._wire.setblocking(False)

    def kinds(self) -> str:
        """Until now, in a word each."""
        found = set()
        with suppress(BlockingIOError):
            while True:
                frame, address = self._wire.recvfrom(128)
                if address[2] == socket.PACKET_OUTGOING:
                    found.update(_kind(frame))
        self._wire.close()
        return "+".join(sorted(found)) or "nothing"


def _kind(frame: bytes) -> list[str]:
    """A packet of a VIP in a word: ``tcp`` and the like."""
    if frame[12:14] == b"\x08\x00":
        family, source, protocol, body = 4, frame[26:30], frame[23], frame[34:]
    elif frame[12:14] == b"\x86\xdd":
        family, source, protocol, body = 6, frame[22:38], frame[20], frame[54:]
    else:
        return []
    if ipaddress.ip_address(source) not in ipaddress.ip_network(VIP_PREFIXES[family]):
        return []
    return ["tcp" if protocol == socket.IPPROTO_TCP else _NAMES.get((protocol, body[0]), f"{protocol}/{body[0]}")]


def forwarded(netns: Namespace) -> int:
    """IPv4 packets that a host has forwarded (SNMP ipForwDatagrams)."""
    names, figures = (line.split() for line in netns.run("grep", "^Ip:", "/proc/net/snmp").splitlines())
    return int(dict(zip(names, figures, strict=True))["ForwDatagrams"])
