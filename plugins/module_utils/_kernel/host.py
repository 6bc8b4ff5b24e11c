# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must not lose: its addresses, its next hops, and the way back to the controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, routes
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.controller import connected
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import UNOWNED, Address
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import (
    FAMILIES,
    OTHERS_PROTOCOLS,
    TABLES,
)
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held

_CONF = Path("/proc/sys/net/ipv4/conf")


def lookup(protected: Sequence[str]) -> Callable[[Session, int], list[Held]]:
    """A function that gives what a host must not lose: what it lives by, and the addresses that the user named."""
    named = [Held(address, "which protect names", "") for address in protected]
    return lambda session, family: held(session, family) + named


def held(session: Session, family: int) -> list[Held]:
    """The addresses of the family that this host lives by, each with what it is. VIPs are none."""
    there = [one for one in addresses.dump(session, family) if not (_is_owned(one) and one.network.num_addresses == 1)]
    found = [Held(item.address, f"an address of {item.device}", item.device) for item in there]
    found.extend(next_hops(session, family))
    found.extend(controller())
    return found


def next_hops(session: Session, family: int, of_default: bool = False) -> list[Held]:
    """The next hops of all tables, be they several of one route, or those of default routes alone."""
    return [
        Held(gateway, f"the next hop of {_named(route)}", "")
        for route in routes.dump(session, family, kind=UNICAST)
        if route.is_default or not of_default
        for gateway in route.gateways
    ]


def lives_by(session: Session) -> list[Held]:
    """The neighbours without which nothing leaves: next hops of default routes, and the controller."""
    hops = [hop for family in FAMILIES.values() for hop in next_hops(session, family, of_default=True)]
    return [*hops, *controller()]


def controller() -> list[Held]:
    """Where the ssh session that runs this module comes from, if one does."""
    found = connected()
    return [Held(found.client, "the address the controller came from", "")] if found else []


def protected_addresses(force: bool) -> Callable[[], list[Held]] | None:
    """What tells where this host has to be reached; None where the user forces a change."""
    return None if force else answering


def answering() -> list[Held]:
    """Where others reach this host itself: the addresses of its networks, and the one the controller is connected to.

    What an owner put there, or what is alone in its prefix, is a VIP as likely.
    """
    with Session(read_only=True) as session:
        there = [one for family in FAMILIES.values() for one in addresses.dump(session, family)]
    found = [Held(one.address, f"an address of {one.device}", one.device) for one in there if is_own(one)]
    way_in = connected()
    return [*found, *([Held(way_in.server, "the address the controller is connected to", "")] if way_in else [])]


def is_own(found: Address) -> bool:
    return found.device != "lo" and not _is_owned(found) and found.network.num_addresses > 1


def _is_owned(found: Address) -> bool:
    return found.protocol not in OTHERS_PROTOCOLS and found.protocol != UNOWNED


def _named(route: Route) -> str:
    return route.prefix + (f" in table {route.table}" if route.table != TABLES["main"] else "")


def source_valid_mark() -> list[str]:
    """The interfaces on which src_valid_mark is effectively 1: the larger of 'all' and the interface's own counts."""
    values = {path.parent.name: path.read_text().strip() for path in _CONF.glob("*/src_valid_mark")}
    everywhere = values.pop("all", "0") == "1"
    return sorted(name for name, value in values.items() if name != "default" and (everywhere or value == "1"))
