# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd unit with its files, enabled and started (systemd.unit(5), systemctl(1))."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing, PartlyApplied, ProgramFailed, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import owned_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot
from ansible_collections.lvs.vipless.plugins.module_utils._model.boot_unit import OWNER, SYSTEMD, WANTS, File
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Change, Plan

_RUNNING = Path("/run/systemd/system")


def _runs() -> bool:
    return _RUNNING.is_dir() and find("systemctl") is not None


def require_systemd(otherwise: str = "call the files' tools from its own boot scripts, without boot_unit.") -> None:
    """Raise Missing on a host that another init runs."""
    if not _runs():
        raise Missing("This host is not run by systemd.", otherwise)


class Unit:
    """The unit, its files, and whether it is enabled and has run."""

    def __init__(self, name: str, files: Sequence[File], read: Mapping[str, str]) -> None:
        """``read`` are the files that it brings back, with their owners: they go with the unit.

        Raise Refused where one of the files is not ours.
        """
        self._name = name
        self._files = {file.path: file for file in files}
        self._read = list(read)
        self._begun_with = {
            f"{SYSTEMD}/system/{name}",
            *(path for path in (*self._files, *read) if path.endswith("/watch")),
        }
        for path, owner in [*((path, OWNER) for path in self._files), *read.items()]:
            if path.startswith(f"{boot.ROOT}/"):
                owned_file.require_writable("name", Path(path))
            owned_file.require_ours("name", Path(path), owner)

    def wanted(self) -> list[boot.Line]:
        """All that is to be there."""
        found = [line for file in self._files.values() for line in boot.lines(file.path, file.mode, file.text)]
        return [*found, boot.Line(self._name, "enabled", 1), boot.Line(self._name, "active", 1)]

    def read(self) -> list[boot.Line]:
        found = [line for path in (*self._files, *self._read) for line in owned_file.read(Path(path))]
        if Path(WANTS, self._name).is_symlink():
            found.append(boot.Line(self._name, "enabled", 1))
        if _systemctl("is-active", "--quiet", self._name, may_fail=True):
            found.append(boot.Line(self._name, "active", 1))
        return found

    def check(self, plan: Plan[boot.Line]) -> None:
        """Nothing to refuse beyond what making it refuses."""

    def apply(self, plan: Plan[boot.Line]) -> None:
        touched = {line.path for change in plan.changes for line in (change.before, change.after) if line}
        stays = {line.path for line in plan.after}
        try:
            if self._name not in stays:
                self._disable()
            for path in sorted(touched - {self._name}):
                self._settle(Path(path), path in stays)
        except OSError as error:
            raise PartlyApplied([], _lines(plan.changes, describe(error.errno or 0)), []) from None
        if self._name in stays:
            _systemctl("enable", "--no-reload", self._name)
        # Once for all of it: a host with many units takes long.
        _systemctl("daemon-reload")
        if self._name in stays:
            # One that ran already goes on as it began, with the old script or without any.
            _systemctl("restart" if touched & self._begun_with else "start", self._name)

    def _settle(self, path: Path, stays: bool) -> None:
        if stays:
            file = self._files[str(path)]
            owned_file.write(path, file.text, file.mode)
        else:
            owned_file.remove(path)
            # A directory of drop-ins that holds no more was made for ours.
            if path.is_relative_to(SYSTEMD) and path.parent.suffix == ".d":
                with suppress(OSError):
                    path.parent.rmdir()

    def _disable(self) -> None:
        _systemctl("disable", "--no-reload", self._name, may_fail=True)
        _systemctl("stop", self._name, may_fail=True)


def _systemctl(*arguments: str, may_fail: bool = False) -> bool:
    """Whether it did so. A host that another init runs has units as files at most, which is all that can go there."""
    if not _runs():
        return False
    done = run([find("systemctl") or "systemctl", *arguments])
    if done.returncode and not may_fail:
        raise ProgramFailed(f"systemctl {' '.join(arguments)}", done.returncode, done.stderr)
    return done.returncode == 0


def _lines(changes: Iterable[Change[boot.Line]], reason: str) -> list[tuple[str, str]]:
    return [(change.line, reason) for change in changes]
