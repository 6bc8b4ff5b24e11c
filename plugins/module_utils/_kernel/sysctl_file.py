# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of kernel parameters that is set at boot and belongs to one module as a whole (sysctl.d(5))."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import owned_file
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import (
    Setting,
    file_text,
    parse_file,
    require_read_at_boot,
)

_MODE = 0o644


class SysctlFile:
    """The file at the path that an option names. ``owner`` is the module that it belongs to."""

    def __init__(self, option: str, path: str, owner: str) -> None:
        """Raise BadInput where no such file can be, or where nothing would read it at boot."""
        self._option = option
        self._path = Path(path)
        self._owner = owner
        owned_file.require_writable(option, self._path)
        require_read_at_boot(option, str(self._path))

    @property
    def path(self) -> str:
        """The path as it stands in the settings' place."""
        return str(self._path)

    def read(self) -> list[Setting]:
        """The file itself, and each setting in it; nothing where there is no file."""
        try:
            text, found = self._path.read_text(encoding="utf-8", errors="replace"), self._path.stat()
        except FileNotFoundError:
            return []
        itself = f"{stat.S_IMODE(found.st_mode):04o} {found.st_uid}:{found.st_gid}"
        return [Setting(self.path, "", itself), *parse_file(self.path, text)]

    def require_ours(self) -> None:
        """Raise Refused for a file that another program or person wrote."""
        owned_file.require_ours(self._option, self._path, self._owner)

    def write(self, settings: Sequence[Setting]) -> None:
        """Put a whole file in the place of the old one at once, or remove it where it holds nothing. Raises OSError."""
        if not settings:
            self._path.unlink(missing_ok=True)
            return
        owned_file.write(self._path, self.text(settings), _MODE)

    def text(self, settings: Sequence[Setting]) -> str:
        """The whole file that holds these settings."""
        return file_text(self._owner, settings)
