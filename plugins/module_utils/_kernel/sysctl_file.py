# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of kernel parameters that is set at boot and belongs to one module as a whole (sysctl.d(5))."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import Setting, file_text, mark, parse_file

_MODE = 0o644


class SysctlFile:
    """The file at the path that an option names. ``owner`` is the module that it belongs to."""

    def __init__(self, option: str, path: str, owner: str) -> None:
        """Raise BadInput where no such file can be, or where nothing would read it at boot."""
        self._option = option
        self._path = Path(path)
        self._owner = owner
        if not self._path.is_absolute() or self._path.is_dir():
            raise BadInput(option, path, "is not the absolute path of a file.")
        if not self._path.parent.is_dir():
            raise BadInput(option, path, f"cannot be written: the directory {self._path.parent} does not exist.")
        if self._path.parent.name == "sysctl.d" and self._path.suffix != ".conf":
            raise BadInput(option, path, "would not be read at boot: the name of a file in sysctl.d ends in .conf.")

    @property
    def path(self) -> str:
        """The path as it stands in the settings' place."""
        return str(self._path)

    def read(self) -> list[Setting]:
        """The file itself, and each setting in it; nothing where there is no file."""
        try:
            text, found = self._path.read_text(errors="replace"), self._path.stat()
        except FileNotFoundError:
            return []
        itself = f"{stat.S_IMODE(found.st_mode):04o} {found.st_uid}:{found.st_gid}"
        return [Setting(self.path, "", itself), *parse_file(self.path, text)]

    def require_ours(self) -> None:
        """Raise Refused for a file that another program or person wrote."""
        if self._path.exists() and not self._path.read_text(errors="replace").startswith(mark(self._owner)):
            reason = f"its first line is not '{mark(self._owner)} …', so it belongs to others. Move it away first."
            raise Refused(self._option, self.path, reason)

    def write(self, settings: Sequence[Setting]) -> None:
        """Put a whole file in the place of the old one at once, or remove it where it holds nothing.

        The new file is not called .conf before it is complete. Raises OSError.
        """
        if not settings:
            self._path.unlink(missing_ok=True)
            return
        descriptor, fresh = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(file_text(self._owner, settings))
                stream.flush()
                os.fchmod(descriptor, _MODE)
                os.fchown(descriptor, 0, 0)
                os.fsync(descriptor)
            Path(fresh).replace(self._path)
        except BaseException:
            Path(fresh).unlink()
            raise
