# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would cut a host or its traffic off. Pure decisions over facts that the kernel side collects."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model import special
from ansible_collections.lvs.vipless.plugins.module_utils._model.connection import Connection, takes
from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark
from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import MAIN_PRIORITY, REFUSALS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, PROTOCOLS, TABLES

_FORCE = "force: true"


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
        raise Refused(option, prefix, f"it holds {item.address}, {item.what}.", override=_FORCE)


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
        what = special.meaning_of(prefix)
        if what:
            raise Refused(option, prefix, f"it is {what}.", override=_FORCE)


def refuse_other_macs(edits: Iterable[tuple[Neighbor, Neighbor]], held: Iterable[Held]) -> None:
    """The neighbour that all packets leave by, and the controller, have the MAC that they answer with."""
    needed = {item.address: item.what for item in held}
    for learned, wanted in edits:
        if wanted.address in needed and learned.mac != wanted.mac:
            reason = f"it is {needed[wanted.address]}, which answers with {learned.mac}."
            raise Refused("mac", wanted.mac, f"of {wanted.address} on {wanted.device}, {reason}", override=_FORCE)


def refuse_taking(marks: Iterable[Mark], connection: Connection | None) -> None:
    """Raise Refused where a mark would be that of the controller's own packets: what takes them ends the connection."""
    for mark in marks:
        if connection and takes(mark, connection):
            where = f"port {connection.server_port} of {connection.server}"
            reason = f"the controller is connected to {where}, and its packets are among these."
            raise Refused("vips", mark.line, reason, override=_FORCE)


def refuse_unselective(rules: Iterable[Rule], tables_with_default: frozenset[tuple[int, int]]) -> None:
    """A rule that ends every packet, or takes it to a table with a local default, takes the host off the network."""
    for rule in rules:
        if rule.selects and not rule.inverted:
            continue
        # Where routes of length 0 are suppressed, the default is the first that does not count.
        if (rule.family, rule.table) in tables_with_default and rule.suppress_prefixlength is None:
            reason = f"it takes every packet to table {rule.table}, where a local default route ends it."
            raise Refused("table", rule.line, reason, override=_FORCE)
        if rule.priority < MAIN_PRIORITY and (rule.action in REFUSALS.values() or rule.target > MAIN_PRIORITY):
            verb = "takes every packet past" if rule.target else "ends every packet before"
            reason = f"it {verb} the rule for table main, at priority {MAIN_PRIORITY}."
            raise Refused("action", rule.line, reason, override=_FORCE)


def refuse_ending(found: Rule | None, new: Sequence[Rule], packet: Packet) -> None:
    """Raise Refused where a new rule is the one by which an answer of this host goes nowhere."""
    if found in new and found is not None:
        does = "takes them to a table whose route ends here" if found.table else "ends them"
        reason = f"what this host sends from {packet.source} to {packet.destination} goes by it, and it {does}."
        raise Refused("priority", found.line, reason, override=_FORCE)


def refuse_bare_mark(rules: Iterable[Rule], interfaces: Sequence[str]) -> None:
    """With src_valid_mark the reverse lookup of a marked packet finds the local default, and the packet is dropped."""
    for rule in rules:
        if interfaces and rule.family == IPV4 and rule.mark is not None and not rule.iif:
            reason = (
                f"src_valid_mark is 1 on {', '.join(interfaces)}, so packets that this rule delivers are dropped "
                "without a word. Give the rule an iif, one rule for each interface."
            )
            raise Refused("fwmark", rule.line, reason, override=_FORCE)
