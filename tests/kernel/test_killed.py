"""A run that is killed leaves nothing that the next one does not mend."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from namespace import Namespace
from states import STATES, States

POINTS = 50
SETTLING_SECONDS = 10


@pytest.mark.parametrize("states", STATES.values(), ids=STATES)
def test_next_run_converges(netns: Namespace, states: States) -> None:
    targets = [states.first, states.second]
    wanted = []
    for target in targets:
        netns.call(states.module, **target)
        wanted.append(states.shown(netns))
    assert wanted[0] != wanted[1]
    seconds = _run_and_kill(netns, states.module, targets[0], after=None)

    partly = 0
    # Spread over the run and a little beyond, since runs differ.
    for point in range(POINTS):
        place = (point + 1) % 2
        _run_and_kill(netns, states.module, targets[place], after=seconds * (point + random.random()) / (POINTS - 5))
        partly += not _is_whole(netns, states, wanted)
        netns.call(states.module, **targets[place])
        assert states.shown(netns) == wanted[place]
        assert not netns.call(states.module, **targets[place])["changed"]
    # A transaction of nft is done whole or not at all; of the others some must have been caught half done.
    assert (partly > 0) == (states.module != "fwmark")


def _is_whole(netns: Namespace, states: States, wanted: list[list[str]]) -> bool:
    """Whether one of the states is there, soon. The kernel ends what it has begun, and nft lists a transaction that
    is being committed without what it removes and without what it adds."""
    end = time.monotonic() + (SETTLING_SECONDS if states.module == "fwmark" else 0)
    while states.shown(netns) not in wanted:
        if time.monotonic() > end:
            return False
    return True


def _run_and_kill(netns: Namespace, module: str, target: dict[str, Any], after: float | None) -> float:
    """Run in a process that is killed after so many seconds, unless it has ended. Return how long it ran."""
    started = time.monotonic()
    child = os.fork()
    if not child:
        status = 1
        try:
            netns.call(module, **target)
            status = 0
        finally:
            os._exit(status)
    # A group of its own, so that nft dies with it.
    os.setpgid(child, child)
    if after is None:
        assert os.waitpid(child, 0)[1] == 0
    else:
        time.sleep(after)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return time.monotonic() - started
