# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the system that administer it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where they are, also for a user whose PATH leaves these out."""


def find(name: str) -> str | None:
    """The path of a program, or None where the host does not have it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_DIRECTORIES]))


def run(command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it writes, in the language and encoding that every host has.

    Where a task has no UTF-8 locale, Python would raise UnicodeDecodeError at the arrow that systemctl(1) draws.
    """
    return subprocess.run(
        list(command),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
