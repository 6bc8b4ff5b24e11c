# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel interfaces that unpack what a director sends (ip-link(8), net/ipv4/ip_tunnel.c, net/ipv6/ip6_tunnel.c)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, values
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

FAMILIES = {"ipip": values.IPV4, "gre": values.IPV4, "ip6tnl": values.IPV6, "ip6gre": values.IPV6}
"""The types, and the family of the packets around those that are carried."""
FALLBACKS = {"ipip": "tunl0", "gre": "gre0", "ip6tnl": "ip6tnl0", "ip6gre": "ip6gre0"}
"""The interface that comes with each kernel module, down, and takes what no other tunnel takes."""
OWNER = "lvs.vipless"
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class Tunnel(NamedTuple):
    """One interface. ``local`` and ``remote`` are empty where any address will do; ``owner`` is its alias."""

    name: str
    kind: str
    local: str
    remote: str
    owner: str
    up: bool

    @property
    def key(self) -> Hashable:
        """Identity: the name."""
        return self.name

    @property
    def shape(self) -> Hashable:
        """What the kernel tells tunnels apart by."""
        return (self.kind, self.local, self.remote)

    @property
    def is_fallback(self) -> bool:
        return self.name == FALLBACKS.get(self.kind)

    @property
    def line(self) -> str:
        words = [self.name, "type", self.kind or "(none)"]
        for word, address in (("local", self.local), ("remote", self.remote)):
            words += [word, address or "any"]
        return " ".join([*words, "up" if self.up else "down", *(["alias", self.owner] if self.owner else [])])


def owner(option: str, text: str) -> str:
    """An alias that stands for an owner, or BadInput."""
    if not _OWNER.fullmatch(text):
        raise BadInput(option, text, "is not a name of letters, digits and . _ : -, at most 64.")
    return text


def parse(options: Mapping[str, Any], label: str, own: str) -> Tunnel:
    """The tunnel that one entry asks for."""
    name = values.interface(label + "name", options["name"])
    kind = options["type"]
    local, remote = (_address(label + end, options[end], kind) for end in ("local", "remote"))
    fallbacks = {fallback: meant for meant, fallback in FALLBACKS.items()}
    if name in fallbacks and (fallbacks[name] != kind or local or remote):
        raise BadInput(
            label + "name", name, f"is the interface of type {fallbacks[name]} from any address to any. Choose another."
        )
    if name not in fallbacks and not (local or remote):
        taken = FALLBACKS[kind]
        raise BadInput(label + "name", name, f"needs local or remote: the kernel keeps {taken} for any to any.")
    return Tunnel(name, kind, local, remote, own, up=True)


def _address(option: str, text: str | None, kind: str) -> str:
    if text is None:
        return ""
    family, found = plain.address(option, text)
    if family != FAMILIES[kind]:
        raise BadInput(option, text, f"is not {values.FAMILY_NAMES[FAMILIES[kind]]}, as type {kind} needs.")
    return found


def desired(named: Sequence[Tunnel], own: str, *, present: bool, purge: bool) -> Desired[Tunnel]:
    """The tunnels present, and where asked all others of the owner gone; or the named ones of the owner absent."""
    if present:
        return Desired(named, lambda found: purge and found.owner == own, _as_found)
    names = {one.name for one in named}
    return Desired(unwanted=lambda found: found.name in names and found.owner == own)


def _as_found(wanted: Tunnel, found: Tunnel) -> Tunnel:
    """A tunnel of somebody else that is as it is wanted stays his."""
    adopted = wanted._replace(owner=found.owner)
    return adopted if adopted == found else wanted
