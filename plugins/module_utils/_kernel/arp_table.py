# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table that keeps a host silent on ARP: read whole, repaired and changed in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, nft
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import arp_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import protected_addresses
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp_silence import (
    Entry,
    Source,
    Table,
    Vip,
    Wanted,
    chosen,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan
from ansible_collections.lvs.vipless.plugins.module_utils._safety import Held, refuse_hiding


def sources(wanted: Wanted) -> list[Source]:
    """The address that the host asks as on each interface. Raise BadInput for a named one that it does not have."""
    with Session(read_only=True) as session:
        found = [one for one in addresses.dump(session, IPV4) if not one.secondary]
        everywhere = {one.address for one in addresses.dump(session, IPV4)}
    if wanted.source and wanted.source not in everywhere:
        raise BadInput("source", wanted.source, "is not an address of this host.")
    return chosen(wanted, [(one.device, one.address) for one in found])


def guarded(wanted: Wanted, force: bool) -> ArpTable:
    """The table that takes no address by which others reach this host, unless that is forced."""
    return ArpTable(wanted.table, protected_addresses(force))


@dataclass
class _Content:
    """What a table holds."""

    has_set: bool = False
    hooks: dict[str, nft.Json] = field(default_factory=dict)
    rules: dict[str, list[layout.Rule | None]] = field(default_factory=lambda: {name: [] for name in layout.HOOKS})
    vips: list[Vip] = field(default_factory=list)

    def damage(self) -> tuple[str, ...]:
        """The parts that are missing, altered or left over."""
        meant = layout.rules(*self.told())
        return (
            *([] if self.has_set else [f"set {layout.SET}"]),
            *(f"chain {name}" for name in layout.HOOKS if not self.is_hooked(name)),
            *(
                f"rules of {name}"
                for name, found in self.rules.items()
                if found != [rule for rule in meant if rule.chain == name]
            ),
        )

    def told(self) -> tuple[tuple[str, ...], tuple[Source, ...]]:
        """What the rules mean."""
        return layout.told(rule for found in self.rules.values() for rule in found)

    def is_hooked(self, name: str) -> bool:
        """Whether a chain is there, at the hook and priority that it needs."""
        found = self.hooks.get(name, {})
        return all(found.get(key) == value for key, value in layout.HOOKS[name].items())


class ArpTable:
    """One table of family arp. It is ours if it holds nothing but what this module makes."""

    def __init__(self, name: str, held: Callable[[], Sequence[Held]] | None = None) -> None:
        """``held`` tells at which addresses the host has to be reached; without it nothing is refused for them."""
        self._name = name
        self._held = held
        self._changes = nft.Transactions()
        self._place = f"{layout.FAMILY} {name}"
        self._content = _Content()

    def read(self) -> list[Entry]:
        """All that the table means, and the table itself; nothing where the host has no such table."""
        listing = nft.listing(layout.FAMILY, self._name)
        content = self._content = _Content()
        if listing is None:
            return []
        for item in listing:
            ((kind, body),) = item.items()
            self._take(kind, body)
        if content.hooks and not content.has_set and not any(content.rules.values()):
            raise self._foreign("chains and no set for them")
        table = Table(self._name, *content.told(), content.damage(), frozenset(content.vips))
        return [table, *content.vips]

    def check(self, plan: Plan[Entry]) -> None:
        """Refuse VIPs that hold an address of the host itself, be they there already: it may have got one since."""
        refuse_hiding([entry.vip for entry in plan.after if isinstance(entry, Vip)], self._held)

    def apply(self, plan: Plan[Entry]) -> None:
        """One transaction, so that a frame meets the old table or the new one. With the last VIP the table goes."""
        gone = plan.removals()
        added = [*plan.additions(), *(after for _before, after in plan.edits())]
        if any(isinstance(entry, Table) for entry in plan.removals()):
            commands = [f"delete table {self._place}"]
        else:
            commands = list(self._commands(gone, added))
        self._changes.carry_out(f"the table {layout.FAMILY} {self._name}", commands)

    def written_out(self, entries: Sequence[Entry]) -> list[str]:
        """The commands that make a table of these where there is none. For a table that has not been read."""
        made = self._commands([], list(entries))
        return [line for command in made for line in command.splitlines()]

    def _take(self, kind: str, body: nft.Json) -> None:
        """Add one object of the listing to the content, or refuse the table for it."""
        content, name = self._content, str(body.get("name"))
        if kind == "rule":
            # The rule of a chain that is not ours comes after that chain, which refuses the table.
            content.rules[body["chain"]].append(layout.decode(body["chain"], body["expr"]))
        elif kind == "chain" and name in layout.HOOKS:
            content.hooks[name] = body
        elif kind == "set" and layout.is_set(body):
            content.has_set = True
            content.vips = [self._vip(element) for element in body.get("elem", [])]
        elif kind != "table":
            raise self._foreign(f"a {kind} {name}")
        elif body.get("flags"):
            # Asleep, or owned by a process that is alive: in both cases somebody means it to be so.
            raise self._foreign("flags")

    def _vip(self, element: layout.Expression) -> Vip:
        vip = layout.vip_of(element)
        if vip is None:
            raise self._foreign(f"an element {element} in the set {layout.SET}")
        return vip

    def _foreign(self, what: str) -> Refused:
        reason = f"the table {layout.FAMILY} {self._name} of this host has {what}, which this module did not make."
        return Refused("table", self._name, f"{reason} Choose another name, or remove that.")

    def _commands(self, gone: list[Entry], added: list[Entry]) -> Iterator[str]:
        """Each step after those that it needs. The rules are few: where one changes, all are written anew."""
        for table in added:
            if isinstance(table, Table):
                yield f"add table {self._place}"
                if not self._content.has_set:
                    kind = " . ".join(layout.SET_TYPE)
                    yield f"add set {self._place} {layout.SET} {{ type {kind}; flags interval; }}"
                yield from self._chains(layout.rules(table.silent, table.sources))
        yield from self._elements("delete", gone)
        yield from self._elements("add", added)

    def _chains(self, rules: list[layout.Rule]) -> Iterator[str]:
        for name in layout.HOOKS:
            if name in self._content.hooks:
                yield f"flush chain {self._place} {name}"
            if not self._content.is_hooked(name):
                if name in self._content.hooks:
                    yield f"delete chain {self._place} {name}"
                yield f"add chain {self._place} {name} {{ type filter hook {name} priority 0; policy accept; }}"
            for rule in rules:
                if rule.chain == name:
                    yield f"add rule {self._place} {name} {layout.written(rule)}"

    def _elements(self, step: str, entries: Iterable[Entry]) -> Iterator[str]:
        """One command for all: nft takes many elements of one command at once, and commands one by one."""
        elements = ",\n".join(f"{entry.vip} . ip" for entry in entries if isinstance(entry, Vip))
        if elements:
            yield f"{step} element {self._place} {layout.SET} {{\n{elements}\n}}"
