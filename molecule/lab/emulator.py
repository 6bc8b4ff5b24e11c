"""The QEMU that guests run on: this machine's, or that of Debian 13 where this machine's is too old.

The newer one is unpacked in the cache and runs with the libraries it comes with: this machine keeps its own.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from lab.bootstrap import bootstrap, work_folder
from lab.console import say
from lab.errors import LabError
from lab.lock import exclusive
from lab.process import run
from lab.requirements import TOOLS
from lab.settings import Settings

QEMU = "qemu-system-x86_64"
# Emulated by QEMU 7.2, that of Debian 12, a guest takes three times as long to start a program, and Linux 6.12 ends
# with a double fault, at boot or minutes later.
_OLDEST = 10
_RELEASE = "trixie"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def program(settings: Settings) -> str:
    """Return the QEMU for the guests, unpacked now where this machine's is too old and the cache has none.

    Whichever it is, its process is found by the name that stands first among its arguments.
    """
    if _major(version(QEMU)) >= _OLDEST:
        return QEMU
    folder = settings.emulators / _RELEASE
    if not folder.exists():
        with exclusive(settings.emulators / "lock", "another download of QEMU") as lock:
            if not folder.exists():
                _unpack(settings.emulators, folder, lock)
    return str(folder / QEMU)


@cache
def version(qemu: str) -> str:
    """Return what a QEMU says of itself."""
    return run([qemu, "--version"]).splitlines()[0]


def _major(said: str) -> int:
    match = re.search(r"version (\d+)\.", said)
    if match is None:
        raise LabError(f"{QEMU} does not tell its version: {said!r}.")
    return int(match[1])


def _unpack(emulators: Path, folder: Path, lock: int) -> None:
    say(f"fetching the QEMU of {_RELEASE}, since this machine's is too old (half a minute, once)…")
    with work_folder(emulators) as work:
        root = work / "root"
        bootstrap(_RELEASE, "extract", [TOOLS[QEMU]], root, lock)
        start = root / QEMU
        start.write_text(_start(folder), encoding="utf-8")
        start.chmod(0o755)
        root.rename(folder)


def _start(folder: Path) -> str:
    """Return the script that runs it: by the release's own loader, which finds the release's libraries."""
    loader = f"{folder}/{_LIBRARIES}/ld-linux-x86-64.so.2 --library-path {folder}/{_LIBRARIES}"
    firmware = f"-L {folder}/usr/share/qemu -L {folder}/usr/share/seabios"
    return f'#!/bin/bash\nexec -a {QEMU} {loader} {folder}/usr/bin/{QEMU} {firmware} "$@"\n'
