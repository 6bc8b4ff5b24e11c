"""Two ways to do one work, timed in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


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
        """The median of each over the rounds. In turns, as a machine has slow minutes."""
        taken: tuple[list[float], list[float]] = ([], [])
        for _round in range(rounds):
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
    """What a process took: seconds, and mebibytes at its largest."""

    seconds: float
    memory: float


def process(command: Sequence[str], **variables: str) -> Process:
    """Run it to its end, which has to be a good one."""
    environment: Mapping[str, str] = {**os.environ, **variables}
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as running:
        _pid, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return Process(time.perf_counter() - started, usage.ru_maxrss / 1024)
