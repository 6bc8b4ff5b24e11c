# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures of this collection. Each says what is wrong, on which object, and what to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


class LvsError(Exception):
    """Anything a module reports through fail_json. ``details`` become further keys of the result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class BadInput(LvsError):
    """An option has a value that cannot be meant (None: not given). Raised before anything is read or changed."""

    def __init__(self, option: str, value: object, reason: str) -> None:
        subject = option if value is None else f"{option}: {value!r}"
        super().__init__(f"{subject} {reason}", option=option)


FORCE = "force: true"
"""The option of every module that does what it would refuse."""


class Refused(LvsError):
    """The input is valid, but on this host it would cut traffic or the controller off."""

    def __init__(self, option: str, value: object, reason: str, override: str = "") -> None:
        hint = f" A task of your own does it all the same with {override}; roles never do." if override else ""
        super().__init__(f"{option}: {value!r} refused: {reason}{hint}", option=option)


class Missing(LvsError):
    """Something the host must have is not there: a library, a tool, a kernel module, a privilege."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} Remedy: {remedy}")


class Busy(LvsError):
    """Another process of this collection changes the host, and does not come to an end."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(
            f"Another module or script of lvs.vipless has been changing this host for {seconds:.0f} s. Nothing was"
            f" changed. See who it is with `fuser -v {path}`, and run this again."
        )


class KernelError(LvsError):
    """The kernel refused a request: its errno, and its own words where it has any."""

    def __init__(self, subject: str, errno: int, text: str = "") -> None:
        self.errno = errno
        self.text = text
        super().__init__(f"{subject}: {describe(errno, text)}", errno=errno)


class ProgramFailed(LvsError):
    """A program of the system failed: its exit code and the beginning of what it said."""

    def __init__(self, subject: str, code: int, stderr: str) -> None:
        lines = [line.strip()[:300] for line in stderr.splitlines() if line.strip()]
        words = " / ".join(lines[:5]) or "it said nothing"
        super().__init__(f"{subject}: {words} (exit code {code}).", rc=code, stderr=stderr[:4000])


class PartlyApplied(LvsError):
    """Some changes were made and some were not. Nothing is hidden: every change is in one of the lists."""

    def __init__(self, done: Sequence[str], failed: Sequence[tuple[str, str]], untried: Sequence[str]) -> None:
        total = len(done) + len(failed) + len(untried)
        first = "; ".join(f"{line}: {why}" for line, why in failed[:3])
        more = f" (and {len(failed) - 3} more)" if len(failed) > 3 else ""
        rest = f" {len(untried)} were not tried." if untried else ""
        super().__init__(
            f"{len(done)} of {total} changes were made, {len(failed)} failed: {first}{more}.{rest}"
            " A further run continues from here.",
            changed=bool(done),
            done=list(done),
            failures=[{"change": line, "reason": why} for line, why in failed],
            untried=list(untried),
        )

    def after(self, done: Sequence[str]) -> PartlyApplied:
        """The same, behind changes of another kind of objects, which were made."""
        failed = [(one["change"], one["reason"]) for one in self.details["failures"]]
        return PartlyApplied([*done, *self.details["done"]], failed, self.details["untried"])


class NotKept(LvsError):
    """The kernel acknowledged a change but does not show it when read back (old kernels ignore new attributes)."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            "The kernel accepted these changes but holds something else when read back: "
            + "; ".join(lines[:5])
            + ". Another program changes the same objects, or this kernel does not know one of the options.",
            changed=True,
            not_kept=list(lines),
        )


class Undone(LvsError):
    """A change that was to be confirmed was undone before, or is being undone."""


def describe(errno: int, text: str = "") -> str:
    """The kernel's words, its errno's name, or both."""
    name = os.strerror(errno)
    return f"{text} ({name})" if text else name
