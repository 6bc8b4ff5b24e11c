# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that have a meaning of their own, so that nothing among them can be a VIP."""

from __future__ import annotations

import ipaddress

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import Network, network

PREFIXES = {
    "0.0.0.0/8": "an address of this network, which only a host without one has",
    "127.0.0.0/8": "an address of the host itself",
    "169.254.0.0/16": "a link-local address",
    "224.0.0.0/4": "a multicast address",
    "255.255.255.255/32": "the broadcast address",
    "::/96": "an address of the host itself, or none",
    "::ffff:0:0/96": "an IPv4 address in the writing of IPv6",
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
}
"""Each with what it is (IANA, Special-Purpose Address Registries of IPv4 and IPv6)."""
_PREFIXES = [(ipaddress.ip_network(prefix), what) for prefix, what in PREFIXES.items()]
_BEGINNINGS = (*(f"{first}." for first in (0, 127, 169, *range(224, 240), 255)), ":", "0:", "fe", "ff")
"""How the texts of all of these begin: of ten thousand VIPs few have to be looked at closer."""


def meaning(text: str) -> str:
    """What a prefix or an address is that cannot be a VIP, in its canonical text; nothing where it can."""
    if not text.startswith(_BEGINNINGS):
        return ""
    found = ipaddress.ip_network(text)
    for prefix, what in _PREFIXES:
        if found.version == prefix.version and found.prefixlen >= prefix.prefixlen and prefix.overlaps(found):
            return what
    return ""


def vip(option: str, text: str) -> Network:
    """A VIP, or a prefix of VIPs. Raise BadInput for what is none."""
    found = network(option, text)
    what = meaning(str(found))
    if what:
        raise BadInput(option, text, f"is {what}, which cannot be a VIP.")
    return found
