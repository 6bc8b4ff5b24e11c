# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file beside a module's objects that brings them back at boot, in the format of the tool that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from ansible_collections.lvs.vipless.plugins.module_utils._errors import PartlyApplied, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import owned_file
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, Plan

T = TypeVar("T")
_MODE = 0o644


class BootFile(Generic[T]):
    """``write_out`` gives the tool's lines for all objects that the file is to hold."""

    def __init__(self, path: str, owner: str, write_out: Callable[[Sequence[T]], list[str]]) -> None:
        """Raise BadInput or Refused where the file cannot be written, or is not ours. The option is ``file``."""
        self._path = Path(path)
        self._owner = owner
        self._write_out = write_out
        self._text = ""
        owned_file.require_writable("file", self._path)
        owned_file.require_ours("file", self._path, owner)

    def desired(self, objects: Sequence[T]) -> Desired[boot.Line]:
        """The file that holds these objects, or none where there are none."""
        content = self._write_out(objects) if objects else []
        self._text = boot.text_of(self._owner, content) if content else ""
        path = str(self._path)
        return boot.desired(boot.lines(path, _MODE, self._text) if content else [], [path])

    def content(self) -> list[str]:
        """The lines that it holds now."""
        return [line.text for line in self.read()]

    def read(self) -> list[boot.Line]:
        return owned_file.read(self._path)

    def check(self, plan: Plan[boot.Line]) -> None:
        """What could be refused has been, before anything else was read."""

    def apply(self, plan: Plan[boot.Line]) -> bool:
        try:
            if self._text:
                owned_file.write(self._path, self._text, _MODE)
            else:
                owned_file.remove(self._path)
        except OSError as error:
            failed = [(change.line, describe(error.errno or 0)) for change in plan.changes]
            raise PartlyApplied([], failed, []) from None
        return True


def boot_file(path: str | None, owner: str, write_out: Callable[[Sequence[T]], list[str]]) -> BootFile[T] | None:
    """The file that the option names, where it names one."""
    return BootFile(path, owner, write_out) if path is not None else None
