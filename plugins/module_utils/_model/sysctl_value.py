# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel parameter's value as the kernel shows it, however it was written (kernel/sysctl.c). Pure."""

from __future__ import annotations

import contextlib
import ipaddress
import re

_NUMBER = re.compile(r"(-?)(0x[0-9a-f]+|0[0-7]+)", re.IGNORECASE)
_BITMAPS = ("_mask", "_bitmap")
"""How keys end whose digits are hexadecimal without 0x."""
_RANGES = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


def words(text: str) -> str:
    """A value with one space between its words, as the kernel's tabs and the user's spaces mean the same."""
    return " ".join(text.split())


def as_shown(name: str, text: str) -> str:
    """The value of a key as reading it gives it: numbers in decimal, ports as ranges (proc_do_large_bitmap()), the
    secret of IPv6 addresses written out. What the kernel would not take stays as it is."""
    found = words(text)
    if name.endswith("stable_secret"):
        with contextlib.suppress(ValueError):
            return ipaddress.IPv6Address(found).exploded
    if name.endswith("ip_local_reserved_ports"):
        return _ranges(found) if _RANGES.fullmatch(found) else found
    return found if name.endswith(_BITMAPS) else " ".join(map(_decimal, found.split()))


def _decimal(word: str) -> str:
    """As strtoul() takes a base from a number's first digits."""
    number = _NUMBER.fullmatch(word)
    return f"{number[1]}{int(number[2], 16 if number[2][1] in 'xX' else 8)}" if number else word


def _ranges(text: str) -> str:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(map(_range, text.split(","))):
        if joined and first <= joined[-1][1] + 1:
            begin, end = joined.pop()
            joined.append((begin, max(end, last)))
        else:
            joined.append((first, last))
    return ",".join(f"{first}-{last}" if first < last else str(first) for first, last in joined)


def _range(text: str) -> tuple[int, int]:
    first, _dash, last = text.partition("-")
    return int(first), int(last or first)
