"""Do the same to all guests at once, and tell the person who waits that it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from lab.console import say
from lab.errors import LabError
from lab.guest import Guest

_PROGRESS_SECONDS = 20.0


def each(action: Callable[[Guest], None], guests: Sequence[Guest], at_once: int | None = None) -> None:
    """Do it on all guests at once, or on so many, let every one finish, then report all that failed."""
    started = time.monotonic()
    turns = threading.Semaphore(at_once or max(1, len(guests)))
    attempts = {_begin(action, one, turns): one.name for one in guests}
    pending = set(attempts)
    while pending:
        done, pending = wait(pending, timeout=_PROGRESS_SECONDS)
        if pending and not done:
            names = ", ".join(sorted(attempts[attempt] for attempt in pending))
            say(f"  … still at {names} after {time.monotonic() - started:.0f} s")
    failures = []
    for attempt in attempts:
        try:
            attempt.result()
        except LabError as error:
            failures.append(str(error))
    if failures:
        raise LabError("\n".join(failures))


def _begin(action: Callable[[Guest], None], one: Guest, turns: threading.Semaphore) -> Future[None]:
    """Start it in a thread that does not outlive the program: an executor would make Ctrl-C wait for a boot."""
    attempt: Future[None] = Future()

    def work() -> None:
        try:
            with turns:
                action(one)
        except BaseException as error:  # noqa: BLE001  result() raises it where it is awaited
            attempt.set_exception(error)
        else:
            attempt.set_result(None)

    threading.Thread(target=work, daemon=True).start()
    return attempt
