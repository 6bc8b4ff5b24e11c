"""The blank guest: booted once for an image, without a name and without network cards.

Every host begins as a copy of it that gets both while it runs. A boot of its own would take an emulated guest ten times
as long; the first one it has is its first reboot.
"""

from __future__ import annotations

from dataclasses import replace

from lab import guest, serial, snapshot
from lab.errors import LabError
from lab.guest import Guest
from lab.lock import exclusive
from lab.qmp import Qmp
from lab.topology import BLANK

_ANSWER_SECONDS = 120.0
# It ends waiting for the network that the copies get.
_BOOTED = "while systemctl list-jobs --no-legend | grep -v wait-online | grep -q running; do sleep 1; done; sync"


def of(one: Guest) -> Guest:
    """Return the blank guest that one begins as a copy of."""
    return replace(one, host=BLANK)


def ensure(blank: Guest, fresh: bool = False) -> None:
    """Have its snapshot: a new one where there is none, or if fresh."""
    with exclusive(blank.image.folder / "lock", "another boot of the image"):
        if fresh or not snapshot.exists(blank):
            _boot(blank)


def _boot(blank: Guest) -> None:
    guest.stop(blank.settings, [blank.name])
    snapshot.new_disk(blank)
    try:
        blank.start()
        serial.wait(blank, blank.accelerator.boot_seconds)
        serial.ask(blank, _BOOTED, blank.accelerator.boot_seconds)
        snapshot.save(blank)
    except LabError as error:
        raise LabError(f"the image did not boot: {error}. Its console's last lines:\n{blank.last_words()}") from None
    finally:
        guest.stop(blank.settings, [blank.name])
        blank.disk.unlink(missing_ok=True)


def start(one: Guest) -> None:
    """Start the guest, which does not run, as a copy of the blank one, and make it itself."""
    snapshot.start(one, of(one))
    serial.set_clock(one, _ANSWER_SECONDS)
    # With another machine id journald begins anew: who reads the journal looks for the host's own.
    who = f"hostname {one.name} && echo {one.host.machine_id} > /etc/machine-id && systemctl restart systemd-journald"
    serial.ask(one, " && ".join([who, *(f"sysctl --write {setting}" for setting in one.sysctls)]), _ANSWER_SECONDS)
    # One after the other: a name that another card still has cannot be given.
    for card, interface in zip(one.cards(), one.host.interfaces, strict=True):
        with Qmp(one.qmp, _ANSWER_SECONDS) as qmp:
            qmp.monitor(f"device_add {card}")
        named = f"ip link show dev {interface.name} | grep -q {interface.mac}"
        serial.ask(one, f"until {named}; do sleep 0.1; done", _ANSWER_SECONDS)
