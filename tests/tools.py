"""Programs that tests run: quietly, or with their lines on the terminal as they come."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from _pytest.capture import CaptureManager

TAIL_LINES = 60


class Tools:
    """Runs programs of the set-up; one whose exit code is not 0 fails the test with what it wrote."""

    def __init__(self, capture: CaptureManager, variables: Mapping[str, str]) -> None:
        """Take pytest's capture, which `watch` writes past, and the environment variables of the set-up."""
        self._capture = capture
        self._variables = {**variables, "NO_COLOR": "1"}
        # Programs may run at the same time, and pytest's capture ends and begins for all of them.
        self._terminal = threading.Lock()

    def run(self, command: Sequence[str], cwd: Path, **variables: str) -> str:
        """Return all that a program writes. `variables` are added to its environment, here and in `watch`."""
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=self._variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        _check(command, done.returncode, done.stdout)
        return done.stdout

    def watch(self, name: str, command: Sequence[str], cwd: Path, **variables: str) -> None:
        """Show each line that a long program writes, under `name` and with the seconds since its start."""
        last: deque[str] = deque(maxlen=TAIL_LINES)
        started = time.monotonic()
        with subprocess.Popen(
            list(command),
            cwd=cwd,
            env=self._variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in map(str.rstrip, process.stdout):
                    last.append(line)
                    self.say(f"[{name} {time.monotonic() - started:4.0f} s] {line}")
            except BaseException:
                process.terminate()
                raise
        _check(command, process.returncode, "\n".join(last))

    def say(self, line: str) -> None:
        """Write one line to the terminal now."""
        with self._terminal, self._capture.global_and_fixture_disabled():
            print(line, flush=True)


def _check(command: Sequence[str], code: int, output: str) -> None:
    if code != 0:
        pytest.fail(f"`{' '.join(command)}` ended with exit code {code}:\n{output}", pytrace=False)
