"""Programs that tests run: quietly, or with their lines on the terminal as they come."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
from _pytest.capture import CaptureManager

import program
from environment import Environment

TAIL_LINES = 60
# Of each failure that Ansible tells of, which a scenario's end leaves far behind.
FAILURE = ("fatal: [", "failed: [", "[ERROR]")
FAILURE_LINES = 20


class Excerpt:
    """Of what a program writes, what tells why it failed: the lines about each failure, with its task, and the end."""

    def __init__(self) -> None:
        self._failures: list[str] = []
        self._last: deque[str] = deque(maxlen=TAIL_LINES)
        self._task = ""
        self._wanted = 0

    def add(self, line: str) -> None:
        self._last.append(line)
        if line.startswith("TASK ["):
            self._task, self._wanted = line, 0
        if line.startswith(FAILURE):
            self._failures.append(self._task)
            self._wanted = FAILURE_LINES
        if self._wanted:
            self._failures.append(line)
            self._wanted -= 1

    def __str__(self) -> str:
        return "\n".join([*self._failures, "[…]", *self._last] if self._failures else self._last)


@contextmanager
def terminal(capture: CaptureManager) -> Iterator[TextIO]:
    """What pytest was started on, open beside its capture, which may hold another test's output at any time."""
    with capture.global_and_fixture_disabled():
        copy = os.dup(1)
    with os.fdopen(copy, "w") as opened:
        yield opened


class Tools:
    """Runs programs of the set-up; one whose exit code is not 0, or that takes too long, fails the test with what it
    wrote."""

    def __init__(self, machine: Environment, shown: TextIO, seconds: float) -> None:
        """Take the set-up, where `watch` writes, and how long a program may take."""
        self.machine = machine
        self._shown = shown
        self._seconds = seconds
        self._variables = {**machine.variables(), "NO_COLOR": "1"}
        # Programs may run at the same time.
        self._one = threading.Lock()

    def run(self, command: Sequence[str], cwd: Path, **variables: str) -> str:
        """Return all that a program writes. `variables` are added to its environment, here and in `watch`."""
        written: list[str] = []
        self._run(command, cwd, variables, written.append, lambda: "".join(written))
        return "".join(written)

    def watch(self, name: str, command: Sequence[str], cwd: Path, **variables: str) -> None:
        """Show each line that a long program writes, under `name` and with the seconds since its start."""
        excerpt = Excerpt()
        started = time.monotonic()

        def show(line: str) -> None:
            excerpt.add(line.rstrip())
            self.say(f"[{name} {time.monotonic() - started:4.0f} s] {line.rstrip()}")

        self._run(command, cwd, variables, show, lambda: str(excerpt))

    def _run(
        self,
        command: Sequence[str],
        cwd: Path,
        variables: Mapping[str, str],
        take: Callable[[str], object],
        taken: Callable[[], str],
    ) -> None:
        try:
            code = program.carry_out(command, cwd, self._variables | variables, self._seconds, take)
        except program.TooLong as error:
            pytest.fail(f"`{' '.join(command)}`: {error}\n{taken()}", pytrace=False)
        if code != 0:
            pytest.fail(f"`{' '.join(command)}` ended with exit code {code}:\n{taken()}", pytrace=False)

    def say(self, line: str) -> None:
        """Write one line to the terminal now."""
        with self._one:
            print(line, file=self._shown, flush=True)
