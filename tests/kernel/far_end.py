"""A neighbour that asks by frames of its own making, and hears what the host says."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from namespace import Namespace

ASKING4, ASKING6 = "10.0.0.77", "2001:db8:a::77"


class Neighbour:
    """The far end of v0, in a namespace of its own, without an address: it hears and says what it is told to."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._mac: bytes = wire.getsockname()[4]

    def arp_answers(self, *addresses: str) -> set[str]:
        """Ask for each; the addresses that were answered for. The last must be one that always is."""
        for address in addresses:
            question = struct.pack(
                "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, self._mac, _packed(ASKING4), bytes(6), _packed(address)
            )
            self._wire.send(b"\xff" * 6 + self._mac + b"\x08\x06" + question)
        return self._heard_until(addresses[-1], _arp_answer)

    def neighbour_answers(self, *addresses: str) -> set[str]:
        """The same by neighbour solicitations (RFC 4861)."""
        for address in addresses:
            group = bytes.fromhex("ff0200000000000000000001ff") + _packed(address)[-3:]
            body = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, _packed(address), 1, 1, self._mac)
            pseudo = _packed(ASKING6) + group + struct.pack("!II", len(body), 58)
            body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
            header = struct.pack("!IHBB16s16s", 6 << 28, len(body), 58, 255, _packed(ASKING6), group)
            self._wire.send(b"\x33\x33" + group[-4:] + self._mac + b"\x86\xdd" + header + body)
        return self._heard_until(addresses[-1], _neighbour_answer)

    def arp_questioner(self, address: str) -> str:
        """In whose name the host asks for an address."""
        return next(asker for asker, target in self._questions() if target == address)

    def arp_targets_until(self, last: str) -> set[str]:
        """Whom the host asks for, up to an address that it certainly does ask for."""
        return self._up_to(last, (target for _asker, target in self._questions()))

    def announced_until(self, last: str) -> set[str]:
        """The addresses that the host announces, up to one that it certainly does announce."""
        return self._up_to(last, (target for asker, target in self._questions() if asker == target))

    def answer(self, address: str, asker: str) -> None:
        """Wait until the host asks for an address in this name, and answer that it is here."""
        while next(self._questions()) != (asker, address):
            pass
        body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, self._mac, _packed(address), self._mac, _packed(asker))
        self._wire.send(b"\xff" * 6 + self._mac + b"\x08\x06" + body)

    @property
    def mac(self) -> str:
        return self._mac.hex(":")

    def _questions(self) -> Iterator[tuple[str, str]]:
        """The questions that arrive: in whose name, and for which address."""
        while True:
            frame = self._wire.recv(2048)
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1":
                yield socket.inet_ntop(socket.AF_INET, frame[28:32]), socket.inet_ntop(socket.AF_INET, frame[38:42])

    def _up_to(self, last: str, heard: Iterator[str]) -> set[str]:
        found = {last}
        for address in heard:
            found.add(address)
            if address == last:
                break
        return found

    def destination_of(self, address: str) -> str:
        """The MAC that the next IPv4 packet to an address goes to."""
        while True:
            frame = self._wire.recv(2048)
            if frame[12:14] == b"\x08\x00" and frame[30:34] == _packed(address):
                return frame[:6].hex(":")

    def _heard_until(self, last: str, answer: Any) -> set[str]:
        heard: set[str] = set()
        # The kernel answers in order, so that whoever has not answered by then does not.
        while last not in heard:
            heard.update(answer(self._wire.recv(2048)))
        return heard


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _arp_answer(frame: bytes) -> list[str]:
    is_answer = frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2"
    return [socket.inet_ntop(socket.AF_INET, frame[28:32])] if is_answer else []


def _neighbour_answer(frame: bytes) -> list[str]:
    is_answer = frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136
    return [socket.inet_ntop(socket.AF_INET6, frame[62:78])] if is_answer else []


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


@contextmanager
def far_end(netns: Namespace) -> Iterator[Neighbour]:
    with Namespace() as other:
        netns.ip(f"link set v1 netns {other.name} name far")
        other.ip("link set far up")
        with other.entered():
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            wire.bind(("far", 0x0003))
        with wire:
            wire.settimeout(5)
            yield Neighbour(wire)
