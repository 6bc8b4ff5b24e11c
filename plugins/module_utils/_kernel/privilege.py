# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The privilege that every change of the network's configuration needs (capabilities(7))."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing

_CAP_NET_ADMIN = 12


def require_net_admin(need: str = "every change needs") -> None:
    """Raise Missing where this process has no CAP_NET_ADMIN. ``need`` says what for."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:") and int(line.split()[1], 16) >> _CAP_NET_ADMIN & 1:
            return
    raise Missing(f"This process has no CAP_NET_ADMIN, which {need}.", "run the task with become: true.")
