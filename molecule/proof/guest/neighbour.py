"""A neighbour: asks the link who has each address, by ARP or neighbour discovery; prints who answered, as JSON.

Arguments: interface, its IPv4 address, its IPv6 address, then the addresses to ask for.
RFC 826; RFC 4861, sections 4.3 and 4.4.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
import time
from collections.abc import Callable

_ETH_P_ARP = 0x0806
_SIOCGIFHWADDR = 0x8927
_WAIT_SECONDS = 3.0
_SOLICITATION, _ADVERTISEMENT = 135, 136


def hardware_address(interface: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        answer = fcntl.ioctl(asker, _SIOCGIFHWADDR, struct.pack("256s", interface.encode()))
    return answer[18:24]


def arp(interface: str, own: str, target: str) -> list[str]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)) as link:
        link.bind((interface, _ETH_P_ARP))
        mac = hardware_address(interface)
        request = (
            struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
            + mac
            + socket.inet_aton(own)
            + bytes(6)
            + socket.inet_aton(target)
        )
        link.send(b"\xff" * 6 + mac + struct.pack("!H", _ETH_P_ARP) + request)
        wanted = socket.inet_aton(target)
        return _collect(
            link, lambda frame: frame[22:28].hex(":") if frame[20:22] == b"\0\2" and frame[28:32] == wanted else ""
        )


def discovery(interface: str, own: str, target: str) -> list[str]:
    wanted = socket.inet_pton(socket.AF_INET6, target)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        # A neighbour takes a solicitation with any other hop limit for one from beyond the link.
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        link.bind((own, 0))
        group = socket.inet_ntop(socket.AF_INET6, b"\xff\x02" + bytes(9) + b"\x01\xff" + wanted[-3:])
        source = struct.pack("!BB", 1, 1) + hardware_address(interface)
        link.sendto(
            struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + wanted + source,
            (group, 0, 0, socket.if_nametoindex(interface)),
        )
        return _collect(
            link, lambda data: data[26:32].hex(":") if data[0] == _ADVERTISEMENT and data[8:24] == wanted else ""
        )


def _collect(link: socket.socket, answer_in: Callable[[bytes], str]) -> list[str]:
    found = []
    end = time.monotonic() + _WAIT_SECONDS
    while (left := end - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            answer = answer_in(link.recv(2048))
        except TimeoutError:
            break
        if answer:
            found.append(answer)
    return found


device, own4, own6 = sys.argv[1:4]
print(json.dumps({t: discovery(device, own6, t) if ":" in t else arp(device, own4, t) for t in sys.argv[4:]}))
