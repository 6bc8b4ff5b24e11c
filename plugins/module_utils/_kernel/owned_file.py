# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong to one module as a whole: read, and written at once."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.basic import put
from ansible_collections.lvs.vipless.plugins.module_utils._model.boot import ROOT, Line, lines
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import mark

_FOLDER_MODE = 0o755
_OTHERS_WRITE = 0o022


def require_writable(option: str, path: Path) -> None:
    """Raise BadInput where no such file can be, Refused where others may replace it. Directories below ROOT are made as
    they are needed."""
    if not path.is_absolute() or ".." in path.parts or path.is_dir():
        raise BadInput(option, str(path), "is not the absolute path of a file.")
    if not path.is_relative_to(ROOT):
        if not path.parent.is_dir():
            raise BadInput(option, str(path), f"cannot be written: the directory {path.parent} does not exist.")
        return
    for folder in (one for one in path.parents if one.is_relative_to(ROOT) and os.path.lexists(one)):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise BadInput(option, str(path), f"cannot be written: {folder} is not a directory.")
        if found.st_uid != 0 or found.st_mode & _OTHERS_WRITE:
            reason = f"others than root may write to {folder}, and root runs at boot what is in it."
            raise Refused(option, str(path), f"{reason} Do `chown root {folder}; chmod go-w {folder}` first.")


def require_ours(option: str, path: Path, owner: str) -> None:
    """Raise Refused for a file that another program or person wrote."""
    if path.exists() and not path.is_file():
        raise BadInput(option, str(path), "is not a regular file.")
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
    _make(path.parent)
    _sweep(path)
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
    _sweep(path)
    for directory in path.parents:
        if not directory.is_relative_to(ROOT):
            return
        with suppress(OSError):
            directory.rmdir()


def _make(folder: Path) -> None:
    """With its parents; not as the umask has it, since root runs at boot what is in them."""
    for one in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        one.mkdir(exist_ok=True)
        one.chmod(_FOLDER_MODE)


def _sweep(path: Path) -> None:
    """Remove what runs have left that were killed before they could rename it: tempfile.mkstemp() named it."""
    if path.parent.is_dir():
        for one in path.parent.iterdir():
            if re.fullmatch(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}", one.name):
                one.unlink(missing_ok=True)
