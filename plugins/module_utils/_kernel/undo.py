# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before a change, kept in a folder with the script that puts it back, and the timer that runs it."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import (
    BadInput,
    Missing,
    ProgramFailed,
    Refused,
    Undone,
)
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, ipvs_modules, sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.arp_table import ArpTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.basic import Done
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.guard_table import GuardTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import ServiceTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.lock import held
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_table import MarkTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, undo, undo_script
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import RUNTIME, Setting, in_order
from ansible_collections.lvs.vipless.plugins.module_utils._model.undo import Owned
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FAMILIES

FOLDERS = Path("/run/lvs-vipless/undo")
"""What lies in /run goes at a reboot, as the timer does."""
_SHELL = "/bin/sh"
"""It reads the script: /run may be mounted noexec."""
_PAUSE_SECONDS = 0.2
_ADDRESS_FILE = "addresses.ip"
_CLAIMS, _TOKEN = "claims", "token"


class Snapshot:
    """One folder. Its file ``armed`` holds when the undoing begins (CLOCK_MONOTONIC); whoever moves that away first
    decides, the script or who confirms."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def remaining(self) -> int | None:
        """Seconds until it begins; None where nothing waits for it."""
        try:
            deadline = float((self._folder / undo_script.ARMED).read_text())
        except FileNotFoundError:
            return None
        return max(0, round(deadline - time.monotonic()))

    def undone(self) -> str:
        """When the changes were undone; nothing where they were not."""
        if self.begun():
            return "a time that is not known, as it was broken off"
        ended = self._ended()
        return time.strftime("%F %T %Z", time.localtime(ended.stat().st_ctime)) if ended else ""

    def is_complete(self) -> bool:
        """Whether everything is as it was, since that was looked at last."""
        return not self.begun() and (self._folder / undo_script.UNDONE).exists()

    def repeat(self) -> None:
        """Let the script begin once more."""
        ended = self._ended()
        if ended:
            ended.rename(self._folder / undo_script.ARMED)

    def _ended(self) -> Path | None:
        """Its file, where the script has come to its end. It was renamed then, which the file's status change tells."""
        paths = [self._folder / name for name in (undo_script.UNDONE, undo_script.INCOMPLETE)]
        return next((path for path in paths if path.exists()), None)

    def take(self, owned: Owned) -> None:
        """Keep what is there. Where an older snapshot waits, that is the state known good: it stays, and only what it
        says nothing of is added. Raise Missing where there is no room for it."""
        try:
            self._take(owned)
        except OSError as error:
            raise Missing(
                f"What is there now could not be kept in {self._folder}: {error.strerror}.",
                "make room there, so that the change can be undone.",
            ) from None

    def _take(self, owned: Owned) -> None:
        for path in owned.paths:
            if Path(path).is_dir():
                raise BadInput("files", path, "is a directory.")
        self._refuse_shared(owned)
        script = self._folder / undo_script.SCRIPT
        if self.remaining() is None:
            self.remove()
            self._folder.mkdir(parents=True, mode=0o700)
            (self._folder / undo_script.TABLES).mkdir()
            script.write_text(owned.script, encoding="utf-8")
            self._write(_CLAIMS, sorted(owned.claims))
            for table in owned.tables:
                self._write(f"{undo_script.TABLES}/{table}", _commands(table, owned.marks))
            if owned.fwmarks[1]:
                self._write(undo_script.SERVICES, _services(*owned.fwmarks))
        elif script.read_text(encoding="utf-8") != owned.script:
            reason = f"a change of other objects waits for its confirmation, {self.remaining()} seconds more."
            raise Refused("name", self._folder.name, f"{reason} Confirm it first, or wait until it is undone.")
        self._write(undo_script.ADDRESSES, dict.fromkeys([*self._read(undo_script.ADDRESSES), *_addresses(owned)]))
        self._write(undo_script.SYSCTLS, _sysctls(self._read(undo_script.SYSCTLS), owned.sysctls))
        done = run([_SHELL, str(script), "save", *owned.paths])
        if done.returncode:
            raise ProgramFailed("what is there now could not be kept", done.returncode, done.stderr)

    def _refuse_shared(self, owned: Owned) -> None:
        """Of two that wait with the same objects, one would take away what was confirmed for the other."""
        for armed in sorted(self._folder.parent.glob(f"*/{undo_script.ARMED}")):
            other = Snapshot(armed.parent)
            shared = owned.claims.intersection(other._read(_CLAIMS))
            if armed.parent != self._folder and shared:
                waits = f"'{armed.parent.name}' waits for its confirmation, {other.remaining()} seconds more"
                reason = f"{waits}, and has {', '.join(sorted(shared))} too."
                raise Refused("name", self._folder.name, f"{reason} Confirm it first, or wait until it is undone.")

    def arm(self, seconds: int) -> str:
        """Let the script do what it is called for, from now on. Returns what tells this arming from others."""
        token = secrets.token_hex(8)
        self._write(_TOKEN, [token])
        self._write(undo_script.ARMED, [str(time.monotonic() + seconds)])
        return token

    def require(self, token: str | None) -> None:
        """Refuse to confirm what another run has armed since."""
        remaining = self.remaining()
        if token and remaining is not None and self._read(_TOKEN) != [token]:
            raise Refused("token", token, undo.taken_over(self._folder.name, remaining))

    def disarm(self) -> bool:
        """Keep the script from beginning, and say whether that was in time."""
        try:
            (self._folder / undo_script.ARMED).rename(self._folder / "confirmed")
        except FileNotFoundError:
            return False
        return True

    def begun(self) -> bool:
        return (self._folder / undo_script.UNDOING).exists()

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _write(self, name: str, lines: Iterable[str]) -> None:
        fresh = self._folder / f"{name}.new"
        fresh.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        fresh.replace(self._folder / name)


