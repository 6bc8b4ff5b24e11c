"""The kernel modules of IPVS."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_MODULES = Path("/sys/module")
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.1


def loaded() -> list[str]:
    """Those that are loaded, each before what it needs."""
    return sorted((path.name for path in _MODULES.glob("ip_vs*")), key=len, reverse=True)


def unload(clear: Callable[[], object] = lambda: None) -> None:
    """Unload all of them; no namespace may have a service any more. ``clear`` removes those that may come back."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while names := loaded():
        clear()
        # A removed service lets go of its scheduler a moment later, and a namespace that ends of its services.
        done = subprocess.run(["rmmod", *names], capture_output=True, text=True, check=False)
        if done.returncode and time.monotonic() > deadline:
            raise AssertionError(f"{done.stderr.strip()}\nafter {_PATIENCE_SECONDS} s. {_users()}")
        if done.returncode:
            time.sleep(_PAUSE_SECONDS)


def _users() -> str:
    """Who holds them: how often each is used, and the namespaces that have services."""
    counts = {path.parent.name: path.read_text().strip() for path in _MODULES.glob("ip_vs*/refcnt")}
    listed = subprocess.run(["ip", "-j", "netns"], capture_output=True, text=True, check=True).stdout
    names = [one["name"] for one in json.loads(listed or "[]")]
    shown = {name: ["ip", "netns", "exec", name, "ipvsadm", "-Sn"] for name in names} | {"init": ["ipvsadm", "-Sn"]}
    found = {
        name: subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        for name, command in shown.items()
    }
    return f"Uses: {counts}. Services: { {name: services for name, services in found.items() if services} }."
