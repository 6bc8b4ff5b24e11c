# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall mark that packets for a VIP get, and the nftables table that holds such marks."""

from __future__ import annotations

from collections.abc import Container, Hashable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values

ANY = "any"
"""Every protocol and port."""
PROTOCOLS = {**values.TRANSPORTS, "icmp": 1, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58}
"""Names of protocols (IANA, Protocol Numbers). Those of TRANSPORTS have ports."""
PREROUTING, OUTPUT = "prerouting", "output"
DEFAULT_HOOKS = (PREROUTING,)


class Mark(NamedTuple):
    """Some packets, and what becomes of the bits of their mark within ``mask``.

    ``vip`` is an address or a prefix, ``port`` like ``tcp/80``, ``udp/4000-4999``, ``icmp`` or ``any``. ``iif`` and
    ``source`` are empty where they do not matter. The kernel may hold what this collection never writes: a ``vip`` such
    as ``10.0.0.1-10.0.0.6``, and a ``verdict`` in place of a mark.
    """

    family: int
    vip: str
    port: str
    mark: int = 0
    mask: int = values.FULL_MASK
    verdict: str = ""
    iif: str = ""
    source: str = ""

    @property
    def key(self) -> Hashable:
        """Identity: family, addresses, protocol, ports and interface. The mark is what they get."""
        return (self.family, self.vip, self.port, self.iif, self.source)

    @property
    def line(self) -> str:
        words = [values.FAMILY_NAMES[self.family], self.vip, self.port]
        words += ["from", self.source] if self.source else []
        words += ["iif", self.iif] if self.iif else []
        mask = f"/{self.mask:#x}" if self.mask != values.FULL_MASK else ""
        return " ".join([*words, self.verdict or f"mark {self.mark:#x}{mask}"])

    def within(self, keys: Container[Hashable]) -> bool:
        """Whether it is one of those."""
        return self.key in keys


@dataclass(frozen=True)
class Table:
    """The table itself. What is None was not asked for: it stays as it is, or becomes the default.

    ``damage`` names the parts that are missing or altered, ``holds`` the keys of its marks.
    """

    name: str
    hooks: tuple[str, ...] | None = None
    new_connections: bool | None = None
    exclude_macs: tuple[str, ...] | None = None
    damage: tuple[str, ...] = ()
    holds: frozenset[Hashable] = field(default=frozenset(), compare=False)

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def line(self) -> str:
        words = [f"table inet {self.name}"]
        hooks = self.hooks or DEFAULT_HOOKS
        words += [f"hooks {' '.join(hooks)}"] if hooks != DEFAULT_HOOKS else []
        words += ["new-connections"] if self.new_connections else []
        words += [f"exclude-macs {' '.join(self.exclude_macs)}"] if self.exclude_macs else []
        words += [f"(damaged: {', '.join(self.damage)})"] if self.damage else []
        return " ".join(words)

    def within(self, keys: frozenset[Hashable]) -> bool:
        """Whether nothing is left of it without those."""
        return self.holds <= keys

    def completed(self, found: Table) -> Table:
        """With what was not asked for as it was found."""
        return replace(
            self,
            hooks=found.hooks if self.hooks is None else self.hooks,
            new_connections=found.new_connections if self.new_connections is None else self.new_connections,
            exclude_macs=found.exclude_macs if self.exclude_macs is None else self.exclude_macs,
        )


def protocol_number(name: str) -> int:
    """The number of a protocol by the name that this collection gives it."""
    return PROTOCOLS[name] if name in PROTOCOLS else int(name)
