"""The client of the scenarios tells a lost packet from a slow host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from environment import CHECKOUT
from namespace import Namespace
from traffic import connect

pytestmark = pytest.mark.slow

LOAD = CHECKOUT / "molecule/proof/guest/load.py"
SERVER = """
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
class Server(socketserver.ThreadingTCPServer):
    address_family = 10
    allow_reuse_address = True
print(flush=True)
Server(("::", 80), Answer).serve_forever()
"""
TARGETS = ["10.0.0.2", "2001:db8:a::2"]


@contextmanager
def answering(netns: Namespace) -> Iterator[None]:
    command = ["ip", "netns", "exec", netns.name, sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        time.sleep(0.2)
        try:
            yield
        finally:
            server.kill()


def seen(client: Namespace, seconds: float, targets: list[str]) -> dict[str, list[str]]:
    command = ["ip", "netns", "exec", client.name, sys.executable, str(LOAD), *targets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        time.sleep(seconds)
        load.send_signal(signal.SIGTERM)
        return dict(json.loads(load.stdout.read()))


def test_what_is_answered_does_not_fail(netns: Namespace) -> None:
    with Namespace() as client:
        connect(netns, client)
        with answering(netns):
            found = seen(client, 2, TARGETS)
    assert int(str(found["asked"])) > 4
    assert found["failed"] == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_lost_packet_is_a_failure(netns: Namespace, target: str) -> None:
    with Namespace() as client:
        connect(netns, client)
        # Each first one of two.
        lost = "tcp flags & (syn | ack) == syn numgen inc mod 2 == 0 drop"
        netns.run("nft", f"table inet probe {{ chain c {{ type filter hook prerouting priority 0; {lost}; }}; }}")
        with answering(netns):
            found = seen(client, 4, [target])
    assert found["failed"]
    assert all(line.endswith(f"{target}: its first packet was lost") for line in found["failed"])


def test_a_slow_host_is_not(netns: Namespace) -> None:
    """For a second and a half nobody tells the MAC of the host, and its packets wait."""
    with Namespace() as client:
        connect(netns, client)
        netns.ip("link set v0 arp off")
        thread = threading.Timer(1.5, netns.ip, ["link set v0 arp on"])
        with answering(netns):
            thread.start()
            begun = time.monotonic()
            found = seen(client, 3, TARGETS[:1])
            assert time.monotonic() - begun > 1.5
        thread.join()
    assert found["failed"] == []


def test_nobody_is_a_failure(netns: Namespace) -> None:
    with Namespace() as client:
        connect(netns, client)
        found = seen(client, 1, TARGETS)
    assert found["failed"]
    assert all("refused" in line for line in found["failed"])
