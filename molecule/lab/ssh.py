"""Reach the guests by ssh from outside the lab's namespace."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from lab.errors import LabError
from lab.guest import Guest
from lab.network import enter
from lab.settings import Settings
from lab.topology import HOSTS

USER = "root"
PORT = 22
_TRY_SECONDS = 60.0
_PAUSE_SECONDS = 1.0


def common_arguments(settings: Settings) -> list[str]:
    """Return what ssh needs besides the host's name or address.

    The control socket stands here and not in the file because Ansible looks for it among the arguments, and would
    otherwise keep one of its own that outlives the guest's memory.
    """
    return ["-F", str(settings.ssh_config), "-o", f"ControlPath={settings.control_masters}/%C"]


def write_config(settings: Settings) -> None:
    """Write the ssh_config(5) file of this lab; nothing of the user's own configuration or known hosts takes part."""
    lines = [
        "Host *",
        f"  User {USER}",
        f"  IdentityFile {settings.ssh_key}",
        "  IdentitiesOnly yes",
        "  BatchMode yes",
        "  UserKnownHostsFile /dev/null",
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking no",
        "  LogLevel ERROR",
        # The default's post-quantum half costs an emulated guest a noticeable part of a second.
        "  KexAlgorithms curve25519-sha256",
        "  ConnectTimeout 30",
        # A guest that reboots does not always close its connections; one kept open must not wait for it for ever.
        "  ServerAliveInterval 15",
        "  ServerAliveCountMax 3",
        # In a session of its own: Ansible ends the process group of a worker that has not quite ended, and with nc the
        # connection that was to stay open.
        f"  ProxyCommand setsid {' '.join(enter(settings))} nc %h %p",
    ]
    for host in HOSTS.values():
        lines += [f"Host {host.name}", f"  HostName {host.management.ipv4}"]
    settings.control_masters.mkdir(mode=0o700, exist_ok=True)
    settings.ssh_config.write_text("\n".join(lines) + "\n", encoding="utf-8")


def close_masters(settings: Settings) -> None:
    """End the connections that Ansible or a user keeps open: their guests forget them when a snapshot is loaded."""
    if not settings.control_masters.is_dir():
        return
    for socket in settings.control_masters.iterdir():
        argv = ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "lab"]
        subprocess.run(argv, capture_output=True, timeout=_TRY_SECONDS, check=False)
        socket.unlink(missing_ok=True)


def command(settings: Settings, host: str, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs a command on a host, a shell without one."""
    return ["ssh", *common_arguments(settings), host, *arguments]


def run_on(guest: Guest, script: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a line of shell on the guest, for at most the given time."""
    argv = command(guest.settings, guest.name, [script])
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 255, "", f"no answer within {seconds:.0f} s")


def wait(guest: Guest, seconds: float) -> None:
    """Wait until the guest answers over ssh."""
    deadline = time.monotonic() + seconds
    reason = "port 22 stayed closed"
    while time.monotonic() < deadline:
        if not guest.running():
            raise LabError("QEMU ended")
        # Asking the port alone costs the booting guest nothing; a whole ssh attempt would slow it down.
        if port_open(guest):
            done = run_on(guest, "true", _TRY_SECONDS)
            if done.returncode == 0:
                return
            reason = done.stderr.strip()
        time.sleep(_PAUSE_SECONDS)
    raise LabError(f"no ssh within {seconds:.0f} s ({reason})")


def port_open(guest: Guest) -> bool:
    """Say whether the guest accepts a connection for ssh."""
    argv = [*enter(guest.settings), "nc", "-z", "-w", "5", guest.host.management.ipv4, str(PORT)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
