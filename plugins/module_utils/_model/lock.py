# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules and scripts lock while they change a host, so that one does so at a time."""

from __future__ import annotations

FOLDER = "/run/lvs-vipless"
FILE = f"{FOLDER}/lock"
"""Locked by flock(2) or flock(1), so that it is free when its holder ends, however that is."""
SECONDS = 60
"""How long to wait for another."""
IN_SHELL = f"{{ mkdir -p {FOLDER} && : >>{FILE}; }} 2>/dev/null && exec 9>>{FILE} && flock -w {SECONDS} 9"
"""The same in a script, which goes on without it: what is lost, or to be undone, matters more than order."""
