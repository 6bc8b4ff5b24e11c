"""The clean snapshot of a guest: memory, devices and disk of the moment after its first boot.

A master copy of the disk that holds it stays beside the image, for every lab of this cache. Guests run on copies, so
that a QEMU that is killed spoils no more than its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from lab import emulator
from lab.guest import Guest
from lab.process import run
from lab.qmp import Qmp
from lab.topology import CONTROLLER_MAC

_TAG = "clean"
_SECONDS = 120.0


def _master(guest: Guest) -> Path:
    """Name the master copy by what a snapshot depends on: image, QEMU, virtual hardware, neighbours it remembers."""
    qemu = emulator.program(guest.settings)
    facts = [emulator.version(qemu), guest.hardware(), CONTROLLER_MAC]
    circumstances = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return guest.image.folder / "snapshots" / f"{guest.name}-{circumstances}.qcow2"


def exists(guest: Guest) -> bool:
    """Say whether there is a snapshot that fits the guest."""
    return _master(guest).exists()


def new_disk(guest: Guest) -> None:
    """Give the guest, which does not run, an empty disk on top of the image."""
    guest.disk.parent.mkdir(parents=True, exist_ok=True)
    guest.disk.unlink(missing_ok=True)
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(guest.image.disk), str(guest.disk)])


def start(guest: Guest, blank: Guest | None = None) -> None:
    """Start the guest, which does not run, from its clean snapshot; or from that of a blank one, without cards yet."""
    guest.disk.parent.mkdir(parents=True, exist_ok=True)
    _copy(_master(blank or guest), guest.disk)
    guest.start("-loadvm", _TAG, cards=blank is None)
    with Qmp(guest.qmp, _SECONDS) as qmp:
        _resume(qmp)


def save(guest: Guest) -> None:
    """Save the running guest as its clean snapshot."""
    master = _master(guest)
    master.parent.mkdir(exist_ok=True)
    draft = master.with_suffix(f".{guest.settings.name}")
    with Qmp(guest.qmp, _SECONDS) as qmp:
        # Halted, with QEMU's caches flushed: the file does not change while it is copied.
        qmp.execute("stop")
        qmp.monitor(f"savevm {_TAG}")
        _copy(guest.disk, draft)
        _resume(qmp)
    with draft.open("rb") as copied:
        os.fsync(copied.fileno())
    draft.replace(master)


def load(guest: Guest) -> None:
    """Take the running guest back to its clean snapshot, without a restart of QEMU."""
    with Qmp(guest.qmp, _SECONDS) as qmp:
        qmp.monitor(f"loadvm {_TAG}")
        _resume(qmp)


def _resume(qmp: Qmp) -> None:
    # A snapshot is one of a halted guest, and versions of QEMU differ in whether it then runs by itself.
    qmp.execute("cont")


def _copy(source: Path, target: Path) -> None:
    # Shares the blocks where the file system can; else holes stay holes.
    run(["cp", "--reflink=auto", "--sparse=always", str(source), str(target)])
