"""A program, and what it writes, for as long as it may take: what hangs must not take a whole run with it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO


class TooLong(Exception):
    """It has not ended in its time, or another holds its output open; names all processes, one of which hangs."""

    def __init__(self, seconds: float) -> None:
        listing = ["ps", "-eww", "--forest", "-o", "pid,ppid,etimes,stat,wchan:20,args"]
        processes = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
        super().__init__(f"not over after {seconds:.0f} s, among these processes:\n{processes}")


def carry_out(
    command: Sequence[str], cwd: Path, variables: Mapping[str, str], seconds: float, take: Callable[[str], object]
) -> int:
    """Return its exit code. Each line that it writes is handed over, with its end, as it comes."""
    end = time.monotonic() + seconds
    with subprocess.Popen(
        list(command),
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        try:
            for line in _lines(process.stdout, end):
                take(line)
            return process.wait(max(0.0, end - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            error = TooLong(seconds)
            process.kill()
            raise error from None
        except BaseException:
            process.terminate()
            raise


def _lines(stream: IO[bytes], end: float) -> Iterator[str]:
    rest = b""
    while select.select([stream], [], [], max(0.0, end - time.monotonic()))[0]:
        chunk = os.read(stream.fileno(), 1 << 16)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace") + "\n"
        if not chunk:
            if rest:
                yield rest.decode(errors="replace")
            return
    raise TimeoutError
