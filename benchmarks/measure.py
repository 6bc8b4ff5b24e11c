"""Two ways to do one work, timed in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

QUICK_SECONDS, QUICK_FACTOR = 0.1, 5


class Row(NamedTuple):
    """What came out: seconds of the tool people use today, our seconds, and how many times the tool's ours may be."""

    work: str
    tool: str
    native: float
    ours: float
    limit: float | None

    @property
    def ratio(self) -> float:
        return self.ours / self.native


class Contest(NamedTuple):
    """One work done two ways. ``before`` brings about the state that each of them starts from."""

    work: str
    tool: str
    limit: float | None
    before: Callable[[], None]
    native: Callable[[], None]
    ours: Callable[[], None]

    def hold(self, rounds: int) -> Row:
        """The median of each over the rounds. In turns, as a machine has slow minutes; what takes the blink of an eye
        is measured more often, as a slow moment is a large part of it."""
        taken: tuple[list[float], list[float]] = ([], [])
        while len(taken[0]) < rounds * (QUICK_FACTOR if sum(taken[1]) < QUICK_SECONDS * len(taken[1]) else 1):
            for times, action in zip(taken, (self.native, self.ours), strict=True):
                self.before()
                times.append(seconds(action))
        return Row(self.work, self.tool, statistics.median(taken[0]), statistics.median(taken[1]), self.limit)


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


class Process(NamedTuple):
    """What a process took: seconds, and mebibytes of the largest among it and those that it started."""

    seconds: float
    memory: float


# Linux counts what a process held before it became another program, which is all that this one holds.
_LAUNCHER = """
import os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_child, status, usage = os.wait4(child, 0)
print(time.perf_counter() - started, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def process(command: Sequence[str], **variables: str) -> Process:
    """Run it to its end, which has to be a good one. A small process starts it."""
    launcher = [sys.executable, "-S", "-c", _LAUNCHER, *command]
    environment = {**os.environ, **variables}
    done = subprocess.run(launcher, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Process(*map(float, done.stdout.split()))
