# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a plan's messages in its phases, and say exactly what was done when one of them fails."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from ansible_collections.lvs.vipless.plugins.module_utils._errors import PartlyApplied, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Message, Result
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Change, Planned

ALREADY = frozenset({errno.EEXIST})
"""An addition that another process made first. Reading back tells whether it is the same object."""
GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV})
"""A removal that another process made first."""


class Step(NamedTuple):
    """What is there before and after one message, the message, and the errors that mean it is already so."""

    before: Planned | None
    after: Planned | None
    message: Message
    harmless: frozenset[int] = frozenset()

    @property
    def line(self) -> str:
        """The step in words. Written only where one fails: it costs more than the message."""
        return Change(self.before, self.after).line


class Sender(Protocol):
    """A session of one netlink family."""

    def batch(self, messages: Sequence[Message]) -> list[Result]:
        """Send the messages, and return what the kernel says to each, in their order."""


def send(session: Sender, phases: Iterable[Sequence[Step]]) -> list[Step]:
    """Send phase after phase, and give the steps that met a harmless error: what they bring about was so already.

    A failure ends the run after its phase, so that nothing is removed for want of its replacement; PartlyApplied then
    lists what was done, what failed and what was not tried.
    """
    pending = deque(phases)
    done: list[Step] = []
    already: list[Step] = []
    while pending:
        phase = pending.popleft()
        results = session.batch([step.message for step in phase])
        refused = {place: result for place, result in enumerate(results) if result.errno}
        failed = {place: result for place, result in refused.items() if result.errno not in phase[place].harmless}
        if failed:
            raise PartlyApplied(
                _lines([*done, *(step for place, step in enumerate(phase) if place not in failed)]),
                [(phase[place].line, describe(*result)) for place, result in failed.items()],
                _lines(step for rest in pending for step in rest),
            )
        done.extend(phase)
        already.extend(phase[place] for place in refused)
    return already


def _lines(steps: Iterable[Step]) -> list[str]:
    return [step.line for step in steps]
