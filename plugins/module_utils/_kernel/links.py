# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces by name."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput


def require_interfaces(named: Iterable[tuple[str, str | None]]) -> None:
    """Raise BadInput for the first (option, name) whose interface this host does not have."""
    there = {name for _index, name in socket.if_nameindex()}
    for option, name in named:
        if name and name not in there:
            raise BadInput(option, name, f"is not an interface of this host; it has {', '.join(sorted(there))}.")
