"""A lab of the tests' own, driven by its command line, as a user drives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from environment import CHECKOUT
from lab import guest, settings
from lab.topology import HOSTS

NAME = "lvslab-test"
PATIENCE = 900.0


class LabCommand:
    """The commands of one lab, of this checkout unless another is given; its name keeps it apart from a user's lab."""

    def __init__(self, variables: Mapping[str, str], checkout: Path = CHECKOUT) -> None:
        self.variables = {**variables, "LVS_LAB_NAME": NAME, "PYTHONPATH": str(checkout / "molecule")}
        release = variables.get("LVS_LAB_RELEASE") or settings.RELEASES[0]
        self.settings = settings.Settings(NAME, Path(variables["LVS_LAB_CACHE"]), "auto", checkout, release)

    def begin(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lab", *arguments],
            env=self.variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def attempt(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*arguments, **variables)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def run(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"lab {' '.join(arguments)} failed:\n{done.stderr}"
        return done.stdout

    def on(self, host: str, command: str) -> str:
        """Give what a line of shell prints on a host."""
        return self.run("ssh", host, command)

    def processes(self) -> dict[str, int]:
        """Return the process ids of this lab's virtual machines by host."""
        return guest.running(self.settings, HOSTS)

    def kill_machines(self) -> None:
        """End this lab's virtual machines as a crash would.

        Again for as long as one is seen: a start that was killed leaves a QEMU behind that begins a moment later, and
        one that goes into the background is two processes.
        """
        deadline = time.monotonic() + 10
        while machines := self.processes():
            assert time.monotonic() < deadline, f"a virtual machine survived SIGKILL: {machines}"
            for pid in machines.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
