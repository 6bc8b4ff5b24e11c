"""Frames made by hand, so that any packet can arrive at a namespace: RFC 791, RFC 8200, RFC 768, RFC 9293, RFC 9260."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from namespace import Namespace

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
_CLIENTS = {4: "10.0.0.9", 6: "2001:db8:a::9"}
_DESTINATION_OPTIONS, _FRAGMENT = 60, 44


def packet(to: str, protocol: str, port: int = 0, *, fragment: int = 0, options: bool = False) -> bytes:
    """An IP packet. ``fragment`` is its offset in bytes; ``options`` puts an IPv6 extension header before the rest."""
    address = ipaddress.ip_address(to)
    source = ipaddress.ip_address(_CLIENTS[address.version])
    number = PROTOCOLS[protocol]
    # Ports come first in every one of them; a later fragment has only data.
    payload = bytes(32) if fragment else struct.pack("!HHHH", 1024, port, 12, 0) + bytes(24)
    if address.version == 4:
        return _ipv4(number, fragment, source.packed + address.packed) + payload
    if fragment:
        payload = struct.pack("!BBHI", number, 0, fragment, 7) + payload
        number = _FRAGMENT
    if options:
        payload = struct.pack("!BBBB", number, 0, 1, 4) + bytes(4) + payload
        number = _DESTINATION_OPTIONS
    return struct.pack("!IHBB", 6 << 28, len(payload), number, 64) + source.packed + address.packed + payload


def _ipv4(number: int, fragment: int, addresses: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 52, 7, fragment // 8, 64, number, 0) + addresses
    total = sum(struct.unpack("!10H", header))
    total = (total >> 16) + (total & 0xFFFF)
    return header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]


class Wire:
    """Packets that it sends arrive at ``device``."""

    def __init__(self, sender: socket.socket, mac: str) -> None:
        self._sender = sender
        self._mac = bytes.fromhex(mac.replace(":", ""))

    def send(self, data: bytes) -> None:
        kind = 0x0800 if data[0] >> 4 == 4 else 0x86DD
        self._sender.send(self._mac + bytes(6) + struct.pack("!H", kind) + data)


@contextmanager
def wire(netns: Namespace) -> Iterator[Wire]:
    """What is sent through it comes out of v1 and in at v0."""
    (link,) = netns.ip_json("link show dev v0")
    with netns.entered():
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sender:
        sender.bind(("v1", 0))
        yield Wire(sender, link["address"])
