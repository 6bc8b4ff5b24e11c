# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that brings objects back at boot: what it holds, line by line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import mark
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

ROOT = "/etc/lvs-vipless"
"""Below it, a directory for each unit that brings objects back at boot."""
_ITSELF = ""


class Line(NamedTuple):
    """One line of a file, told from equal ones by its number among them. The file itself is the line without text,
    whose number is its mode."""

    path: str
    text: str
    number: int

    @property
    def key(self) -> Hashable:
        """Identity. The file itself is one object, whatever its mode."""
        return self[:2] if self.text == _ITSELF else self

    @property
    def line(self) -> str:
        return f"{self.path}: {self.text}" if self.text else f"{self.path} ({self.number:04o})"


def lines(path: str, mode: int, text: str) -> list[Line]:
    """A file as what a plan compares. Comments and empty lines mean nothing."""
    found = [Line(path, _ITSELF, mode)]
    seen: Counter[str] = Counter()
    for one in text.splitlines():
        if one.strip() and not one.startswith("#"):
            seen[one] += 1
            found.append(Line(path, one, seen[one]))
    return found


def text_of(owner: str, content: Iterable[str], first: str = "") -> str:
    """The text of a file of ours. ``owner`` is the module whose file it is; ``first`` comes before all."""
    comment = f"{mark(owner)} It is written as a whole; what is added by hand is lost."
    return "\n".join([*filter(None, [first]), comment, *content]) + "\n"


def desired(present: Iterable[Line], paths: Iterable[str]) -> Desired[Line]:
    """Exactly these lines in these files."""
    ours = frozenset(paths)
    return Desired(list(present), lambda found: found.path in ours)
