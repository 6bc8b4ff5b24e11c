"""One at a time: commands that change the same lab, builds of the same image."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.console import say
from lab.errors import LabError

_PATIENCE = 900.0


@contextmanager
def exclusive(path: Path, what: str, patience: float = _PATIENCE) -> Iterator[int]:
    """Hold the lock file while the block runs; wait up to patience seconds for ``what`` that holds it.

    The kernel frees the lock with its holder, however that ends. Yields the lock's file descriptor: a child that
    inherits it holds the lock too, and keeps it should this process be killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, path, what, patience)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, what: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    announced = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode() or "unknown"
            if time.monotonic() >= deadline:
                waited = f"and was not free after {patience:.0f} s"
                raise LabError(f"{path} is held by {what} (process {holder}) {waited}.") from None
            if not announced:
                say(f"waiting for {what} (process {holder})…")
                announced = True
            time.sleep(0.5)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return
