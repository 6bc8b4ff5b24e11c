# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong to one module as a whole: read, and written at once."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.basic import put
from ansible_collections.lvs.vipless.plugins.module_utils._model.boot import ROOT, Line, lines
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import mark


def require_writable(option: str, path: Path) -> None:
    """Raise BadInput where no such file can be. Directories below ROOT are made as they are needed."""
    if not path.is_absolute() or path.is_dir():
        raise BadInput(option, str(path), "is not the absolute path of a file.")
    if not path.parent.is_dir() and not path.is_relative_to(ROOT):
        raise BadInput(option, str(path), f"cannot be written: the directory {path.parent} does not exist.")


def require_ours(option: str, path: Path, owner: str) -> None:
    """Raise Refused for a file that another program or person wrote."""
    # A script's first line names its interpreter.
    first = path.read_text(encoding="utf-8", errors="replace").splitlines()[:2] if path.exists() else [mark(owner)]
    if not any(line.startswith(mark(owner)) for line in first):
        reason = f"its first line is not '{mark(owner)} …', so it belongs to others. Move it away first."
        raise Refused(option, str(path), reason)


def read(path: Path) -> list[Line]:
    """What the file holds; nothing where there is none."""
    try:
        return lines(str(path), stat.S_IMODE(path.stat().st_mode), path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return []


def write(path: Path, text: str, mode: int) -> None:
    """Put a whole file in the place of the old one at once. It has its own name only when it is complete."""
    if path.is_relative_to(ROOT):
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        put(Path(fresh), path, mode)
    finally:
        Path(fresh).unlink(missing_ok=True)


def remove(path: Path) -> None:
    """The file, and the directories below ROOT that are empty without it."""
    path.unlink(missing_ok=True)
    for directory in path.parents:
        if not directory.is_relative_to(ROOT):
            return
        with suppress(OSError):
            directory.rmdir()
