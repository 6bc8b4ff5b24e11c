# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets for any address that a daemon of this host takes, and the nftables table that gives them to it.

An entry is a Mark with a verdict in place of its mark: the chain that gives the packet to a target. The chain's name
says all about the target, so that a listing of the table tells what it does.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark, Table

TPROXY, REDIRECT, DELIVER = "tproxy", "redirect", "deliver"
METHODS = (TPROXY, REDIRECT)
OPEN, CLOSED = "open", "closed"
_OWN = "own"
_ANY = "any"
_FAMILIES = {"v4": values.IPV4, "v6": values.IPV6}


class Target(NamedTuple):
    """A socket of this host, and how packets get there: by TPROXY and REDIRECT to a socket at ``address`` and ``port``
    (empty and 0: those of the packet), by DELIVER to whatever transparent socket takes them.

    ``closed`` packets go nowhere without such a socket. ``own`` ones may be for an address of this host.
    """

    how: str
    family: int
    protocol: str = ""
    address: str = ""
    port: int = 0
    closed: bool = True
    own: bool = False

    @property
    def chain(self) -> str:
        """The name of the chain. nft takes no colon in a name."""
        family = values.name_of(_FAMILIES, self.family)
        words = [self.how, family, self.protocol or _ANY, self.address.replace(":", "-") or _ANY]
        words += [str(self.port or _ANY), CLOSED if self.closed else OPEN, *([_OWN] if self.own else [])]
        return "_".join(words)


def target_of(chain: str) -> Target | None:
    """The target that a chain's name tells, or None where it is no name that this collection gives."""
    how, _separator, rest = chain.partition("_")
    words = rest.removesuffix(f"_{_OWN}").split("_")
    if len(words) != 5 or words[0] not in _FAMILIES or not (words[3].isdigit() or words[3] == _ANY):
        return None
    family, protocol, address, port, when = words
    target = Target(
        how,
        _FAMILIES[family],
        protocol if protocol != _ANY else "",
        address.replace("-", ":") if address != _ANY else "",
        int(port) if port != _ANY else 0,
        when == CLOSED,
        rest.endswith(f"_{_OWN}"),
    )
    return target if target.chain == chain and _is_sound(target) else None


def takes_own(found: Mark) -> bool:
    """Whether packets for an address of this host itself can be among those of a mark or an entry."""
    target = target_of(found.verdict.partition(" ")[2])
    return target is None or target.own


def _is_sound(target: Target) -> bool:
    """Whether it is one that this collection makes."""
    try:
        is_address = not target.address or ipaddress.ip_address(target.address).version == (
            4 if target.family == values.IPV4 else 6
        )
    except ValueError:
        return False
    if target.how == DELIVER:
        return not (target.protocol or target.address or target.port)
    complete = bool(target.port) or (target.how == TPROXY and bool(target.address))
    return is_address and complete and target.how in METHODS and target.protocol in {"tcp", "udp"}


@dataclass(frozen=True)
class ProxyTable(Table):
    """The table itself. Its method never changes; its mark is that of the packets that stay on this host. Packets for
    ``exclude``, prefixes in order, go on. It ``closes`` the daemon's ports to those who ask at this host itself."""

    method: str = TPROXY
    mark: int = 0
    mask: int = values.FULL_MASK
    exclude: tuple[str, ...] | None = None
    closes: bool | None = None

    @property
    def line(self) -> str:
        words = [f"table inet {self.name} method {self.method}"]
        if self.method == TPROXY:
            words.append(f"mark {self.mark:#x}" + (f"/{self.mask:#x}" if self.mask != values.FULL_MASK else ""))
            words += [] if self.tracks else ["every-packet"]
        words += [f"exclude {' '.join(self.exclude)}"] if self.exclude else []
        words += ["close-ports"] if self.closes else []
        words += [f"exclude-macs {' '.join(self.exclude_macs)}"] if self.exclude_macs else []
        words += [f"(damaged: {', '.join(self.damage)})"] if self.damage else []
        return " ".join(words)

    def completed(self, found: Table) -> Table:
        whole = super().completed(found)
        if not isinstance(whole, ProxyTable) or not isinstance(found, ProxyTable):
            return whole
        return replace(
            whole,
            exclude=found.exclude if self.exclude is None else self.exclude,
            closes=found.closes if self.closes is None else self.closes,
        )

    @property
    def tracks(self) -> bool:
        """Whether only connections that begin are taken, so that those on their way to others go on."""
        return self.method == TPROXY and self.new_connections is not False
