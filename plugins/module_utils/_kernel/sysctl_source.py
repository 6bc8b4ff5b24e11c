# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file sets a kernel parameter at boot (sysctl.d(5), sysctl.conf(5))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_file import SysctlFile
from ansible_collections.lvs.vipless.plugins.module_utils._model import sysctl_order
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import Setting, dotted
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_order import Source

_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""In the order in which a file takes the place of one of the same name."""
_LAST = "/etc/sysctl.conf"
"""Read by sysctl --system after all others. systemd-sysctl reads it where a link among the others leads there."""
_SYSTEMD = Path("/run/systemd/system")


def source_of(name: str) -> str:
    """`` (set by FILE)``, or nothing where no file sets it."""
    found = sysctl_order.source(sysctl_order.held([*_texts(_ordered()), *_texts([Path(_LAST)])]), name)
    return f" (set by {found.file})" if found else ""


def at_boot(names: Iterable[str]) -> dict[str, Source | None]:
    """Who decides about each key at boot; None where nobody does."""
    found = sysctl_order.held(_texts(_read_at_boot()))
    return {name: sysctl_order.source(found, name) for name in names}


def overridden(settings: Sequence[Setting], file: SysctlFile | None) -> tuple[list[dict[str, Any]], list[str]]:
    """What other files set otherwise, so that ``file`` does not decide about it at boot, and a warning for each.

    The file counts as written already.
    """
    if file is None:
        return [], []
    own = Path(file.path).parent.resolve() / Path(file.path).name
    order = _read_at_boot(own)
    found = sysctl_order.overridden(settings, sysctl_order.held(_texts(order, {own: file.text(settings)})))
    told = [{"key": dotted(s.name), "value": s.value, "file": one.file, "file_value": one.value} for s, one in found]
    return told, [sysctl_order.warning(s, one, file.path, own in order) for s, one in found]


def _read_at_boot(own: Path | None = None) -> list[Path]:
    """The files in the order of this host's init."""
    return [*_ordered(own), *([] if _SYSTEMD.is_dir() else [Path(_LAST)])]


def _ordered(own: Path | None = None) -> list[Path]:
    """The files of the folders, in the order in which they are read. ``own`` counts as being there."""
    seen: dict[str, Path] = {}
    # One folder is a link to another where /usr is merged.
    for folder in dict.fromkeys(Path(name).resolve() for name in _FOLDERS):
        ours = [own] if own is not None and own.parent == folder else []
        for path in [*ours, *folder.glob("*.conf")]:
            seen.setdefault(path.name, path)
    return [seen[name] for name in sorted(seen)]


def _texts(paths: Iterable[Path], known: dict[Path, str] | None = None) -> Iterator[tuple[str, str]]:
    """Each file's name, which is that of the file that a link leads to, and its text."""
    for path in paths:
        if known and path in known:
            yield str(path), known[path]
            continue
        try:
            yield str(path.resolve()), path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            # What cannot be read sets nothing.
            continue
