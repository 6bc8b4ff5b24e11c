# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the project: `python3 tests/forge.py https://github.com/ORGANISATION/lvs.vipless` writes its address everywhere.

The one place that says where the project lives is `repository` in galaxy.yml. As long as nobody knows, the organisation
is `placeholder-organisation`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# galaxy-importer takes no other.
ADDRESS = re.compile(r"https://[\w.-]+(/[\w.-]+)*/lvs\.vipless")
# The folders of the project that begin with a dot.
HIDDEN = {".ci", ".github"}
REPOSITORY = re.compile(r"^repository: (\S+)$", re.MULTILINE)


def address() -> str:
    """Return where the project lives, as galaxy.yml says."""
    found = REPOSITORY.search((CHECKOUT / "galaxy.yml").read_text())
    assert found, "galaxy.yml names no repository"
    return found[1]


def files() -> list[Path]:
    """Return the project's text files, without what tools leave in a working tree."""
    found = []
    for directory, below, names in os.walk(CHECKOUT):
        below[:] = [name for name in below if name in HIDDEN or not name.startswith((".", "__"))]
        found += [path for name in names if _is_text(path := Path(directory) / name)]
    return sorted(found)


def move(old: str, new: str, paths: list[Path]) -> list[Path]:
    """Write `new` for `old` and return the files that had it."""
    having = [path for path in paths if old in path.read_text()]
    for path in having:
        path.write_text(path.read_text().replace(old, new))
    return having


def _is_text(path: Path) -> bool:
    try:
        path.read_text()
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    if len(sys.argv) != 2 or not ADDRESS.fullmatch(sys.argv[1]):
        sys.exit(f"{sys.argv[0]}: give the one address, such as {address()}, not: {' '.join(sys.argv[1:])}")
    for changed in move(address(), sys.argv[1], files()):
        print(changed.relative_to(CHECKOUT))
