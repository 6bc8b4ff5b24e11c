"""Bring the lab up, take it back to its clean state, take it down."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from lab import accelerator, blank, guest, image, session, snapshot, ssh
from lab.console import say
from lab.errors import LabError
from lab.guest import Guest
from lab.lock import exclusive
from lab.parallel import each
from lab.serial import set_clock
from lab.settings import Settings
from lab.topology import HOSTS

_ANSWER_SECONDS = 30.0
# Waits for the last unit, then names those that failed; none failed on a guest that is fit for a snapshot.
_SETTLE = "systemctl is-system-running --wait > /dev/null || systemctl --failed --plain --no-legend; sync"


def up(settings: Settings, names: Iterable[str], fresh: bool = False, clean: bool = False) -> None:
    """Have the named hosts up: untouched where they are, from their snapshot where they have one, else from scratch.

    fresh: the image is booted anew, and all named are made from scratch. clean: hosts that are up already go back to
    their snapshot.
    """
    with _locked(settings):
        session.refuse_foreign(settings)
        the_image = image.ensure(settings)
        chosen = accelerator.choose(settings, the_image)
        session.open_session(settings, the_image.key)
        guests = [Guest(settings, HOSTS[name], the_image, chosen) for name in names]
        alive = [] if fresh else [one for one in guests if one.ready.exists() and one.running()]
        if clean:
            _take_back(settings, alive)
        else:
            each(_confirm, alive)
        dead = [one for one in guests if one not in alive]
        guest.stop(settings, [one.name for one in dead])
        _start(dead, fresh)


def restore(settings: Settings) -> None:
    """Take every host of the running lab back to its clean snapshot."""
    with _locked(settings):
        session.refuse_foreign(settings)
        the_image = image.wanted(settings)
        now = session.current(settings)
        names = ready_hosts(settings)
        if now is None or not names:
            raise LabError(f"The lab {settings.name} is not up: run `up`.")
        if the_image.key != now.image:
            raise LabError(f"The lab {settings.name} runs another recipe's or release's image: run `up` to replace it.")
        chosen = accelerator.choose(settings, the_image)
        _take_back(settings, [Guest(settings, HOSTS[name], the_image, chosen) for name in names])


def down(settings: Settings) -> None:
    """End the lab; images and snapshots stay in the cache."""
    with _locked(settings):
        session.close_session(settings)


def ready_hosts(settings: Settings) -> list[str]:
    """Return the hosts that came up, whether or not they still run."""
    return [name for name in HOSTS if (settings.run / f"{name}.ready").exists()]


def _locked(settings: Settings) -> AbstractContextManager[int]:
    return exclusive(settings.lock, f"another command on the lab {settings.name}")


def _start(guests: Sequence[Guest], fresh: bool) -> None:
    cold = [one for one in guests if fresh or not snapshot.exists(one)]
    restored = [one for one in guests if one not in cold]
    each(_resume, restored)
    if cold:
        say(f"booting the image ({cold[0].accelerator.name})…")
        each(lambda one: blank.ensure(one, fresh), [blank.of(cold[0])])
    # More than there are processors for would each take so much longer.
    each(_begin, cold, max(2, os.cpu_count() or 1))
    if cold:
        say("saving the clean snapshots…")
    each(_save, cold)


def _resume(one: Guest) -> None:
    """Start from the snapshot; should that fail, from scratch."""
    started = time.monotonic()
    try:
        snapshot.start(one)
        _answer(one)
    except LabError as error:
        say(f"{one.name}: its snapshot did not come back ({error}), so it begins from scratch")
        blank.ensure(blank.of(one))
        _begin(one)
        _save(one)
    else:
        one.ready.touch()
        say(f"{one.name}: up from its snapshot after {time.monotonic() - started:.0f} s")


def _begin(one: Guest) -> None:
    """Start from scratch: as a copy of the guest that the image was booted in."""
    started = time.monotonic()
    guest.stop(one.settings, [one.name])
    try:
        blank.start(one)
        ssh.wait(one, one.accelerator.boot_seconds)
    except LabError as error:
        raise LabError(f"{one.name} did not come up: {error}. Its console's last lines:\n{one.last_words()}") from None
    failed = ssh.run_on(one, _SETTLE, one.accelerator.boot_seconds)
    if failed.returncode != 0 or failed.stdout.strip():
        raise LabError(f"{one.name} came up with failed units: {(failed.stdout + failed.stderr).strip()}")
    say(f"{one.name}: up after {time.monotonic() - started:.0f} s")


def _save(one: Guest) -> None:
    _answer(one)
    snapshot.save(one)
    # Saving halted the guest for a while.
    _answer(one)
    one.ready.touch()


def _answer(one: Guest) -> None:
    """Give a guest that runs the right time; it fails unless the guest takes it and listens for ssh."""
    set_clock(one, _ANSWER_SECONDS)
    if not ssh.port_open(one):
        raise LabError("port 22 is closed")


def _confirm(one: Guest) -> None:
    """Find out whether a guest that was up still answers; one that hangs is started again from its snapshot."""
    try:
        _answer(one)
    except LabError as error:
        _restart(one, error)
    else:
        say(f"{one.name}: is up already")


def _take_back(settings: Settings, guests: Sequence[Guest]) -> None:
    ssh.close_masters(settings)
    each(_rewind, guests)


def _rewind(one: Guest) -> None:
    started = time.monotonic()
    try:
        snapshot.load(one)
        _answer(one)
    except LabError as error:
        _restart(one, error)
    else:
        say(f"{one.name}: clean again after {time.monotonic() - started:.0f} s")


def _restart(one: Guest, reason: LabError) -> None:
    say(f"{one.name}: starts again from its snapshot, since it does not answer ({reason})")
    guest.stop(one.settings, [one.name])
    _resume(one)
