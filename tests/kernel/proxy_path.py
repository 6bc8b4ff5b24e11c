"""A client, a proxy host and an origin, each in a namespace of its own; what they say passes the proxy host."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from namespace import Namespace

CLIENT = {4: "198.51.100.10", 6: "2001:db8:c::10"}
PROXY = {4: "198.51.100.1", 6: "2001:db8:c::1"}
OWN = {4: "10.0.0.4", 6: "2001:db8:a::4"}
"""The proxy host's address on the origin's side."""
ORIGIN = {4: "10.0.0.11", 6: "2001:db8:a::11"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
WILDCARD = {4: "0.0.0.0", 6: "::"}

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_TRANSPARENT = {4: (socket.SOL_IP, socket.IP_TRANSPARENT), 6: (socket.IPPROTO_IPV6, 75)}
_ASKED_BEFORE = {4: (socket.SOL_IP, 80, 16), 6: (socket.IPPROTO_IPV6, 80, 28)}
"""SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: a struct sockaddr."""
_RECEIVE_DESTINATION = {4: (socket.SOL_IP, 20), 6: (socket.IPPROTO_IPV6, 74)}
"""IP_RECVORIGDSTADDR and IPV6_RECVORIGDSTADDR"""
_SECONDS = 2
_LONGEST_SECONDS = 10
_SILENT_SECONDS = 0.6

NOTHING, REFUSED = "no answer", "refused"


class Answer(NamedTuple):
    """Who answered, whom it saw, and which address and port the client had asked, as it saw it."""

    who: str
    peer: str
    asked: str


class Path:
    """``client`` — c0 ``proxy`` o0 — ``origin``. The proxy host forwards."""

    def __init__(self, client: Namespace, proxy: Namespace, origin: Namespace) -> None:
        self.client, self.proxy, self.origin = client, proxy, origin
        _batch(proxy, ["link delete v0"])
        self._connect(client, CLIENT, "c0", PROXY)
        self._connect(origin, ORIGIN, "o0", OWN)
        proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def _connect(self, host: Namespace, addresses: dict[int, str], device: str, gateway: dict[int, str]) -> None:
        made = f"link add {device} type veth peer name e0 netns {host.name}"
        _batch(self.proxy, [made, *_configured(device, gateway, "fe80::1")])
        routes = [f"route add default via {gateway[version]}" for version in (4, 6)]
        _batch(host, ["link delete v0", *_configured("e0", addresses, "fe80::2"), *routes])

    def expect(self, answer: Answer | str, version: int = 4, port: int = 80, address: str = "", **options: Any) -> None:
        """The client's request gets this answer. Silence is waited for a moment, and an answer for long."""
        seconds = _SILENT_SECONDS if answer == NOTHING else _LONGEST_SECONDS
        assert self.ask(version, port, address, seconds=seconds, **options) == answer

    def ask(
        self,
        version: int = 4,
        port: int = 80,
        address: str = "",
        *,
        source_port: int = 0,
        udp: bool = False,
        seconds: float = _LONGEST_SECONDS,
    ) -> Answer | str:
        """One request of the client for the origin: the answer, or NOTHING, or REFUSED."""
        with self.client.entered():
            asking = socket.socket(_FAMILY[version], socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        with asking:
            asking.settimeout(seconds)
            if source_port:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                asking.bind((WILDCARD[version], source_port))
            try:
                asking.connect((address or ORIGIN[version], port))
                if udp:
                    asking.send(b"?")
                    return _answer(asking.recv(256))
                # To the end, so that it is the other side that closes first.
                return _answer(b"".join(iter(lambda: asking.recv(256), b"")))
            except ConnectionRefusedError:
                return REFUSED
            except TimeoutError:
                return NOTHING


def _configured(device: str, addresses: dict[int, str], link_local: str) -> list[str]:
    # The kernel's own link-local addresses come a second later, when their detection of duplicates ends.
    return [
        f"link set {device} addrgenmode none",
        f"address add {link_local}/64 dev {device} nodad",
        f"address add {addresses[4]}/24 dev {device}",
        f"address add {addresses[6]}/64 dev {device} nodad",
        f"link set {device} up",
    ]


def _batch(host: Namespace, lines: list[str]) -> None:
    host.run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))


@contextmanager
def path() -> Iterator[Path]:
    with Namespace() as client, Namespace() as proxy, Namespace() as origin:
        yield Path(client, proxy, origin)


