"""What the running lab is: who runs it, from which image; kept in its run directory."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import guest, network, ssh
from lab.console import say
from lab.errors import LabError
from lab.settings import Settings
from lab.topology import BLANK, HOSTS


@dataclass(frozen=True)
class Session:
    """owner: the checkout that started the lab. image: the key of its image."""

    owner: str
    image: str


def _file(settings: Settings) -> Path:
    return settings.run / "session.json"


def current(settings: Settings) -> Session | None:
    """Return the session of a lab whose network stands; None for no lab and for the remains of one."""
    try:
        session = Session(**json.loads(_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return session if network.exists(settings) else None


def refuse_foreign(settings: Settings) -> None:
    """Fail where another checkout runs a lab of this name."""
    session = current(settings)
    if session is None or session.owner == str(settings.owner) or not Path(session.owner).exists():
        return
    if guest.running(settings, HOSTS):
        raise LabError(
            f"The lab {settings.name} is in use by the checkout {session.owner}: "
            "run `down` first, or set LVS_LAB_NAME to run a second lab."
        )


def open_session(settings: Settings, image_key: str) -> None:
    """Make the network ready for guests of this image: the running lab's own, or a new one where none fits."""
    wanted = Session(str(settings.owner), image_key)
    if current(settings) == wanted:
        return
    if settings.run.exists() or settings.namespace.exists():
        say("removing what an earlier lab left behind…")
        close_session(settings)
    settings.run.mkdir(parents=True)
    network.create(settings)
    ssh.write_config(settings)
    # Last: a session that is on record is whole.
    _file(settings).write_text(json.dumps(asdict(wanted)), encoding="utf-8")


def close_session(settings: Settings) -> None:
    """End the guests and remove their disks, the network and the run directory, whatever state they are in."""
    ssh.close_masters(settings)
    guest.stop(settings, [*HOSTS, BLANK.name])
    network.remove(settings)
    shutil.rmtree(settings.disks, ignore_errors=True)
    shutil.rmtree(settings.run, ignore_errors=True)
