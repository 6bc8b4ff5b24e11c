"""The QEMU that guests run on: this machine's, or that of the guests' own release where this machine's is too old.

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
# Under the emulation of QEMU 7.2, that of Debian 12, Linux 6.12 ends with a double fault, at boot or minutes later.
_OLDEST = {"bookworm": 0, "trixie": 10}
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def program(settings: Settings) -> str:
    """Return the QEMU for guests of this release, unpacked now where this machine's is too old and the cache has none.

    Whichever it is, its process is found by the name that stands first among its arguments.
    """
    if _major(version(QEMU)) >= _OLDEST[settings.release]:
        return QEMU
    folder = settings.emulators / settings.release
    if not folder.exists():
        with exclusive(settings.emulators / "lock", "another download of QEMU") as lock:
            if not folder.exists():
                _unpack(settings, folder, lock)
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


def _unpack(settings: Settings, folder: Path, lock: int) -> None:
    say(f"fetching the QEMU of {settings.release}, since this machine's is too old for its kernel…")
    with work_folder(settings.emulators) as work:
        root = work / "root"
        bootstrap(settings.release, "extract", [TOOLS[QEMU]], root, lock)
        start = root / QEMU
        start.write_text(_start(folder), encoding="utf-8")
        start.chmod(0o755)
        root.rename(folder)


def _start(folder: Path) -> str:
    """Return the script that runs it: by the release's own loader, which finds the release's libraries."""
    loader = f"{folder}/{_LIBRARIES}/ld-linux-x86-64.so.2 --library-path {folder}/{_LIBRARIES}"
    firmware = f"-L {folder}/usr/share/qemu -L {folder}/usr/share/seabios"
    return f'#!/bin/bash\nexec -a {QEMU} {loader} {folder}/usr/bin/{QEMU} {firmware} "$@"\n'
