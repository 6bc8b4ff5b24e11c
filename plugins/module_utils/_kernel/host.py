# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must not lose: its addresses, its next hops, and the way back to the controller."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, routes
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import TABLES
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held

_CONF = Path("/proc/sys/net/ipv4/conf")


def lookup(protected: Sequence[str]) -> Callable[[Session, int], list[Held]]:
    """A function that gives what a host must not lose: what it lives by, and the addresses that the user named."""
    named = [Held(address, "which protect names", "") for address in protected]
    return lambda session, family: held(session, family) + named


def held(session: Session, family: int) -> list[Held]:
    """The addresses of the family that this host lives by, each with what it is."""
    there = addresses.dump(session, family)
    found = [Held(item.address, f"an address of {item.device}", item.device) for item in there]
    found.extend(
        Held(route.gateway, f"the next hop of {route.prefix}", "")
        for route in routes.dump(session, family, TABLES["main"])
        if route.gateway
    )
    found.extend(Held(address, "the address the controller came from", "") for address in controller())
    return found


def controller() -> list[str]:
    """Where the ssh session that runs this module comes from, if one does."""
    return _ssh_connection()[:1]


def arrival() -> list[str]:
    """The address of this host that the controller is connected to, if it is."""
    return _ssh_connection()[2:3]


def _ssh_connection() -> list[str]:
    """Client address and port, server address and port. sudo drops the variable; an ancestor still has it."""
    pid = os.getpid()
    while pid > 1:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return []
        for entry in environment:
            name, _equals, value = entry.partition(b"=")
            if name == b"SSH_CONNECTION" and value:
                return [word.partition("%")[0] for word in value.decode().split()]
        pid = int(parent)
    return []


def source_valid_mark() -> list[str]:
    """The interfaces on which src_valid_mark is effectively 1: the larger of 'all' and the interface's own counts."""
    values = {path.parent.name: path.read_text().strip() for path in _CONF.glob("*/src_valid_mark")}
    everywhere = values.pop("all", "0") == "1"
    return sorted(name for name, value in values.items() if name != "default" and (everywhere or value == "1"))
