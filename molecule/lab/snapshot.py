"""A guest's disk and the clean snapshot in it, which is memory, devices and disk of the moment after its first boot."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from lab.accelerator import qemu_version
from lab.errors import LabError
from lab.guest import Guest
from lab.process import run
from lab.qmp import Qmp

_TAG = "clean"
_SECONDS = 120.0
LOAD = ("-loadvm", _TAG)


def _record(guest: Guest) -> Path:
    return guest.disk.with_suffix(".json")


def _circumstances(guest: Guest) -> str:
    """Hash everything a snapshot depends on: the image, QEMU and the virtual hardware."""
    facts = [guest.image.key, qemu_version(), guest.arguments()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def usable(guest: Guest) -> bool:
    """Say whether the guest, which does not run, has a snapshot that fits; mends what a killed QEMU left in the file."""
    try:
        record = json.loads(_record(guest).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if record != {"circumstances": _circumstances(guest)}:
        return False
    # Lost clusters are the usual trace of a killed QEMU and harmless; anything else makes the status non-zero.
    check = ["qemu-img", "check", "-q", "-f", "qcow2", "-r", "leaks", str(guest.disk)]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def new_disk(guest: Guest) -> None:
    """Give the guest an empty disk on top of the image; its snapshot goes with the old one."""
    guest.disk.parent.mkdir(parents=True, exist_ok=True)
    _record(guest).unlink(missing_ok=True)
    guest.disk.unlink(missing_ok=True)
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(guest.image.disk), str(guest.disk)])


def save(guest: Guest) -> None:
    """Save the running guest as its clean snapshot."""
    _monitor(guest, f"savevm {_TAG}")
    _flush(guest.disk)
    _record(guest).write_text(json.dumps({"circumstances": _circumstances(guest)}), encoding="utf-8")


def load(guest: Guest) -> None:
    """Take the running guest back to its clean snapshot, without a restart of QEMU."""
    _monitor(guest, f"loadvm {_TAG}")


def _monitor(guest: Guest, command: str) -> None:
    with Qmp(guest.qmp, _SECONDS) as qmp:
        complaint = qmp.monitor(command)
    if complaint:
        raise LabError(f"{guest.name}: QEMU could not {command}: {complaint}")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
