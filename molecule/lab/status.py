"""The state of the lab for programs that ask."""

from __future__ import annotations

from typing import Any

from lab import guest, session
from lab.manager import ready_hosts
from lab.settings import Settings
from lab.topology import HOSTS


def status(settings: Settings) -> dict[str, Any]:
    """Return the lab's session and, for every declared host, its process and whether it is ready for use."""
    now = session.current(settings)
    processes = guest.running(settings, HOSTS)
    ready = set(ready_hosts(settings))
    return {
        "name": settings.name,
        "cache": str(settings.cache),
        "run": str(settings.run),
        "up": now is not None,
        "owner": now.owner if now else None,
        "image": now.image if now else None,
        "hosts": {
            name: {
                "pid": processes.get(name),
                "ready": name in ready and name in processes,
                "address": host.management.ipv4,
                "console": str(settings.run / f"{name}.console"),
            }
            for name, host in HOSTS.items()
        },
    }
