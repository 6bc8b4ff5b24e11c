# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would cut a host or its traffic off. Pure decisions over facts that the kernel side collects."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import FORCE, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model import special
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import PROTOCOLS, TABLES

if TYPE_CHECKING:
    # A type alone: what every task imports is compiled anew on the host.
    from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor


class Held(NamedTuple):
    """An address that must stay reachable, what it is, and the device that has it (or nothing)."""

    address: str
    what: str
    device: str


def refuse_replacing(edits: Iterable[tuple[Route, Route]]) -> None:
    """A route of the kernel, or one that leads somewhere, is not ours to turn into another. Its owner may give it
    another next hop."""
    for before, after in edits:
        is_same = before.kind == after.kind and before.protocol == after.protocol
        if (before.kind == UNICAST and not is_same) or before.protocol == PROTOCOLS["kernel"]:
            raise Refused(
                "prefixes", after.prefix, f"this host has '{before.line}' there. Remove that, or choose another metric."
            )


def refuse_covering(routes: Iterable[Route], held: Sequence[Held]) -> None:
    """A prefix that ends here, in a table that every packet passes, must hold nothing the host needs beyond itself."""
    prefixes = [route.prefix for route in routes if route.table in TABLES.values()]
    refuse_holding("prefixes", prefixes, [item for item in held if item.device != "lo"])


def refuse_holding(option: str, prefixes: Iterable[str], held: Iterable[Held]) -> None:
    """Raise Refused where one of the prefixes, or addresses, holds what the host needs."""
    for prefix, item in _holding(prefixes, held):
        raise Refused(option, prefix, f"it holds {item.address}, {item.what}.", override=FORCE)


def _holding(prefixes: Iterable[str], held: Iterable[Held]) -> Iterator[tuple[str, Held]]:
    """Few addresses meet many prefixes: those that would hold an address are looked up, one for each length in use."""
    named = {prefix if "/" in prefix else f"{prefix}/{128 if ':' in prefix else 32}": prefix for prefix in prefixes}
    lengths = {(":" in prefix, int(prefix.rpartition("/")[2])) for prefix in named}
    for item in held:
        for is_ipv6, length in lengths:
            if is_ipv6 == (":" in item.address):
                holding = str(ipaddress.ip_network(f"{item.address}/{length}", strict=False))
                if holding in named:
                    yield named[holding], item


def refuse_hiding(vips: Sequence[str], held: Callable[[], Iterable[Held]] | None) -> None:
    """What nobody is to reach, or to hear of, must hold no address at which this host is reached itself."""
    if held and vips:
        refuse_odd("vips", vips)
        refuse_holding("vips", vips, held())


def refuse_odd(option: str, prefixes: Iterable[str]) -> None:
    """Raise Refused where one of the prefixes, or addresses, lies where no VIP can be."""
    for prefix in prefixes:
        what = special.meaning(prefix)
        if what:
            raise Refused(option, prefix, f"it is {what}.", override=FORCE)


def refuse_other_macs(edits: Iterable[tuple[Neighbor, Neighbor]], held: Iterable[Held]) -> None:
    """The neighbour that all packets leave by, and the controller, have the MAC that they answer with."""
    needed = {item.address: item.what for item in held}
    for learned, wanted in edits:
        if wanted.address in needed and learned.mac != wanted.mac:
            reason = f"it is {needed[wanted.address]}, which answers with {learned.mac}."
            raise Refused("mac", wanted.mac, f"of {wanted.address} on {wanted.device}, {reason}", override=FORCE)
