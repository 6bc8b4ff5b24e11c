"""A connection through IPVS, inside one network namespace."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tool import ipvsadm

from namespace import Namespace

VIP = "203.0.113.10"
RIP = "10.0.0.2"
_ports = itertools.count(8080)


def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    """A service and a destination, as options. Each is new to the kernel, which remembers those that are gone."""
    port = next(_ports)
    return (
        {"vip": VIP, "protocol": "tcp", "port": port},
        {"address": RIP, "port": port, "forwarding": "masquerade", "weight": 1},
    )


class Connection:
    """An established one, from the namespace to its own VIP, which a service takes to its other address."""

    def __init__(self, netns: Namespace, client: socket.socket, server: socket.socket) -> None:
        self._netns = netns
        self._client = client
        self._server = server

    def carries(self) -> bool:
        """Whether a byte gets through, each way."""
        self._client.sendall(b"?")
        self._server.sendall(self._server.recv(1))
        return self._client.recv(1) == b"?"

    def is_known(self) -> bool:
        """Whether the kernel's table of connections has it."""
        port = self._server.getsockname()[1]
        wanted = ["ESTABLISHED", f"{VIP}:{self._client.getsockname()[1]}", f"{VIP}:{port}", f"{RIP}:{port}"]
        return wanted in [line.split()[2:] for line in ipvsadm(self._netns, "-Lnc").splitlines()]


@contextmanager
def connected(netns: Namespace, port: int, mark: int = 0, real_port: int = 0) -> Iterator[Connection]:
    """A connection to this port of the VIP with marked packets, which a service may take to another port."""
    with netns.entered(), socket.socket() as listener, socket.socket() as client:
        listener.bind((RIP, real_port or port))
        listener.listen()
        client.settimeout(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        client.connect((VIP, port))
        server, _address = listener.accept()
        with server:
            server.settimeout(10)
            yield Connection(netns, client, server)
