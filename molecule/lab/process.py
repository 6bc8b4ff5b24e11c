"""Run the tools the lab is made of, and find the processes it started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.errors import LabError


def run(argv: Sequence[str], stdin: str = "", timeout: float | None = None) -> str:
    """Run a command and return its stdout; a failure becomes one LabError with the command's own last words."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout:.0f} s.") from None
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        raise LabError(f"`{' '.join(argv)}` failed with status {done.returncode}: {' / '.join(words)}")
    return done.stdout


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Yield process id and arguments of every process of this machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                raw = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            yield int(entry.name), raw.decode(errors="replace").split("\0")[:-1]


def boot_id() -> str:
    """Name this boot of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
