# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters through /proc/sys, as the network namespace of this process has them (proc(5))."""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, KernelError, PartlyApplied, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_file import SysctlFile
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_sysctl import DEFAULTS
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import RUNTIME, Setting, dotted, in_order
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_value import words
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Change, Plan

_ROOT = Path("/proc/sys")
_IPVS_KEYS = "net/ipv4/vs/"
_IPVS = Path("/proc/net/ip_vs")
_OF_INTERFACE = re.compile(r"(net/ipv[46]/conf)/[^/]+/([^/]+)")
_TO_COME = {f"{_IPVS_KEYS}{key}": value for key, value in DEFAULTS.items()}


def require_keys(named: Iterable[tuple[str, str]], read_only: bool = False) -> None:
    """Raise BadInput for the first (option, name) that this kernel has not, or that holds no value one can set.

    ip_vs brings its keys along when it is loaded, and so does an interface that is made: ``read_only`` lets them be
    missing until then.
    """
    for option, name in named:
        path = _ROOT / name
        if path.is_file():
            _require_settable(option, name, path.stat().st_mode)
        elif read_only and _default_of(name):
            continue
        elif not name.startswith(_IPVS_KEYS) or _IPVS.exists():
            raise BadInput(option, dotted(name), f"is not a kernel parameter of this host (no file {path}).")
        elif not read_only:
            raise BadInput(option, dotted(name), "does not exist before the kernel module ip_vs is loaded.")


def read(name: str) -> str | None:
    """The value of a key, its words separated by one space; None where it has none."""
    try:
        return words((_ROOT / name).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        # EIO is how a key answers that was never set (net.ipv6.conf.*.stable_secret).
        if error.errno in (errno.ENOENT, errno.EIO):
            return None
        raise KernelError(dotted(name), error.errno or 0) from None


def _foreseen(name: str) -> str | None:
    """The value of a key, or the one that the first run will find: a key of ip_vs has its default before the module is
    loaded, and one of an interface to come has that of ``default``."""
    found = read(name)
    if found is None and not (_ROOT / name).exists():
        common = _default_of(name)
        return read(common) if common else None if _IPVS.exists() else _TO_COME.get(name)
    return found


class Sysctls:
    """Some keys of the running kernel, and the file that sets them at boot where there is one."""

    def __init__(self, names: Iterable[str], file: SysctlFile | None) -> None:
        self._names = list(names)
        self._file = file

    def read(self) -> list[Setting]:
        found = [(name, _foreseen(name)) for name in self._names]
        held = [Setting(RUNTIME, name, value) for name, value in found if value is not None]
        return held + (self._file.read() if self._file else [])

    def check(self, _plan: Plan[Setting]) -> None:
        """Refuse to replace a file that is not ours."""
        if self._file:
            self._file.require_ours()

    def apply(self, plan: Plan[Setting]) -> None:
        """The running kernel first: a value that it refuses must not wait in the file for the next boot."""
        runtime, filed = _by_place(plan.changes)
        done = _write_all([s for s in plan.after if s.place == RUNTIME], runtime, filed) if runtime else []
        if self._file and filed:
            try:
                self._file.write([s for s in plan.after if s.place != RUNTIME])
            except OSError as error:
                failed = [(line, describe(error.errno or 0)) for line in filed.values()]
                raise PartlyApplied(done, failed, []) from None


def _default_of(name: str) -> str:
    """The key that an interface to come takes its value from; nothing for any other key."""
    found = _OF_INTERFACE.fullmatch(name)
    common = f"{found[1]}/default/{found[2]}" if found else ""
    return common if common and common != name and (_ROOT / common).is_file() else ""


def _require_settable(option: str, name: str, mode: int) -> None:
    if not mode & stat.S_IRUSR:
        raise BadInput(option, dotted(name), "holds no value: writing it starts an action.")
    if not mode & stat.S_IWUSR:
        raise BadInput(option, dotted(name), "is read-only on this host.")


def _by_place(changes: Iterable[Change[Setting]]) -> tuple[dict[str, str], dict[str, str]]:
    """The lines of the changes: of the running kernel by name, and of the file."""
    runtime: dict[str, str] = {}
    filed: dict[str, str] = {}
    for change in changes:
        setting = change.after or change.before
        if setting is not None and setting.place == RUNTIME:
            runtime[setting.name] = change.line
        else:
            filed[change.line] = change.line
    return runtime, filed


def _write_all(wanted: Sequence[Setting], lines: dict[str, str], later: Iterable[str]) -> list[str]:
    """Write what differs at its turn, and give the lines of what was done.

    That is more than the plan at times: writing ip_forward resets keys that were right when the plan was made.
    """
    require_net_admin()
    done: list[str] = []
    failed: list[tuple[str, str]] = []
    for setting in in_order(wanted):
        line = lines.get(setting.name, f"keep {setting.line}")
        try:
            if read(setting.name) != setting.value:
                (_ROOT / setting.name).write_text(f"{setting.value}\n")
        except OSError as error:
            failed.append((line, f"the kernel refuses the value {setting.value!r} ({describe(error.errno or 0)})"))
        else:
            done += [line] if setting.name in lines else []
    if failed:
        raise PartlyApplied(done, failed, list(later))
    return done