def _answer(text: bytes) -> Answer | str:
    return Answer(*text.decode().split()) if text else NOTHING


class Asking(NamedTuple):
    """A connection of the client's that stays open, and who answers on it."""

    connection: socket.socket
    who: str

    def echo(self, text: bytes) -> None:
        """Say something that comes back."""
        self.connection.sendall(text)
        assert self.connection.recv(256) == text


@contextmanager
def asking(client: Namespace, version: int, port: int) -> Iterator[Asking]:
    with client.entered():
        connection = socket.socket(_FAMILY[version], socket.SOCK_STREAM)
    with connection:
        connection.settimeout(_SECONDS)
        connection.connect((ORIGIN[version], port))
        yield Asking(connection, connection.recv(256).decode().split()[0])


def transparent(host: Namespace, version: int, kind: socket.SocketKind, address: str, port: int = 0) -> socket.socket:
    """A socket with an address that the host does not have."""
    with host.entered():
        made = socket.socket(_FAMILY[version], kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(*_TRANSPARENT[version], 1)
    made.bind((address, port))
    return made


@contextmanager
def daemon(
    host: Namespace,
    who: str,
    version: int,
    port: int,
    address: str = "",
    *,
    transparent: bool = False,
    asked_before: bool = False,
    echo: bool = False,
) -> Iterator[None]:
    """A daemon that tells each client who it is, whom it sees, and which address was asked: its own one, or
    (``asked_before``) what that was before it was rewritten. With ``echo`` it sends back what comes then."""

    def answer(connection: socket.socket, peer: str) -> None:
        own = connection.getsockname()
        if asked_before:
            own = _address(connection.getsockopt(*_ASKED_BEFORE[version]))
        connection.sendall(f"{who} {peer} {own[0]}/{own[1]}".encode())
        while echo and (data := connection.recv(256)):
            connection.sendall(data)

    with _listening(host, version, port, address, answer, transparent=transparent):
        yield


@contextmanager
def relay(host: Namespace, version: int, port: int, *, spoof: bool = False) -> Iterator[None]:
    """A proxy that asks whom the client meant, with ``spoof`` in the client's name, and passes the answer on."""

    def answer(connection: socket.socket, peer: str) -> None:
        with transparent(host, version, socket.SOCK_STREAM, peer if spoof else WILDCARD[version]) as upstream:
            upstream.settimeout(_SECONDS)
            upstream.connect(connection.getsockname()[:2])
            connection.sendall(upstream.recv(256))

    with _listening(host, version, port, "", answer, transparent=True):
        yield


@contextmanager
def _listening(
    host: Namespace,
    version: int,
    port: int,
    address: str,
    answer: Callable[[socket.socket, str], None],
    *,
    transparent: bool,
) -> Iterator[None]:
    with host.entered():
        listener = socket.socket(_FAMILY[version], socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if version == 6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if transparent:
        listener.setsockopt(*_TRANSPARENT[version], 1)
    listener.bind((address or WILDCARD[version], port))
    listener.listen()

    def take(connection: socket.socket, peer: str) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_SECONDS)
            answer(connection, peer)

    takers: list[threading.Thread] = []

    def serve() -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            takers.append(threading.Thread(target=take, args=(connection, peer[0])))
            takers[-1].start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for one in (thread, *takers):
            one.join()
        listener.close()


@contextmanager
def datagram_daemon(host: Namespace, who: str, version: int, port: int) -> Iterator[None]:
    """The same by datagrams: what it answers has the address as source that was asked."""
    listener = transparent(host, version, socket.SOCK_DGRAM, WILDCARD[version], port)
    listener.setsockopt(*_RECEIVE_DESTINATION[version], 1)

    def serve() -> None:
        while True:
            _data, notes, _flags, peer = listener.recvmsg(256, 256)
            if not notes:
                return
            own = _address(notes[0][2])
            with transparent(host, version, socket.SOCK_DGRAM, *own) as answering:
                answering.sendto(f"{who} {peer[0]} {own[0]}/{own[1]}".encode(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _address(raw: bytes) -> tuple[str, int]:
    """Address and port of a struct sockaddr_in or sockaddr_in6."""
    family, port = struct.unpack("=H", raw[:2])[0], struct.unpack("!H", raw[2:4])[0]
    return socket.inet_ntop(family, raw[4:8] if family == socket.AF_INET else raw[8:24]), port
