"""A run that is killed leaves nothing that the next one does not mend."""

from __future__ import annotations

import time

import pytest

from killing import run_killed, run_whole
from namespace import Namespace
from states import STATES, States

pytestmark = pytest.mark.slow

SETTLING_SECONDS = 1


@pytest.mark.parametrize("states", STATES.values(), ids=STATES)
def test_next_run_converges(netns: Namespace, states: States) -> None:
    targets = [states.first, states.second]
    wanted = []
    for target in targets:
        netns.call(states.module, **target)
        wanted.append(states.shown(netns))
    assert wanted[0] != wanted[1]
    whole = run_whole(netns, states.module, targets[0])

    partly = 0
    for point in range(states.points):
        place = (point + 1) % 2
        run_killed(netns, states.module, targets[place], whole, while_it_writes=point % 4 < 2)
        partly += not _is_whole(netns, states, wanted)
        netns.call(states.module, **targets[place])
        assert states.shown(netns) == wanted[place]
        assert not netns.call(states.module, **targets[place])["changed"]
    # nft changes the marks in few transactions; of the others some must have been caught half done.
    assert partly or states.module == "fwmark"


def _is_whole(netns: Namespace, states: States, wanted: list[list[str]]) -> bool:
    """Whether one of the states is there, soon. The kernel ends what it has begun, and nft lists a transaction that
    is being committed without what it removes and without what it adds."""
    end = time.monotonic() + (SETTLING_SECONDS if states.module == "fwmark" else 0)
    while states.shown(netns) not in wanted:
        if time.monotonic() > end:
            return False
    return True
