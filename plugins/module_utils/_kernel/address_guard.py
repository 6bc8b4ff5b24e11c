# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of a host's addresses must not do: cut it off from its controller, its next hops, or its network."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import FORCE, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, host, sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.controller import connected
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import KERNEL_PROTOCOLS, Address, by_network
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, TABLES, holds
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import refuse_covering, refuse_holding


def guard(session: Session, plan: Plan[Address]) -> None:
    """Raise Refused for a plan that would cut this host off."""
    removed = plan.removals() + [old for old, _new in addresses.remade(plan)]
    _refuse_the_kernels([old for old, _new in plan.edits()])
    _refuse_arrival(removed)
    _refuse_taking_along(session, removed, plan)
    for family in sorted({new.family for new in plan.additions()}):
        _refuse_covering(session, family, [new for new in plan.additions() if new.family == family])


def _refuse_the_kernels(edited: Iterable[Address]) -> None:
    for old in edited:
        if old.protocol in KERNEL_PROTOCOLS:
            raise Refused("prefixes", old.prefix, f"the kernel itself put it on {old.device}.", override=FORCE)


def _refuse_arrival(removed: Iterable[Address]) -> None:
    arrival = connected()
    for old in removed:
        if arrival and old.address == arrival.server:
            raise Refused("prefixes", old.prefix, "the controller is connected to it, and it would go.", override=FORCE)


def _refuse_taking_along(session: Session, removed: list[Address], plan: Plan[Address]) -> None:
    """Where promote_secondaries is 0, the first address of a network takes every later one of the network along."""
    leading = [old for old in removed if old.family == IPV4 and not old.secondary]
    if not leading:
        return
    gone = set(removed)
    staying = by_network([*(found for found in addresses.dump(session, IPV4) if found not in gone), *plan.additions()])
    for old in leading:
        lost = staying.get(old.place, [])
        if lost and not _promotes(old.device):
            names = ", ".join(other.prefix for other in lost[:3]) + (f" and {len(lost) - 3} more" if lost[3:] else "")
            reason = f"{names} would go with it, because promote_secondaries is 0 on {old.device}. Set that to 1 first."
            raise Refused("prefixes", old.prefix, reason, override=FORCE)


def _promotes(device: str) -> bool:
    return any(sysctl.read(f"net/ipv4/conf/{name}/promote_secondaries") == "1" for name in ("all", device))


def _refuse_covering(session: Session, family: int, added: list[Address]) -> None:
    """An address must not be a next hop or the controller. A network on lo is the host's own from end to end."""
    held = host.held(session, family)
    others = {item.address: item.what for item in held if not item.device}
    for new in added:
        if new.address in others:
            raise Refused("prefixes", new.prefix, f"it is {others[new.address]}.", override=FORCE)
    networks = [new for new in added if new.network.num_addresses > 1]
    refuse_covering([_local(new) for new in networks if new.device == "lo"], held)
    far = host.controller()
    there = addresses.dump(session, family) if far and networks else []
    for new in networks:
        # Of the other networks of the device, one may have the controller in it already.
        nearby = [one for one in there if one.device == new.device]
        if not any(holds(str(one.network), item.address) for one in nearby for item in far):
            refuse_holding("prefixes", [str(new.network)], far)


def _local(new: Address) -> Route:
    return Route(new.family, str(new.network), TABLES["local"], 0, LOCAL, new.device, new.protocol)
