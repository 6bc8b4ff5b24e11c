"""A client that asks each VIP in turn until it is told to stop; prints what it saw, as JSON.

Arguments: the VIPs. Each request has its own connection to port 80.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time

# Below the second after which TCP sends a lost packet again would be better, but an emulated host may need as long.
_TIMEOUT_SECONDS = 0.95
# What is lost in a gap between two requests is nobody's; without any, the load is all that an emulated host does.
_PAUSE_SECONDS = 0.05
_PORT = 80


def _now() -> str:
    return time.strftime("%H:%M:%S")


asked = 0
failed: list[str] = []
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_arguments: stopped.set())
while not stopped.is_set():
    for vip in sys.argv[1:]:
        asked += 1
        time.sleep(_PAUSE_SECONDS)
        try:
            with socket.create_connection((vip, _PORT), timeout=_TIMEOUT_SECONDS) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                connection.settimeout(20)
                if b"200 OK" not in connection.recv(4096):
                    failed.append(f"{_now()} {vip}: no answer")
        except OSError as error:
            failed.append(f"{_now()} {vip}: {error}")
print(json.dumps({"asked": asked, "failed": failed}))
