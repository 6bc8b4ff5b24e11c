"""A client that asks all the time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from namespace import Namespace

TIMEOUT_SECONDS = 0.9
"""Below the second after which TCP sends a lost packet again: one that is lost must not go unseen."""


@contextmanager
def asking(client: Namespace, places: Sequence[tuple[str, int]]) -> Iterator[tuple[list[str], list[str]]]:
    """Requests to each address and port, one after the other, whose answer is ``here``. The lists are of those that
    were made and of those that failed."""
    stop = threading.Event()
    asked: list[str] = []
    failed: list[str] = []

    def ask() -> None:
        with client.entered():
            while not stop.is_set():
                for vip, port in places:
                    asked.append(vip)
                    try:
                        with socket.create_connection((vip, port), timeout=TIMEOUT_SECONDS) as connection:
                            answer = connection.recv(16)
                    except OSError as error:
                        answer = str(error).encode()
                    if answer != b"here":
                        failed.append(f"request {len(asked)} to {vip}: {answer.decode()}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked, failed
    finally:
        stop.set()
        thread.join()
