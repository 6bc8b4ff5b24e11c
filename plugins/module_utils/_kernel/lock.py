# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of a host at a time: by a module, by the script that restores, or by the one that undoes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Busy
from ansible_collections.lvs.vipless.plugins.module_utils._model.lock import FILE, FOLDER, SECONDS

_PAUSE_SECONDS = 0.02


@contextmanager
def held() -> Iterator[None]:
    """From the first reading to the last writing: what is read meanwhile is what is changed.

    Raise Busy where another holds it for SECONDS. Where no file can be made, such as in a read-only or full /run,
    nobody is waited for.
    """
    try:
        Path(FOLDER).mkdir(mode=0o755, exist_ok=True)
        descriptor = os.open(FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield
        return
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    end = time.monotonic() + SECONDS
    while not _taken(descriptor):
        if time.monotonic() > end:
            raise Busy(FILE, SECONDS)
        time.sleep(_PAUSE_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
