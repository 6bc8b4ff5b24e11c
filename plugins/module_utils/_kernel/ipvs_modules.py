# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the kernel's IPVS modules are there: in use, or on disk to be loaded when they are needed (modprobe(8))."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run

_TABLE = Path("/proc/net/ip_vs")
_IN_USE = Path("/sys/module")
_ON_DISK = Path("/lib/modules")
_LISTS = ("modules.dep", "modules.builtin")

_PREFIX = "ip_vs_"
_ENGINE_PREFIX = "ip_vs_pe_"
_NOT_SCHEDULERS = ("ftp", "pe_")


def loaded() -> bool:
    """Whether the running kernel has ip_vs now. Looking does not load it, as asking over netlink would."""
    return _TABLE.exists()


def is_there(module: str) -> bool:
    """Whether the running kernel has this module, built in or loaded."""
    if (_IN_USE / module).exists():
        return True
    built_in = _ON_DISK / os.uname().release / "modules.builtin"
    return built_in.exists() and module in map(_name, built_in.read_text().splitlines())


def schedulers(modules: Iterable[str]) -> list[str]:
    """Those of the modules that the kernel loads again when it needs them: schedulers and persistence engines."""
    return [name for name in modules if _scheduler(name) or name.startswith(_ENGINE_PREFIX)]


def require(schedulers: Iterable[tuple[str, str]], engines: Iterable[tuple[str, str | None]]) -> None:
    """Raise Missing where the kernel has no ip_vs, BadInput for the first (option, name) that is no scheduler or no
    persistence engine of it.

    Loads nothing. Where nothing on disk tells what belongs to this kernel, the names are left to the kernel.
    """
    release = os.uname().release
    there = _on_disk(_ON_DISK / release)
    if not loaded() and "ip_vs" not in (there or ()):
        raise Missing(
            f"This kernel ({release}) has no ip_vs: it is not loaded, and {_ON_DISK / release} does not list it.",
            "install the kernel package with all modules (linux-image-amd64 on Debian) and boot it, or load ip_vs.",
        )
    if there is None:
        return
    modules = there | {path.name for path in _IN_USE.glob(f"{_PREFIX}*")}
    _require_among("scheduler", schedulers, sorted(filter(None, map(_scheduler, modules))))
    found = sorted(name[len(_ENGINE_PREFIX) :] for name in modules if name.startswith(_ENGINE_PREFIX))
    _require_among("persistence engine", ((option, name) for option, name in engines if name), found)


def _require_among(what: str, named: Iterable[tuple[str, str | None]], known: Sequence[str]) -> None:
    for option, name in named:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadInput(option, name, f"is not a {what} of this kernel; {has}.")


def load() -> str:
    """Load ip_vs. Returns what modprobe said: nothing, or why it failed."""
    program = find("modprobe")
    if program is None:
        return "there is no modprobe"
    done = run([program, "ip_vs"])
    return done.stderr.strip() if done.returncode else ""


def _on_disk(directory: Path) -> set[str] | None:
    """The names of the modules that belong to a kernel, built in ones too; None where its lists are not there."""
    lists = [directory / name for name in _LISTS if (directory / name).exists()]
    if not lists:
        return None
    lines = (line for path in lists for line in path.read_text().splitlines())
    return {_name(line.partition(":")[0]) for line in lines}


def _name(path: str) -> str:
    """``kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz`` is ``ip_vs_rr``."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def _scheduler(module: str) -> str:
    name = module[len(_PREFIX) :] if module.startswith(_PREFIX) else ""
    return "" if name.startswith(_NOT_SCHEDULERS) else name
