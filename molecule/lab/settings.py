"""Where one lab lives: its name, its cache and its run directory, all overridable by the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

DEFAULT_NAME = "lvslab"
_NAME = re.compile(r"lvslab[a-z0-9-]{0,24}")
_RUN_ROOT = Path("/run/lvs-vipless")
_ACCELERATORS = ("auto", "kvm", "tcg")
# A guest's own, and one that has started already: see files/lab_python.py.
PYTHONS = {"guest": "/usr/bin/python3", "warm": "/usr/local/bin/lab-python"}
# Of Debian, which guests are made of; the first is the default.
RELEASES = ("bookworm", "trixie")


@dataclass(frozen=True)
class Settings:
    """The places and choices of one lab.

    name: of the lab and its network namespace. cache: images, snapshots and the ssh key, kept between runs.
    accelerator: ``auto`` probes KVM, the others take it as said. owner: the checkout that runs the lab.
    release: of Debian, which the guests are made of. python: the interpreter that the inventory tells Ansible to use.
    """

    name: str
    cache: Path
    accelerator: str
    owner: Path
    release: str = RELEASES[0]
    python: str = PYTHONS["guest"]

    @property
    def run(self) -> Path:
        """Sockets, process ids and logs of the running lab; in /run, since Unix socket paths end at 107 bytes."""
        return _RUN_ROOT / self.name

    @property
    def lock(self) -> Path:
        return _RUN_ROOT / f"{self.name}.lock"

    @property
    def namespace(self) -> Path:
        return Path("/run/netns") / self.name

    @property
    def disks(self) -> Path:
        return self.cache / "labs" / self.name

    @property
    def images(self) -> Path:
        return self.cache / "images"

    @property
    def emulators(self) -> Path:
        return self.cache / "qemu"

    @property
    def ssh_key(self) -> Path:
        return self.cache / "ssh" / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        return self.run / "ssh_config"

    @property
    def control_masters(self) -> Path:
        return self.run / "cm"


def from_environment() -> Settings:
    """Read LVS_LAB_NAME, LVS_LAB_CACHE, LVS_LAB_ACCEL, LVS_LAB_RELEASE and LVS_LAB_PYTHON."""
    name = os.environ.get("LVS_LAB_NAME") or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise LabError(
            f"LVS_LAB_NAME={name!r} does not name a lab: it must begin with {DEFAULT_NAME!r}, "
            "followed by at most 24 lower-case letters, digits or hyphens."
        )
    return Settings(
        name=name,
        cache=cache_directory(),
        accelerator=_choice("LVS_LAB_ACCEL", _ACCELERATORS),
        owner=Path(__file__).resolve().parents[2],
        release=_choice("LVS_LAB_RELEASE", RELEASES),
        python=PYTHONS[_choice("LVS_LAB_PYTHON", tuple(PYTHONS))],
    )


def _choice(variable: str, values: tuple[str, ...]) -> str:
    """Return the variable's value, the first of those it may have where it is not set."""
    value = os.environ.get(variable) or values[0]
    if value not in values:
        raise LabError(f"{variable}={value!r} is not one of {', '.join(values)}.")
    return value


def cache_directory() -> Path:
    """Return the absolute path of the cache directory, which need not exist yet."""
    if chosen := os.environ.get("LVS_LAB_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "lvs-vipless"
