# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must not lose: its addresses, its next hops, and the way back to the controller."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import routes
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import ifaddrmsg, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import TABLES
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held

_CONF = Path("/proc/sys/net/ipv4/conf")
_IFADDRMSG = struct.Struct("=BBBBI")
_HEADER = struct.Struct("=IHHII")


def lookup(protected: Sequence[str]) -> Callable[[Session, int], list[Held]]:
    """A function that gives what a host must not lose: what it lives by, and the addresses that the user named."""
    named = [Held(address, "which protect names", "") for address in protected]
    return lambda session, family: held(session, family) + named


def held(session: Session, family: int) -> list[Held]:
    """The addresses of the family that this host lives by, each with what it is."""
    found = [Held(address, f"an address of {device}", device) for address, device in addresses(session, family)]
    found.extend(
        Held(route.gateway, f"the next hop of {route.prefix}", "")
        for route in routes.dump(session, family, TABLES["main"])
        if route.gateway
    )
    found.extend(Held(address, "the address the controller came from", "") for address in controller())
    return found


def addresses(session: Session, family: int) -> list[tuple[str, str]]:
    """The addresses of the family with their devices (RTM_GETADDR)."""
    devices = routes.Devices()
    found = []
    for payload in session.dump("addresses", rtnl.RTM_GETADDR, _IFADDRMSG.pack(family, 0, 0, 0, 0)):
        message = ifaddrmsg(_HEADER.pack(_HEADER.size + len(payload), rtnl.RTM_NEWADDR, 0, 0, 0) + payload)
        message.decode()
        # On a point-to-point link IFA_ADDRESS is the peer.
        own = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        found.append((str(own), devices.name(message["index"])))
    return found


def controller() -> Iterator[str]:
    """Where the ssh session that runs this module comes from. sudo drops SSH_CONNECTION; an ancestor still has it."""
    pid = os.getpid()
    while pid > 1:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return
        for entry in environment:
            name, _equals, value = entry.partition(b"=")
            if name == b"SSH_CONNECTION" and value:
                yield value.split()[0].decode().partition("%")[0]
                return
        pid = int(parent)


def source_valid_mark() -> list[str]:
    """The interfaces on which src_valid_mark is effectively 1: the larger of 'all' and the interface's own counts."""
    values = {path.parent.name: path.read_text().strip() for path in _CONF.glob("*/src_valid_mark")}
    everywhere = values.pop("all", "0") == "1"
    return sorted(name for name, value in values.items() if name != "default" and (everywhere or value == "1"))
