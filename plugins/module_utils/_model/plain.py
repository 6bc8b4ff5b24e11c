# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that are plainly written need no ``ipaddress`` object, which costs ten times as much to make."""

from __future__ import annotations

import re

from ansible_collections.lvs.vipless.plugins.module_utils._model import values

_OCTETS = frozenset(map(str, range(256)))
_GROUPS = re.compile(r"[1-9a-f][0-9a-f]{0,3}(?::[1-9a-f][0-9a-f]{0,3})*")


def family_of(text: str) -> int:
    """The family of an address in canonical text. 0 for any other text, and for some canonical ones too: the caller
    then asks ``ipaddress``."""
    parts = text.split(".")
    if len(parts) == 4:
        return values.IPV4 if _OCTETS.issuperset(parts) else 0
    head, gap, tail = text.partition("::")
    if not gap or text.count(":") > 7 or not _GROUPS.fullmatch(head) or (tail and not _GROUPS.fullmatch(tail)):
        return 0
    # The gap must stand for two groups at least: one alone is written as 0.
    return values.IPV6 if head.count(":") + tail.count(":") + 1 + bool(tail) <= 6 else 0


def prefix(option: str, text: str) -> tuple[int, str]:
    """Family and canonical text of a prefix, always with its length; an address alone is its host prefix."""
    family = family_of(text)
    if family:
        return family, f"{text}/{32 if family == values.IPV4 else 128}"
    network = values.network(option, text)
    return values.family_of(network), str(network)


def address(option: str, text: str) -> tuple[int, str]:
    """Family and canonical text of an address."""
    family = family_of(text)
    if family:
        return family, text
    found = values.address(option, text)
    return values.family_of(found), str(found)