class Timer:
    """The snapshot of a name, and the transient timer of systemd that runs its script (systemd-run(1))."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unit = undo.timer(name)
        self._snapshot = Snapshot(FOLDERS / name)

    def remaining(self) -> int | None:
        return self._snapshot.remaining()

    def arm(self, owned: Owned, seconds: int) -> str:
        """Keep what is there, and begin to wait. Returns what has to be said to confirm it."""
        with held():
            return self._arm(owned, seconds)

    def _arm(self, owned: Owned, seconds: int) -> str:
        if owned.fwmarks[1]:
            _program("ipvsadm", "ipvsadm")
        self._refuse_while_undoing()
        self._snapshot.take(owned)
        self._stop()
        # It may have begun until now.
        self._refuse_while_undoing()
        token = self._snapshot.arm(seconds)
        script = str(FOLDERS / self._name / undo_script.SCRIPT)
        when = [f"--on-active={seconds}", "--timer-property=AccuracySec=100ms"]
        what = [f"--description=Undo {self._name} (lvs.vipless)", _SHELL, script, "undo"]
        self._run(["systemd-run", f"--unit={self._unit}", "--collect", *when, *what])
        return token

    def confirm(self, token: str | None) -> None:
        """End the waiting. Raise Undone where that comes too late; nothing that waits is nothing to end."""
        with held():
            self._snapshot.require(token)
            in_time = self._snapshot.disarm()
        if in_time:
            self._stop()
            self._snapshot.remove()
            return
        while self._is_undoing():
            time.sleep(_PAUSE_SECONDS)
        when = self._snapshot.undone()
        if when:
            self._undo_again()
            raise Undone(undo.late(self._name, when, self._snapshot.is_complete()))

    def _undo_again(self) -> None:
        """What ran between the undoing and now: a connection that broke off can have come back with the host as it was,
        and the play went on."""
        self._snapshot.repeat()
        what = [_SHELL, str(FOLDERS / self._name / undo_script.SCRIPT), "undo"]
        # It fails where something is left, which the snapshot tells.
        _systemd(["systemd-run", f"--unit={self._unit}", "--collect", "--wait", "--quiet", *what])

    def _is_undoing(self) -> bool:
        return self._is_active(f"{self._unit}.service")

    def _refuse_while_undoing(self) -> None:
        if self._is_undoing():
            raise Undone(f"name: '{self._name}': the changes are just being undone; nobody had confirmed them in time.")

    def _stop(self) -> None:
        if self._is_active(f"{self._unit}.timer"):
            self._run(["systemctl", "stop", f"{self._unit}.timer"])

    def _is_active(self, unit: str) -> bool:
        return _systemd(["systemctl", "is-active", "--quiet", unit]).returncode == 0

    def _run(self, command: list[str]) -> None:
        done = _systemd(command)
        if done.returncode:
            raise ProgramFailed(" ".join(command[:2]), done.returncode, done.stderr)


def _systemd(command: list[str]) -> Done:
    return run([_program(command[0], "systemd"), *command[1:]])


def _program(name: str, package: str) -> str:
    program = find(name)
    if program is None:
        raise Missing(f"The program {name} is not on this host.", f"install the package {package}.")
    return program


def _commands(table: str, marks: str) -> list[str]:
    """What makes a table of nftables where there is none, as in its boot file."""
    family, name = table.split()
    if table == marks:
        return MarkTable(name).written_out(MarkTable(name).read())
    if family == "arp":
        return ArpTable(name).written_out(ArpTable(name).read())
    return GuardTable(name).written_out(GuardTable(name).read())


def _addresses(owned: Owned) -> list[str]:
    """Those that the options name, those that carry the owner's number, and those that the boot file has."""
    with Session(read_only=True) as session:
        found = [one for family in FAMILIES.values() for one in addresses.dump(session, family)]
    carrying = [undo.address_key(one.prefix, one.device) for one in found if one.protocol == owned.protocol]
    files = [Path(path) for path in owned.paths if Path(path).name == _ADDRESS_FILE and Path(path).exists()]
    lines = [
        line for path in files for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    return [*owned.addresses, *carrying, *undo.address_keys(lines)]


def _sysctls(kept: list[str], names: Iterable[str]) -> list[str]:
    """The keys with their values, in the order in which to write them. What was kept keeps its value."""
    known = dict(line.split("=", 1) for line in kept)
    for name in names:
        value = sysctl.read(name)
        if value is not None:
            known.setdefault(name, value)
    return [f"{one.name}={one.value}" for one in in_order(Setting(RUNTIME, *pair) for pair in known.items())]


def _services(mark: int, mask: int) -> list[str]:
    if not ipvs_modules.loaded():
        return []
    with Session(NETLINK_GENERIC, read_only=True) as session:
        return boot_lines.of_services(ServiceTable(session, lambda one: one.fwmark & mask == mark).read())
