"""Runs of a module in a process of its own, which may be killed in the middle."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import nft
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from namespace import Namespace

POINTS = 50


class Run(NamedTuple):
    """How long a run took, and how much of that it was writing."""

    seconds: float
    writing: float


def run_whole(netns: Namespace, module: str, target: dict[str, Any]) -> Run:
    """To the end."""
    started = time.monotonic()
    child, reading = _start(netns, module, target)
    with open(reading, "rb", buffering=0) as told:
        told.read(1)
        begun = written = time.monotonic()
        while told.read(1):
            written = time.monotonic()
    assert os.waitpid(child, 0)[1] == 0
    return Run(time.monotonic() - started, written - begun)


def run_killed(netns: Namespace, module: str, target: dict[str, Any], whole: Run, *, while_it_writes: bool) -> None:
    """Killed at a random point of its life, or of its writing, by how long ``whole`` took."""
    child, reading = _start(netns, module, target)
    with open(reading, "rb", buffering=0) as told:
        if while_it_writes:
            told.read(1)
        time.sleep(random.random() * (whole.writing if while_it_writes else whole.seconds))
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _start(netns: Namespace, module: str, target: dict[str, Any]) -> tuple[int, int]:
    """The process, and a pipe that tells when it writes."""
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
    return child, reading


def _tell_when_it_writes(pipe: int) -> None:
    """Patch this process, which is about to run a module: one byte before anything goes to the kernel, one after."""
    for owner, name in ((Session, "batch"), (nft.Transactions, "carry_out")):
        original = getattr(owner, name)

        def telling(*args: Any, original: Any = original) -> Any:
            os.write(pipe, b"!")
            result = original(*args)
            os.write(pipe, b"!")
            return result

        setattr(owner, name, telling)
