# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that came back at boot: ip(8) could not write their owner (before iproute2 6.3), the file knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import UNOWNED, Address


class Restored:
    """The addresses of a file, as its lines name them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = frozenset(lines)

    def holds(self, found: Address) -> bool:
        """Whether an address without an owner is one of them."""
        return found.protocol == UNOWNED and boot_lines.of_addresses([found])[0] in self._lines

    def complete(self, wanted: Address, found: Address) -> Address:
        """What is asked for, without an owner where the file made it."""
        return replace(wanted, protocol=UNOWNED) if self.holds(found) else wanted

    def owned_by(self, protocol: int) -> Callable[[Address], bool]:
        """Whether an address is this owner's, or of the file."""
        return lambda found: found.protocol == protocol or self.holds(found)
