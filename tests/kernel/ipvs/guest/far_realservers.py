"""A client, a director without a VIP and a realserver on one link, each a namespace, for ways of forwarding that change
the packet on its way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from namespace import Namespace

VIPS = ("203.0.113.10", "2001:db8:f::10")
CLIENT = ("198.51.100.10", "2001:db8:c::10")
GATEWAY = ("10.0.0.1", "2001:db8:a::1")
DIRECTOR = ("10.0.0.2", "2001:db8:a::2")
RIP = ("10.0.0.11", "2001:db8:a::11")
PORT = 80
PATIENCE_SECONDS = 3
_SHARED = ("10.0.0.{}/24", "2001:db8:a::{}/64")


class Link(NamedTuple):
    """The client, who is the gateway of the others too, the director, and the realserver."""

    client: Namespace
    director: Namespace
    realserver: Namespace


@contextmanager
def linked() -> Iterator[Link]:
    """The three, and a bridge in the client's namespace that joins them by their v0."""
    with ExitStack() as stack:
        link = Link(*(stack.enter_context(Namespace()) for _host in Link._fields))
        link.client.ip("link add b0 type bridge")
        for host, suffix in zip(link, (1, 2, 11), strict=False):
            _plug(link.client, host, suffix)
            host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        for host in (link.client, link.director):
            host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for family, own, prefix, hop in zip(
            ("-4", "-6"), CLIENT, ("203.0.113.0/24", "2001:db8:f::/64"), DIRECTOR, strict=True
        ):
            link.client.ip(f"{family} address add {own} dev lo")
            link.client.ip(f"{family} route add {prefix} via {hop} src {own}")
        _balancing(link.director)
        yield link


def _plug(client: Namespace, host: Namespace, suffix: int) -> None:
    """v1 becomes the host's port of the bridge; of the client itself, b0 is the interface."""
    device = "b0" if host is client else "v0"
    if host is client:
        host.ip("link delete v0")
    else:
        host.ip(f"link set v1 name p{suffix} netns {client.name}")
        client.ip(f"link set p{suffix} addrgenmode none master b0 up")
    # Whoever forwards a packet asks for its neighbours as its link-local address.
    host.ip(f"link set {device} down")
    host.run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=0")
    host.ip(f"link set {device} addrgenmode eui64")
    host.ip(f"link set {device} up")
    for family, prefix, gateway in zip(("-4", "-6"), _SHARED, GATEWAY, strict=False):
        host.ip(f"{family} address flush dev {device} scope global")
        host.ip(f"{family} address add {prefix.format(suffix)} dev {device}{' nodad' if family == '-6' else ''}")
        if host is not client:
            host.ip(f"{family} route replace default via {gateway}")


def _balancing(director: Namespace) -> None:
    """Marks, delivery by them, and nothing to balance to yet."""
    director.call("fwmark", marks=[{"vips": list(VIPS), "ports": [f"tcp/{PORT}"], "mark": "0x10001"}])
    director.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="100")
    director.call("ip_rule", family="both", priority=100, iif="v0", fwmark="0x10000/0x10000", table="100")


def balance(director: Namespace, forwarding: str) -> None:
    """Both families to the realserver, in this way."""
    services: list[dict[str, Any]] = [
        {
            "fwmark": "0x10001",
            "family": family,
            "scheduler": "rr",
            "destinations": [{"address": address, "forwarding": forwarding, "port": PORT}],
        }
        for family, address in zip(("ipv4", "ipv6"), RIP, strict=False)
    ]
    director.call("ipvs_service", services=services, purge=True, purge_fwmarks="0x10000/0x10000")


@contextmanager
def answering(host: Namespace, *, transparent: bool = False) -> Iterator[None]:
    """A daemon that takes what a client sends until its end, and answers how much that was."""
    with host.entered():
        listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    if transparent:
        listener.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=count, args=(connection,), daemon=True).start()

    def count(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE_SECONDS)
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            connection.sendall(str(total).encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def request(client: Namespace, vip: str, size: int = 10) -> str:
    """Send so many bytes to a VIP; how many it answered to have got, or what went wrong."""
    with client.entered():
        try:
            with socket.create_connection((vip, PORT), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(bytes(size))
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(64).decode()
        except OSError as error:
            return type(error).__name__
