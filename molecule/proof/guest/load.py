"""A client that asks each VIP in turn until it is told to stop; prints what it saw, as JSON.

Arguments: the VIPs. Each request has its own connection to port 80. It fails where nobody answers, and where its first
packet was lost, which TCP makes good a second later: then the answer carries the timestamp of the repetition (RFC
7323). A host that is only slow answers the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import socket
import struct
import sys
import threading
import time

_TIMEOUT_SECONDS = 10.0
# What is lost in a gap between two requests is nobody's; without any, the load is all that an emulated host does.
_PAUSE_SECONDS = 0.05
_PORT = 80
_ALL_PROTOCOLS = 0x0003
_ATTACH_FILTER = 26
_SYN, _ACK = 0x02, 0x10
# TCP with the flag SYN in either family, as struct sock_filter (bpf(4)): nothing else is worth waking Python for.
_SYNS = (
    (0x30, 0, 0, 0), (0x54, 0, 0, 0xF0), (0x15, 0, 5, 0x40),
    (0x30, 0, 0, 9), (0x15, 0, 9, 6), (0xB1, 0, 0, 0), (0x50, 0, 0, 13), (0x45, 5, 6, _SYN),
    (0x15, 0, 5, 0x60), (0x30, 0, 0, 6), (0x15, 0, 3, 6), (0x30, 0, 0, 53), (0x45, 0, 1, _SYN),
    (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0),
)  # fmt: skip


class Handshakes(threading.Thread):
    """By the client's port: the number and timestamp of the first packet, and the timestamp that is answered."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._first: dict[int, tuple[int, int]] = {}
        self._answered: dict[int, int] = {}
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _SYNS))
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        described = struct.pack("HL", len(_SYNS), ctypes.addressof(program))
        self._wire.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)
        # What came before the filter is anything.
        with contextlib.suppress(BlockingIOError):
            while True:
                self._wire.recv(1, socket.MSG_DONTWAIT)

    def run(self) -> None:
        while True:
            packet = self._wire.recv(256)
            segment = packet[40:] if packet[0] >> 4 == 6 else packet[(packet[0] & 15) * 4 :]
            source, target, sequence, acknowledged = struct.unpack_from("!HHII", segment)
            value, echo = _timestamps(segment)
            if not segment[13] & _ACK:
                # A repetition has the same number.
                if self._first.get(source, (-1, 0))[0] != sequence:
                    self._answered.pop(source, None)
                    self._first[source] = sequence, value
            elif self._first.get(target, (-1, 0))[0] == (acknowledged - 1) & 0xFFFFFFFF:
                self._answered.setdefault(target, echo)

    def repeated(self, port: int) -> bool:
        """Whether the answer was to a repetition, of a connection that stands. It is forgotten then: a server on a slow
        host repeats its answer, which is none to the next connection from this port."""
        while port not in self._answered:
            time.sleep(0.01)
        return self._answered.pop(port) != self._first.pop(port)[1]


def _timestamps(segment: bytes) -> tuple[int, int]:
    """The option's value and echo (RFC 7323, 3.2), or zeros."""
    place, end = 20, (segment[12] >> 4) * 4
    while place < end and segment[place]:
        if segment[place] == 8:
            value, echo = struct.unpack_from("!II", segment, place + 2)
            return value, echo
        place += 1 if segment[place] == 1 else segment[place + 1]
    return 0, 0


def ask(vip: str, handshakes: Handshakes) -> str:
    """What went wrong with one request, if anything."""
    try:
        with socket.create_connection((vip, _PORT), timeout=_TIMEOUT_SECONDS) as connection:
            if handshakes.repeated(connection.getsockname()[1]):
                return "its first packet was lost"
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            connection.settimeout(20)
            return "" if b"200 OK" in connection.recv(4096) else "no answer"
    except OSError as error:
        return str(error)


def main() -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_arguments: stopped.set())
    handshakes = Handshakes()
    handshakes.start()
    asked = 0
    failed: list[str] = []
    while not stopped.is_set():
        for vip in sys.argv[1:]:
            asked += 1
            time.sleep(_PAUSE_SECONDS)
            begun = time.strftime("%H:%M:%S")
            if wrong := ask(vip, handshakes):
                failed.append(f"{begun} {vip}: {wrong}")
    print(json.dumps({"asked": asked, "failed": failed}))


if __name__ == "__main__":
    main()
