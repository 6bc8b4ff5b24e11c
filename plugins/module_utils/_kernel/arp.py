# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ARP parameters of every interface, as the running kernel has them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._model import arp
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp import ALL, CONF, LEVELS, Levels
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import Setting


def levels() -> dict[str, dict[str, int]]:
    """The levels of each interface that speaks IPv4, and of ALL."""
    speaking = (name for _index, name in socket.if_nameindex() if Path("/proc/sys", CONF, name).is_dir())
    names = [ALL, *speaking]
    read = {name: {key: sysctl.read(f"{CONF}/{name}/{key}") for key in LEVELS} for name in names}
    return {
        name: {key: int(level) for key, level in own.items() if level is not None}
        for name, own in read.items()
        if None not in own.values()
    }


def outcome(
    interfaces: Sequence[str], settings: Sequence[Setting], asked: Levels
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """What counts on every interface once the settings are made, and where that is not what was asked for."""
    found = arp.with_settings(levels(), settings)
    return arp.effective(found), arp.differing(interfaces, found, asked)
