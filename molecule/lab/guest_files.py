"""The files every guest gets on top of Debian's packages.

One image serves all hosts: networkd finds a card's configuration by its MAC address, and the kernel command line
carries the host's name and machine id.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lab.settings import PYTHONS
from lab.topology import HOSTS, MANAGEMENT, MANAGEMENT_INTERFACE, Interface

_PYTHON = "/usr/lib/python3/dist-packages"
_FILES = Path(__file__).with_name("files")
_PROGRAMS = Path(__file__).parents[1] / "proof" / "guest"
_BYTECODE = _FILES / "lab_bytecode.py"
# Of root, for whom Ansible runs its tasks.
SHELL = "/usr/local/bin/lab-shell"

_SSHD = """\
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
UsePAM no
"""

# Lines of shell from the controller, by the second serial port: a snapshot wakes up at its own time of day, and a copy
# of the blank guest has no network yet. Where there is one, an ssh login takes an emulated guest ten times as long.
_SERIAL = """\
#!/bin/sh
exec < /dev/ttyS1 > /dev/ttyS1
stty raw clocal -echo
echo ready
while read -r number line; do
    (eval "$line") > /dev/null 2>&1 < /dev/null
    echo "$number $?"
done
"""
_SERIAL_UNIT = """\
[Unit]
Description=Run what the lab's controller sends

[Service]
ExecStart=/bin/sh /usr/local/sbin/lab-serial
Restart=always

[Install]
WantedBy=multi-user.target
"""

_PYTHON_UNIT = """\
[Unit]
Description=Python for the tasks of the lab's tests

[Service]
Type=notify
ExecStart=/usr/bin/python3 /usr/local/lib/lab_python.py
Restart=always

[Install]
WantedBy=multi-user.target
"""

# What takes two seconds on real hardware takes an emulated guest minutes where the machine has other work; given up and
# begun again, as is usual after 90 s, it takes longer still.
_PATIENCE = "15min"
_MANAGER = f"""\
[Manager]
DefaultTimeoutStartSec={_PATIENCE}
DefaultDeviceTimeoutSec={_PATIENCE}
"""
_WAIT_ONLINE = """\
[Service]
ExecStart=
ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --timeout=0
"""

# What scenarios balance: on realservers where they switch it on.
_WEBSERVER_UNIT = """\
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/webserver.py 80 8080

[Install]
WantedBy=multi-user.target
"""

MASKED_UNITS = (
    # Background work that would compete with a test for the guest's only processor, or needs a network.
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "logrotate.timer",
    "man-db.timer",
    # Steps of the boot that nothing in the lab uses: a quarter of its time under emulation.
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty@tty1.service",
    "ldconfig.service",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "serial-getty@ttyS0.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-network-generator.service",
    "systemd-random-seed.service",
    "systemd-sysusers.service",
    "systemd-update-utmp.service",
)
# Installed so that a role finds them in place, off as on a server that has not been configured yet.
DISABLED_UNITS = ("keepalived.service", "squid.service", "haproxy.service", "nftables.service")
ENABLED_UNITS = ("systemd-networkd.service", "ssh.service", "lab-serial.service", "lab-python.service")


def guest_files(authorized_key: str) -> dict[str, str]:
    """Return path to content, both of the guest, for all hosts together."""
    files = {
        "/etc/hosts": _hosts(),
        "/etc/fstab": "/dev/vda / ext4 defaults,noatime 0 0\n",
        # Empty: taken from the kernel command line at boot.
        "/etc/machine-id": "",
        "/etc/resolv.conf": "",
        "/etc/ssh/sshd_config.d/lab.conf": _SSHD,
        # An initrd of the guests' own hardware is a third of the usual one, which an emulated processor unpacks slowly.
        "/etc/initramfs-tools/conf.d/lab": "MODULES=list\n",
        "/etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
        "/usr/local/sbin/lab-serial": _SERIAL,
        "/etc/systemd/system/lab-serial.service": _SERIAL_UNIT,
        "/etc/systemd/system/lab-python.service": _PYTHON_UNIT,
        **{f"/usr/local/lib/{name}.py": _text(_FILES / f"{name}.py") for name in ("lab_python", "lab_learned")},
        "/etc/systemd/system.conf.d/lab.conf": _MANAGER,
        "/etc/systemd/system/systemd-networkd-wait-online.service.d/lab.conf": _WAIT_ONLINE,
        "/etc/systemd/system/webserver.service": _WEBSERVER_UNIT,
        **{f"/usr/local/lib/{name}.py": _text(_PROGRAMS / f"{name}.py") for name in ("load", "webserver")},
        **_module_utils(),
        **dict.fromkeys((PYTHONS["warm"], SHELL), _text(_FILES / "lab-python")),
        f"{_PYTHON}/{_BYTECODE.name}": _text(_BYTECODE),
        # Python runs such a line whenever it starts.
        f"{_PYTHON}/lab.pth": f"import {_BYTECODE.stem}\n",
        "/root/.ssh/authorized_keys": f"{authorized_key}\n",
        # No address before networkd gives one: router advertisements and address probing make boots differ.
        "/etc/sysctl.d/lab.conf": "net.ipv6.conf.default.accept_ra = 0\nnet.ipv6.conf.default.accept_dad = 0\n",
    }
    for host in HOSTS.values():
        for interface in host.interfaces:
            base = f"/etc/systemd/network/10-{host.name}-{interface.name}"
            files[f"{base}.link"] = _link(interface)
            files[f"{base}.network"] = _network(interface)
    return files


def _module_utils() -> dict[str, str]:
    """Return what this machine's Ansible sends with each module, for the Python that has it already."""
    found = find_spec("ansible")
    places = (found and found.submodule_search_locations) or []
    root = "/usr/local/lib/lab-ansible"
    # Modules ask where the package is.
    files = {f"{root}/ansible/__init__.py": ""}
    for place in map(Path, places):
        for path in sorted(place.glob("module_utils/**/*.py")):
            files[f"{root}/{path.relative_to(place.parent)}"] = _text(path)
    return files


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _hosts() -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for host in HOSTS.values():
        for interface in host.interfaces:
            if interface.network is not MANAGEMENT:
                lines += [f"{address} {host.name}" for address in (interface.ipv4, interface.ipv6)]
    return "\n".join(lines) + "\n"


def _link(interface: Interface) -> str:
    return f"[Match]\nMACAddress={interface.mac}\n\n[Link]\nName={interface.name}\n"


def _network(interface: Interface) -> str:
    lines = ["[Match]", f"MACAddress={interface.mac}", "", "[Network]", "IPv6AcceptRA=no"]
    # Duplicate address detection would keep an address unusable for a second or more, at a different time each boot.
    lines.append("IPv6DuplicateAddressDetection=0")
    if interface.name == MANAGEMENT_INTERFACE:
        lines.append("LinkLocalAddressing=no")
    lines += [f"Address={address}" for address in interface.addresses]
    lines += [f"Gateway={gateway}" for gateway in interface.gateways]
    return "\n".join(lines) + "\n"
