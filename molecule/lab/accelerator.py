"""Choose how guests run: KVM where it really works, else QEMU's own emulation (TCG)."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import emulator
from lab.console import say
from lab.image import Image
from lab.process import boot_id
from lab.settings import Settings

_KVM_DEVICE = Path("/dev/kvm")
# A machine with KVM needs two seconds; one that only pretends to have it hangs for ever.
_PROBE_SECONDS = 15.0


@dataclass(frozen=True)
class Accelerator:
    """arguments: QEMU's. boot_seconds: how long a boot may take before it is given up."""

    name: str
    arguments: tuple[str, ...]
    boot_seconds: float


KVM = Accelerator("kvm", ("-accel", "kvm", "-cpu", "host"), 120)
# qemu64 takes 40 % less time than max, whose newer instructions are costly to emulate; without svm a guest does not
# load the modules to run guests of its own.
TCG = Accelerator("tcg", ("-accel", "tcg,thread=multi", "-cpu", "qemu64,-svm"), 1200)


def choose(settings: Settings, image: Image) -> Accelerator:
    """Return the accelerator of this machine; KVM is probed once per boot, QEMU and image."""
    if settings.accelerator != "auto":
        return KVM if settings.accelerator == "kvm" else TCG
    if not _KVM_DEVICE.exists():
        return TCG
    qemu = emulator.program(settings)
    record = settings.cache / f"kvm-{settings.release}.json"
    circumstances = [boot_id(), emulator.version(qemu), image.key]
    known = _read(record)
    if known.get("circumstances") != circumstances:
        say("trying whether KVM really boots a guest here…")
        usable = boots(qemu, KVM, image, _PROBE_SECONDS)
        say("it does: guests run on KVM" if usable else "it does not: guests are emulated (TCG), which takes minutes")
        known = {"circumstances": circumstances, "usable": usable}
        record.write_text(json.dumps(known), encoding="utf-8")
    return KVM if known["usable"] else TCG


def _read(record: Path) -> dict[str, object]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def boots(qemu: str, accelerator: Accelerator, image: Image, seconds: float) -> bool:
    """Say whether a tiny guest comes up as far as its first program, which switches it off, within the time."""
    kernel = ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    kernel += ["-append", "console=ttyS0 panic=-1 rdinit=/bin/poweroff"]
    argv = [qemu, "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-m", "256"]
    try:
        done = subprocess.run(
            [*argv, *accelerator.arguments, *kernel],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and b"reboot: Power down" in done.stdout
