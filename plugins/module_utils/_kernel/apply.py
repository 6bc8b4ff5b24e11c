# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a plan's messages in its phases, and say exactly what was done when one of them fails."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from ansible_collections.lvs.vipless.plugins.module_utils._errors import PartlyApplied, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Message, Result

ALREADY = frozenset({errno.EEXIST})
"""An addition that another process made first. Reading back tells whether it is the same object."""
GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV})
"""A removal that another process made first."""


class Step(NamedTuple):
    """One message, what it does in words, and the errors that mean it is already so."""

    line: str
    message: Message
    harmless: frozenset[int] = frozenset()


class Sender(Protocol):
    def batch(self, messages: Sequence[Message]) -> list[Result]: ...


def send(session: Sender, phases: Iterable[Sequence[Step]]) -> None:
    """Send phase after phase. A failure ends the run after its phase, so that nothing is removed for want of its
    replacement; PartlyApplied then lists what was done, what failed and what was not tried."""
    pending = [list(phase) for phase in phases]
    done: list[str] = []
    while pending:
        phase = pending.pop(0)
        results = session.batch([step.message for step in phase])
        failed: list[tuple[str, str]] = []
        for step, result in zip(phase, results):
            if result.errno and result.errno not in step.harmless:
                failed.append((step.line, describe(result.errno, result.text)))
            else:
                done.append(step.line)
        if failed:
            raise PartlyApplied(done, failed, [step.line for rest in pending for step in rest])
