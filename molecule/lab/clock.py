"""Set a guest's clock over its second serial port, which also tells that its programs run."""

from __future__ import annotations

import socket
import time

from lab.errors import LabError
from lab.guest import Guest


def set_clock(guest: Guest, seconds: float) -> None:
    """Send this machine's time of day and wait until the guest has taken it, at most the given time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as port:
        port.settimeout(seconds)
        try:
            port.connect(str(guest.clock))
            now = f"{time.time():.3f}\n"
            port.sendall(now.encode())
            with port.makefile("r", encoding="ascii", errors="replace") as answers:
                # An answer to a question of before the snapshot may come first.
                while (answer := answers.readline()) != now:
                    if not answer:
                        raise LabError("QEMU ended")
        except OSError as error:
            raise LabError(f"it does not take the time of day: {error or 'no answer'}") from None
