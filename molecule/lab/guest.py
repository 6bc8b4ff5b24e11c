"""One virtual machine: its files, its QEMU process, its start and its end."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import emulator, network
from lab.accelerator import Accelerator
from lab.emulator import QEMU
from lab.image import Image
from lab.process import command_lines, run
from lab.settings import Settings
from lab.topology import Host

MEMORY_MIB = 512
# Of the PCI bus, behind those that QEMU gives to the machine itself.
_FIRST_SLOT = 8
_START_SECONDS = 120.0
_END_SECONDS = 10.0
_CONSOLE_LINES = 20


@dataclass(frozen=True)
class Guest:
    """A host of the lab as a virtual machine of this machine."""

    settings: Settings
    host: Host
    image: Image
    accelerator: Accelerator

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def disk(self) -> Path:
        """What this guest wrote on top of the image, with its clean snapshot."""
        return self.settings.disks / f"{self.name}.qcow2"

    @property
    def qmp(self) -> Path:
        return self.settings.run / f"{self.name}.qmp"

    @property
    def console(self) -> Path:
        return self.settings.run / f"{self.name}.console"

    @property
    def serial(self) -> Path:
        """The guest's second serial port."""
        return self.settings.run / f"{self.name}.serial"

    @property
    def ready(self) -> Path:
        """Exists once the guest answers and has its clean snapshot; a guest without it is a start that failed."""
        return self.settings.run / f"{self.name}.ready"

    def hardware(self) -> list[str]:
        """Return QEMU's arguments for the virtual machine: what a snapshot can only be loaded into unchanged."""
        return [*self._machine(), *(argument for card in self.cards() for argument in ("-device", card))]

    def cards(self) -> list[str]:
        """Return the network cards as QEMU's devices, each in a slot of its own whenever it is put in."""
        return [
            # Without a boot ROM: guests never boot from the network.
            f"virtio-net-pci,netdev=net{index},mac={interface.mac},addr={_FIRST_SLOT + index:#x},romfile="
            for index, interface in enumerate(self.host.interfaces)
        ]

    def _machine(self) -> list[str]:
        argv = ["-nodefaults", "-no-user-config", "-machine", "pc", *self.accelerator.arguments]
        argv += ["-smp", "1", "-m", str(MEMORY_MIB), "-append", self._kernel_command_line()]
        argv += ["-serial", "chardev:console", "-serial", "chardev:serial"]
        return [*argv, "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]

    def _kernel_command_line(self) -> str:
        # net.ifnames=0 leaves cards the kernel's names (eth0, eth1), which the .link files then confirm.
        identity = f"systemd.hostname={self.name} systemd.machine_id={self.host.machine_id}"
        own = [identity, *(f"sysctl.{setting}" for setting in self.sysctls)]
        return f"root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 {' '.join(own)}"

    @property
    def sysctls(self) -> tuple[str, ...]:
        # Not by networkd, whose setting for it acts on the host in Debian 12 and on an interface in Debian 13.
        return ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1") if self.host.forwards else ()

    def _backends(self) -> list[str]:
        """Return QEMU's arguments for what the hardware is connected to on this machine."""
        argv = ["-name", f"{self.settings.name}.{self.name}", "-daemonize", "-display", "none"]
        argv += ["-pidfile", str(pid_file(self.settings, self.name))]
        argv += ["-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd)]
        # A guest's disk need not survive a power cut of this machine, so its flushes need not reach the real disk.
        argv += ["-drive", f"id=disk,file={self.disk},format=qcow2,if=none,cache=unsafe"]
        argv += ["-qmp", f"unix:{self.qmp},server=on,wait=off"]
        argv += ["-chardev", f"file,id=console,path={self.console}"]
        argv += ["-chardev", f"socket,id=serial,path={self.serial},server=on,wait=off"]
        for index in range(len(self.host.interfaces)):
            device = network.tap(self.host, index)
            argv += ["-netdev", f"tap,id=net{index},ifname={device},script=no,downscript=no,vhost=off"]
        return argv

    def start(self, *extra: str, cards: bool = True) -> None:
        """Start QEMU in the lab's namespace, with the network cards or without; returns once the machine runs."""
        qemu = [*network.enter(self.settings), emulator.program(self.settings)]
        hardware = self.hardware() if cards else self._machine()
        run([*qemu, *self._backends(), *hardware, *extra], timeout=_START_SECONDS)

    def running(self) -> bool:
        return self.name in running(self.settings, [self.name])

    def last_words(self) -> str:
        """Return the end of what the console shows."""
        try:
            lines = self.console.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(nothing)"
        return "\n".join(f"  {line}" for line in lines[-_CONSOLE_LINES:]) or "(nothing)"


def pid_file(settings: Settings, name: str) -> Path:
    return settings.run / f"{name}.pid"


def running(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """Return the process ids of the guests that run, found by the arguments that only this lab gives to QEMU.

    Not by what the process id files say: a crash leaves those behind, or keeps QEMU from writing them.
    """
    files = {str(pid_file(settings, name)): name for name in names}
    found = {}
    for pid, argv in command_lines():
        if argv and Path(argv[0]).name == QEMU and "-pidfile" in argv:
            name = files.get(argv[argv.index("-pidfile") + 1])
            if name:
                found[name] = pid
    return found


def stop(settings: Settings, names: Iterable[str]) -> None:
    """End the guests that run: first asked, so that QEMU closes the disks, then made to."""
    names = list(names)
    for wish in (signal.SIGTERM, signal.SIGKILL):
        handles = {name: os.pidfd_open(pid) for name, pid in running(settings, names).items()}
        # Asked again with the handles open: no other process can have taken over the number meanwhile.
        still = running(settings, handles)
        for name, handle in handles.items():
            if name in still:
                signal.pidfd_send_signal(handle, wish)
        for handle in handles.values():
            select.select([handle], [], [], _END_SECONDS)
            os.close(handle)
    for name in names:
        for suffix in ("ready", "pid", "qmp", "serial"):
            (settings.run / f"{name}.{suffix}").unlink(missing_ok=True)
