# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules of IPVS in the running kernel, and the files that load them at boot."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import NotKept, PartlyApplied, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import owned_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs_modules import is_there, schedulers
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_module import (
    CORE,
    MODE,
    MODULES_LOAD,
    OWNER,
    Wanted,
    loaded,
    module_of,
)
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

_SYS = Path("/sys/module")
_BITS = _SYS / CORE / "parameters/conn_tab_bits"
_USES = 2
"""How often a scheduler or engine counts as a user of ip_vs: by its symbols, and as it registers itself."""
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.1


def bits() -> int | None:
    """The conn_tab_bits of the running ip_vs; None where it is not loaded."""
    return int(_BITS.read_text()) if _BITS.exists() else None


def require_bits(wanted: int | None) -> None:
    """Raise NotKept where ip_vs, just loaded, has another value: the kernel takes none so large, or a file of others
    has the last word."""
    if wanted is not None and bits() != wanted:
        raise NotKept([f"options {CORE} conn_tab_bits={wanted} (it has {bits()}; see 'modprobe --showconfig')"])


def users() -> list[str]:
    """The modules that use ip_vs."""
    return sorted(path.name for path in (_SYS / CORE / "holders").glob("*"))


class Modules:
    """The modules, and the files of a name that load them at boot."""

    def __init__(self, wanted: Wanted, leaves: bool) -> None:
        """``leaves``: they are to go, as far as nobody else needs them. Raise Refused where a file is not ours."""
        self._wanted = wanted
        self._leaves = leaves
        self._paths = [Path(wanted.load_file), Path(wanted.options_file)]
        for path in self._paths:
            owned_file.require_writable("name", path)
            owned_file.require_ours("name", path, OWNER)

    def read(self) -> list[boot.Line]:
        filed = [line for path in self._paths for line in owned_file.read(path)]
        modules = self._leaving() if self._leaves else [name for name in self._wanted.modules if is_there(name)]
        return [*filed, *map(loaded, modules)]

    def check(self, plan: Plan[boot.Line]) -> None:
        """What could be refused has been."""

    def apply(self, plan: Plan[boot.Line]) -> None:
        """The files first: ip_vs takes its options from one as it is loaded."""
        try:
            self._settle(plan)
        except OSError as error:
            failed = [(change.line, describe(error.errno or 0)) for change in plan.changes]
            raise PartlyApplied([], failed, []) from None
        filed = [change.line for change in plan.changes if not module_of(change.after or change.before or loaded(""))]
        _modprobe("add", [], filter(None, map(module_of, plan.additions())), filed)
        _modprobe("remove", ["-r"], filter(None, map(module_of, plan.removals())), filed)

    def _settle(self, plan: Plan[boot.Line]) -> None:
        texts = {} if self._leaves else self._wanted.texts()
        touched = {line.path for change in plan.changes for line in (change.before, change.after) if line}
        for path in (path for path in self._paths if str(path) in touched):
            if str(path) in texts:
                owned_file.write(path, texts[str(path)], MODE)
            else:
                owned_file.remove(path)

    def _leaving(self) -> list[str]:
        """What this name loads at boot and nobody uses: ip_vs with the schedulers, each before what it needs."""
        ours = self._paths[0]
        others = (path for folder in MODULES_LOAD for path in Path(folder).glob("*.conf") if path != ours)
        if not ours.exists() or any(CORE in _words(path) for path in others):
            return []
        end = time.monotonic() + _PATIENCE_SECONDS
        # A service that was removed lets go of its scheduler a moment later.
        while (names := _idle()) is None and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)
        return names or []


def _words(path: Path) -> list[str]:
    """Those of a file; none where it cannot be read, such as a link to one that is not there (modules-load.d(5))."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _idle() -> list[str] | None:
    """The loaded schedulers, engines and ip_vs, if nobody uses them; None where somebody does."""
    if not (_SYS / CORE / "refcnt").exists():
        return []
    above = schedulers(users())
    counts = [int((_SYS / name / "refcnt").read_text()) for name in above]
    uses = int((_SYS / CORE / "refcnt").read_text())
    return [*above, CORE] if not any(counts) and uses == _USES * len(above) else None


def _modprobe(verb: str, options: Sequence[str], modules: Iterable[str], done: Sequence[str]) -> None:
    """Load or unload each. Raise PartlyApplied for the first that fails, with what went before."""
    program, finished, names = find("modprobe"), list(done), list(modules)
    for place, name in enumerate(names):
        said = "there is no modprobe"
        if program is not None:
            ended = run([program, *options, name])
            said = (ended.stderr.strip() or f"modprobe ended with {ended.returncode}") if ended.returncode else ""
        if said:
            later = [f"{verb} {loaded(other).line}" for other in names[place + 1 :]]
            raise PartlyApplied(finished, [(f"{verb} {loaded(name).line}", said)], later)
        finished.append(f"{verb} {loaded(name).line}")
