"""A client in a namespace of its own, and a daemon that answers for any address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from namespace import Namespace

LONGEST_SECONDS = 30
_IPV6_TRANSPARENT = 75


def connect(netns: Namespace, client: Namespace) -> None:
    """The client reaches the VIPs through v0 of the namespace under test."""
    client.ip("link delete v0")
    netns.ip(f"link set v1 netns {client.name}")
    for line in (
        "link set v1 up",
        "address add 10.0.0.1/24 dev v1",
        "address add 2001:db8:a::1/64 dev v1 nodad",
        "route add 203.0.113.0/24 via 10.0.0.2",
        "-6 route add 2001:db8:f::/48 via 2001:db8:a::2",
    ):
        client.ip(line)


@contextmanager
def serving(netns: Namespace, port: int = 80) -> Iterator[None]:
    """A daemon that answers for any address that is delivered to it: IP_TRANSPARENT is all that its answers need."""
    with netns.entered():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    listener.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                # The end of a connection may be lost, with what balanced it.
                connection.settimeout(LONGEST_SECONDS)
                connection.sendall(b"here")
                # Whoever asks on is answered, and the end of one connection is that of its client.
                while data := connection.recv(16):
                    connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
