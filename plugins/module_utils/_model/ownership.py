# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that carry the protocol number of their owner: nobody else's is removed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired


class Owned(Protocol):
    @property
    def key(self) -> Hashable:
        """What tells it from others of its kind."""

    @property
    def line(self) -> str:
        """It in words, as the diff shows it."""

    @property
    def protocol(self) -> int:
        """The routing protocol number that says whose it is."""


T = TypeVar("T", bound=Owned)


def desired(
    named: Sequence[T], present: bool, purged: int, is_made_here: Callable[[T], bool] = lambda _found: True
) -> Desired[T]:
    """The named objects present, and all others of the owner ``purged`` gone (0: none); or the named ones absent,
    where they carry the protocol number that they are named with.

    ``is_made_here`` tells the kinds that the caller makes: what another module made with the same number stays."""
    if present:
        return Desired(named, lambda found: found.protocol == purged != 0 and is_made_here(found))
    owners = {one.key: one.protocol for one in named}
    return Desired(unwanted=lambda found: owners.get(found.key) == found.protocol)
