"""The kernel modules of IPVS."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_MODULES = Path("/sys/module")
_PATIENCE_SECONDS = 30


def loaded() -> list[str]:
    """Those that are loaded, each before what it needs."""
    return sorted((path.name for path in _MODULES.glob("ip_vs*")), key=len, reverse=True)


def unload() -> None:
    """Unload all of them; no namespace may have a service any more."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while names := loaded():
        # A removed service lets go of its scheduler a moment later.
        done = subprocess.run(["rmmod", *names], capture_output=True, text=True, check=False)
        assert not done.returncode or time.monotonic() < deadline, done.stderr
