# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the system that administer it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.basic import Done, run_program

_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where they are, also for a user whose PATH leaves these out."""


def find(name: str) -> str | None:
    """The path of a program, or None where the host does not have it."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_DIRECTORIES]))


def run(command: Sequence[str], given: str = "") -> Done:
    """Run a program to its end and keep what it writes, in the language and encoding that every host has.

    Where anything is given, it is in a file that one more argument names.

    Where a task has no UTF-8 locale, Python would raise UnicodeDecodeError at the arrow that systemctl(1) draws.
    """
    return run_program(command, given, {"LC_ALL": "C"})
