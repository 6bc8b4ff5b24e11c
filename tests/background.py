"""Work in virtual machines that begins with the first test: it takes far longer than all the others together.

Two at a time, each in a lab of its own, since a lab waits for one guest most of the time; the longest first, so that
none is left alone at the end. The tests that look at its outcome come when their turn is; what a test looks at is told
by its marker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

AT_ONCE = 2

Work = Callable[..., Any]


class Background:
    """What is under way, by the work and its argument."""

    def __init__(self) -> None:
        self._runs: dict[tuple[Work, Any], Future[Any]] = {}
        self.seconds: dict[str, float] = {}
        """How long each took that has ended."""

    def begin(self, pool: ThreadPoolExecutor, work: Work, tools: object, argument: object) -> None:
        if (work, argument) not in self._runs:
            self._runs[work, argument] = pool.submit(self._timed, work, tools, argument)

    def _timed(self, work: Work, tools: object, argument: object) -> Any:
        begun = time.monotonic()
        try:
            return work(tools, argument)
        finally:
            self.seconds[str(argument)] = time.monotonic() - begun

    def result(self, work: Work, argument: object) -> Any:
        """What the work returned, or raised, once it has ended."""
        return self._runs[work, argument].result()


def marked(work: Work, parameter: str, minutes: Mapping[Any, int]) -> pytest.MarkDecorator:
    """Mark a test that looks at ``work(tools, value of the parameter)``, which takes about so long."""
    return pytest.mark.background(work, parameter, minutes)


def asked_for(items: Iterable[pytest.Item]) -> list[tuple[Work, Any]]:
    """Return each work with its argument, the longest first; one of unknown length may be the longest."""
    works: dict[tuple[Work, Any], float] = {}
    for item in items:
        mark = item.get_closest_marker("background")
        if mark and isinstance(item, pytest.Function):
            work, parameter, minutes = mark.args
            argument = item.callspec.params[parameter]
            works[work, argument] = minutes.get(argument, float("inf"))
    return sorted(works, key=lambda pair: -works[pair])


@contextmanager
def begun(works: Iterable[tuple[Work, Any]], tools: object) -> Iterator[Background]:
    background = Background()
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for work, argument in works:
            background.begin(pool, work, tools, argument)
        yield background
    finally:
        # Where tests ended early, what has not begun does not begin.
        pool.shutdown(cancel_futures=True)
