"""A run that is killed leaves nothing that the next one does not mend."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any, NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import nft
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from namespace import Namespace
from states import STATES, States

POINTS = 50
SETTLING_SECONDS = 10


class Run(NamedTuple):
    """How long a run took, and how much of that it was writing."""

    seconds: float
    writing: float


@pytest.mark.parametrize("states", STATES.values(), ids=STATES)
def test_next_run_converges(netns: Namespace, states: States) -> None:
    targets = [states.first, states.second]
    wanted = []
    for target in targets:
        netns.call(states.module, **target)
        wanted.append(states.shown(netns))
    assert wanted[0] != wanted[1]
    whole = _run(netns, states.module, targets[0])

    partly = 0
    for point in range(POINTS):
        place = (point + 1) % 2
        # Every second point anywhere in the run, the others while it writes.
        after = random.random() * (whole.writing if point % 4 < 2 else whole.seconds)
        _run(netns, states.module, targets[place], kill_after=after, once_it_writes=point % 4 < 2)
        partly += not _is_whole(netns, states, wanted)
        netns.call(states.module, **targets[place])
        assert states.shown(netns) == wanted[place]
        assert not netns.call(states.module, **targets[place])["changed"]
    # nft changes the marks in one transaction; of the others some must have been caught half done.
    assert (partly > 0) == (states.module != "fwmark")


def _is_whole(netns: Namespace, states: States, wanted: list[list[str]]) -> bool:
    """Whether one of the states is there, soon. The kernel ends what it has begun, and nft lists a transaction that
    is being committed without what it removes and without what it adds."""
    end = time.monotonic() + (SETTLING_SECONDS if states.module == "fwmark" else 0)
    while states.shown(netns) not in wanted:
        if time.monotonic() > end:
            return False
    return True


def _run(
    netns: Namespace, module: str, target: dict[str, Any], kill_after: float | None = None, once_it_writes: bool = False
) -> Run:
    """Run in a process of its own, which is killed after so many seconds of its life, or of its writing."""
    started = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _tell_when_it_writes(writing)
        status = 1
        try:
            netns.call(module, **target)
            status = 0
        finally:
            os._exit(status)
    # A group of its own, so that nft dies with it.
    os.setpgid(child, child)
    os.close(writing)
    if kill_after is None or once_it_writes:
        os.read(reading, 1)
    begun = written = time.monotonic()
    if kill_after is None:
        while os.read(reading, 1):
            written = time.monotonic()
        assert os.waitpid(child, 0)[1] == 0
    else:
        time.sleep(kill_after)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(reading)
    return Run(time.monotonic() - started, written - begun)


def _tell_when_it_writes(pipe: int) -> None:
    """Patch this process, which is about to run a module: one byte before anything goes to the kernel, one after."""
    for owner, name in ((Session, "batch"), (nft, "transaction")):
        original = getattr(owner, name)

        def telling(*args: Any, original: Any = original) -> Any:
            os.write(pipe, b"!")
            result = original(*args)
            os.write(pipe, b"!")
            return result

        setattr(owner, name, telling)
