# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and prefixes between the kernel's bytes and the model's text."""

from __future__ import annotations

import functools
import ipaddress
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

ipv4_text = functools.partial(inet_ntop, AF_INET)
"""What text() does with 4 bytes, for those who know that they have 4 and ten thousand times."""


def text(packed: bytes) -> str:
    """4 or 16 bytes as canonical text, the way ``ipaddress`` writes it (inet_ntop differs where IPv4 is embedded)."""
    if len(packed) == 4:
        return ipv4_text(packed)
    written = inet_ntop(AF_INET6, packed)
    return str(ipaddress.IPv6Address(packed)) if "." in written else written


def packed(written: str) -> bytes:
    """Canonical text as 4 or 16 bytes."""
    return inet_pton(AF_INET6 if ":" in written else AF_INET, written)


def split(prefix: str) -> tuple[bytes, int]:
    """A prefix as bytes and length."""
    written, _slash, length = prefix.partition("/")
    return packed(written), int(length)
