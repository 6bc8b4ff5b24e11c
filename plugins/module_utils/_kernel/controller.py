# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh session that runs this module."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._model import connection
from ansible_collections.lvs.vipless.plugins.module_utils._model.connection import Connection


def protected_connection(force: bool) -> Connection | None:
    """The controller's connection; None where the user forces a change, or there is none."""
    return None if force else connected()


def connected() -> Connection | None:
    """The ssh session that runs this module, if one does and its ends have addresses."""
    return connection.parse(_ssh_connection())


def _ssh_connection() -> list[str]:
    """Client address and port, server address and port. sudo drops the variable; an ancestor still has it."""
    if own := os.environ.get("SSH_CONNECTION"):
        return own.split()
    pid = os.getppid()
    while pid > 1:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return []
        for entry in environment:
            name, _equals, value = entry.partition(b"=")
            if name == b"SSH_CONNECTION" and value:
                return value.decode(errors="replace").split()
        pid = int(parent)
    return []
