# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file sets a kernel parameter at boot (sysctl.d(5), sysctl.conf(5))."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import parse_file

_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""In the order in which a file takes the place of one of the same name."""
_LAST = "/etc/sysctl.conf"


def source_of(name: str) -> str:
    """`` (set by FILE)``, or nothing where no file sets it. A key that a file names counts before a pattern."""
    by_name = by_pattern = ""
    for path in _files():
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for setting in parse_file(str(path), text):
            key = setting.name.lstrip("-")
            if key == name:
                by_name = str(path)
            elif fnmatchcase(name, key):
                by_pattern = str(path)
    found = by_name or by_pattern
    return f" (set by {found})" if found else ""


def _files() -> Iterator[Path]:
    """In the order in which they are read, the last of which counts."""
    seen: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in Path(folder).glob("*.conf"):
            seen.setdefault(path.name, path)
    yield from (seen[name] for name in sorted(seen))
    yield Path(_LAST)
