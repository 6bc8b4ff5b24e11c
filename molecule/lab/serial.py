"""Commands over a guest's second serial port: they need no network, and tell that its programs run."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from lab.errors import LabError
from lab.guest import Guest

# What the guest's end says when it starts: lab-serial in guest_files.py.
READY = "ready"


def set_clock(guest: Guest, seconds: float) -> None:
    """Give the guest this machine's time of day, within the given time."""
    ask(guest, f"date -u -s @{time.time():.3f}", seconds)


def ask(guest: Guest, command: str, seconds: float) -> None:
    """Have the guest's root run a line of shell; returns once it has ended well."""
    number = time.monotonic_ns()
    with _port(guest, seconds) as port:
        port.write(f"{number} {command}\n")
        port.flush()
        # An answer to a question of before the snapshot may come first.
        while not (answer := _line(port)).startswith(f"{number} "):
            pass
    if answer.split()[1] != "0":
        raise LabError(f"`{command}` failed with status {answer.split()[1]}")


def wait(guest: Guest, seconds: float) -> None:
    """Wait until the guest, just started, takes commands."""
    with _port(guest, seconds) as port:
        while _line(port) != READY:
            pass


@contextmanager
def _port(guest: Guest, seconds: float) -> Iterator[TextIO]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as port:
        port.settimeout(seconds)
        try:
            port.connect(str(guest.serial))
            with port.makefile("rw", encoding="ascii", errors="replace") as lines:
                yield lines
        except OSError as error:
            raise LabError(f"it does not answer on its serial port: {error or 'in time'}") from None


def _line(port: TextIO) -> str:
    line = port.readline()
    if not line:
        raise LabError("QEMU ended")
    return line.strip()
