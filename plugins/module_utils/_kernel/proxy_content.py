# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nftables table of a transparent proxy holds, what it should hold, and the steps between. Pure.

It is a table of marks (see mark_content) whose maps lead to chains that give packets to a daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_rules, proxy_rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_content import Content, Json, Shape, Step, Use
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import PREROUTING, Table
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import REDIRECT, TPROXY, ProxyTable, target_of


@dataclass(frozen=True)
class ProxyShape(Shape):
    """The same for a proxy's table: the chain that marks, and those of the targets with their rules."""

    method: str = TPROXY
    tracks: bool = False
    exclude: tuple[str, ...] = ()
    closed: tuple[mark_rules.Rule, ...] | None = None
    targets: dict[str, list[mark_rules.Rule]] = field(default_factory=dict)

    @classmethod
    def of(cls, uses: Iterable[Use], table: Table) -> ProxyShape:
        used, proxied = list(uses), cast(ProxyTable, table)
        marked = (proxied.mark, proxied.mask)
        named = {name: found for name in sorted({name for _map, name in used}) if (found := target_of(name))}
        targets = {name: proxy_rules.giving(found, *marked) for name, found in named.items()}
        chains = {layout.chain_of(*marked): marked} if proxied.method == TPROXY else {}
        macs = frozenset(proxied.exclude_macs or ())
        maps = frozenset(name for name, _target in used)
        excluded = proxied.exclude or ()
        closed = tuple(proxy_rules.closing(named.values())) if proxied.closes else None
        return cls((PREROUTING,), macs, maps, chains, {}, proxied.method, proxied.tracks, excluded, closed, targets)

    def lookups(self) -> list[mark_rules.Rule]:
        first = [proxy_rules.tracking(*marked) for marked in self.chains.values() if self.tracks]
        gate = [] if self.closed is None else [proxy_rules.gate()]
        return [*gate, *proxy_rules.leaving(self.exclude), *first, *mark_rules.lookups(self.maps, ())]

    def entrance(self) -> list[mark_rules.Rule]:
        return proxy_rules.entrance(self.method, next(iter(self.chains), ""), bool(self.macs))


@dataclass
class ProxyContent(Content):
    """What a table holds. ``wanted`` is the method that it has to have, where that matters."""

    wanted: str = ""

    def shape(self, uses: Iterable[Use], table: Table | None, name: str) -> ProxyShape:
        return ProxyShape.of(uses, table or ProxyTable(name))

    def take(self, kind: str, body: Json) -> str:
        name = str(body.get("name"))
        if kind == "chain" and (target_of(name) or name == proxy_rules.CLOSED):
            self.exists = True
            self.chains[name] = body
            return ""
        foreign = name in mark_rules.HOOKS and name != PREROUTING if kind == "chain" else name not in layout.MAPS
        if kind in {"chain", "map"} and foreign:
            self.exists = True
            return f"a {kind} {name}"
        return super().take(kind, body)

    def stranger(self) -> str:
        if self.wanted and self._method() != self.wanted and self.chains:
            remedy = "Remove it with state: absent first, or name another table."
            raise Refused("method", self.wanted, f"the table of this host is one of method {self._method()}. {remedy}")
        alien = next((mark.line for mark in self.marks if not target_of(layout.target(mark))), "")
        return f"an element '{alien}'" if alien else super().stranger()

    def table(self, name: str) -> ProxyTable | None:
        if not self.exists:
            return None
        method = self._method()
        macs, keys = tuple(sorted(self.macs or ())), frozenset(mark.key for mark in self.marks)
        never = proxy_rules.left([rule for _text, rule in proxy_rules.leaving(())])
        exclude = tuple(one for one in self._left() if one not in never)
        closes = proxy_rules.CLOSED in self.chains
        found = ProxyTable(name, None, None, macs, holds=keys, method=method, exclude=exclude, closes=closes)
        if method == TPROXY:
            mark, mask = self._mark()
            found = replace(found, new_connections=self._tracks(), mark=mark, mask=mask)
        return replace(found, damage=self.damage(ProxyShape.of(self.uses, found)))

    def making(self, shape: Shape) -> Iterator[Step]:
        wanted = cast(ProxyShape, shape)
        yield from self._adding(wanted, save=wanted.tracks)
        for name, expected in wanted.targets.items():
            yield from self._settled(name, expected)
        if wanted.closed is not None:
            yield from self._settled(proxy_rules.CLOSED, wanted.closed)
        yield from self._settled(mark_rules.LOOKUPS, wanted.lookups())
        yield from self._hooked(PREROUTING, proxy_rules.BASE[wanted.method], wanted.entrance())

    def narrowing(self, wide: Shape, narrow: Shape) -> Iterator[Step]:
        yield from super().narrowing(wide, narrow)
        wanted = cast(ProxyShape, narrow).closed
        if wanted is not None and wanted != cast(ProxyShape, wide).closed:
            yield "flush chain", proxy_rules.CLOSED
            for text, _rule in wanted:
                yield "add rule", f"{proxy_rules.CLOSED} {text}"

    def clearing(self, shape: Shape) -> Iterator[Step]:
        yield from self._removing(shape)
        wanted = cast(ProxyShape, shape)
        kept = {PREROUTING, mark_rules.LOOKUPS, *wanted.chains, *wanted.targets}
        kept |= set() if wanted.closed is None else {proxy_rules.CLOSED}
        # What leads to the chain of a mark goes before it.
        for name in sorted(self.chains.keys() - kept, key=lambda name: (not target_of(name), name)):
            yield "delete chain", name

    def _holds(self, name: str, expected: Sequence[mark_rules.Rule]) -> bool:
        return bool(proxy_rules.folded(self.rules.get(name, [])) == [rule for _text, rule in expected])

    def _method(self) -> str:
        base = self.chains.get(PREROUTING, {})
        targets = [target_of(name) for name in self.chains]
        is_nat = base.get("type") == "nat" or (not base and any(one and one.how == REDIRECT for one in targets))
        return REDIRECT if is_nat else TPROXY

    def _mark(self) -> tuple[int, int]:
        """The mark of the chain that sockets lead to; that of any other where none does."""
        led = [rule[-1].get("goto", {}).get("target", "") for rule in self.rules.get(PREROUTING, [])]
        marks = [found for name in (*led, *self.chains) if name in self.chains and (found := layout.mark_of(name))]
        return marks[0] if marks else (ProxyTable.mark, ProxyTable.mask)

    def _tracks(self) -> bool:
        """Whether connections are marked too; where no rule marks anything, whether the lookups ask for that mark."""
        marking = next((found[0] for name, found in self.rules.items() if found and layout.mark_of(name)), None)
        if marking is not None:
            return len(marking) > 1
        first = self._looked_up()[len(self._left()) :][:1]
        return any("return" in part for found in first for part in found)

    def _left(self) -> list[str]:
        return proxy_rules.left(self._looked_up())

    def _looked_up(self) -> list[layout.Expression]:
        """The rules of the lookups behind the gate to the closed ports."""
        found = self.rules.get(mark_rules.LOOKUPS, [])
        return found[1:] if found and "jump" in found[0][-1] else found
