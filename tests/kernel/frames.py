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
        payload = _options(number) + payload
        number = _DESTINATION_OPTIONS
    return _ipv6(number, source.packed + address.packed, payload)


def hiding_fragments(to: str, port: int, content: bytes) -> list[bytes]:
    """A UDP datagram over IPv6 behind two headers of options, cut between them: neither fragment tells what it is."""
    addresses = b"".join(ipaddress.ip_address(one).packed for one in (_CLIENTS[6], to))
    length, udp = 8 + len(content), PROTOCOLS["udp"]
    datagram = struct.pack("!4H", 1024, port, length, 0) + content
    counted = addresses + struct.pack("!IxxxB", length, udp) + datagram
    datagram = datagram[:6] + _checksum(counted) + datagram[8:]
    parts = (_options(_DESTINATION_OPTIONS), _options(udp) + datagram)
    heads = (struct.pack("!BBHI", _DESTINATION_OPTIONS, 0, place, 7) for place in (1, len(parts[0])))
    return [_ipv6(_FRAGMENT, addresses, head + part) for head, part in zip(heads, parts, strict=True)]


def _options(following: int) -> bytes:
    """A header of destination options that holds padding (RFC 8200, 4.2 and 4.6)."""
    return struct.pack("!BBBB", following, 0, 1, 4) + bytes(4)


def _ipv6(number: int, addresses: bytes, payload: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), number, 64) + addresses + payload


def _ipv4(number: int, fragment: int, addresses: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 52, 7, fragment // 8, 64, number, 0) + addresses
    return header[:10] + _checksum(header) + header[12:]


def _checksum(data: bytes) -> bytes:
    """RFC 1071."""
    words = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


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
