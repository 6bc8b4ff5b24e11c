"""What the lab needs on the controller, and the check that says what is missing.

Importable with the standard library alone, so that a set-up script can read ``DEBIAN_PACKAGES``.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ip": "iproute2",
    "nc": "netcat-openbsd",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "chroot": "coreutils",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYRING_PACKAGE = "debian-archive-keyring"
DEBIAN_PACKAGES: tuple[str, ...] = tuple(sorted({*TOOLS.values(), KEYRING_PACKAGE}))

TUN_DEVICE = Path("/dev/net/tun")

# A bridge and a tap in a namespace that ends with the shell: the kernel features, tried without a trace.
_KERNEL_PROBE = (
    "ip link add probe0 type bridge && ip tuntap add dev probe1 mode tap && ip link set probe1 master probe0"
)


def add_system_directories_to_path() -> None:
    """Make ip and mke2fs findable for a root shell that ``su`` left with a user's PATH."""
    present = os.environ.get("PATH", "").split(os.pathsep)
    missing = [entry for entry in ("/usr/sbin", "/sbin") if entry not in present]
    os.environ["PATH"] = os.pathsep.join([entry for entry in present if entry] + missing)


def problems() -> list[str]:
    """Say what keeps the lab from running here: one sentence each, none where all is well."""
    found = _platform_problems() + _tool_problems()
    return found or _kernel_problems()


def _platform_problems() -> list[str]:
    found = []
    if platform.machine() != "x86_64":
        found.append(f"The lab runs x86_64 guests on an x86_64 machine; this one is {platform.machine()}.")
    if os.geteuid() != 0:
        found.append("The lab needs root for its network namespace and tap devices; run it as root.")
    if not TUN_DEVICE.exists():
        found.append(f"{TUN_DEVICE} does not exist: load the module (modprobe tun), or give this container the device.")
    return found


def _tool_problems() -> list[str]:
    found = [
        f"The command {tool} is missing: install the Debian package {package}."
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None
    ]
    if not KEYRING.exists():
        found.append(f"The keyring {KEYRING} is missing: install the Debian package {KEYRING_PACKAGE}.")
    return found


def _kernel_problems() -> list[str]:
    probe = subprocess.run(["unshare", "--net", "sh", "-c", _KERNEL_PROBE], capture_output=True, text=True, check=False)
    if probe.returncode == 0:
        return []
    reason = (probe.stderr.strip().splitlines() or [f"exit status {probe.returncode}"])[-1]
    return [f"This kernel or container refuses a network namespace with a bridge and a tap device: {reason}."]
