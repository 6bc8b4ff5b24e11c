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


@dataclass(frozen=True)
class Settings:
    """The places and choices of one lab.

    name: of the lab and its network namespace. cache: images, snapshots and the ssh key, kept between runs.
    accelerator: ``auto`` probes KVM, the others take it as said. owner: the checkout that runs the lab.
    """

    name: str
    cache: Path
    accelerator: str
    owner: Path

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
    def ssh_key(self) -> Path:
        return self.cache / "ssh" / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        return self.run / "ssh_config"

    @property
    def control_masters(self) -> Path:
        return self.run / "cm"


def from_environment() -> Settings:
    """Read LVS_LAB_NAME, LVS_LAB_CACHE and LVS_LAB_ACCEL."""
    name = os.environ.get("LVS_LAB_NAME") or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise LabError(
            f"LVS_LAB_NAME={name!r} does not name a lab: it must begin with {DEFAULT_NAME!r}, "
            "followed by at most 24 lower-case letters, digits or hyphens."
        )
    accelerator = os.environ.get("LVS_LAB_ACCEL") or "auto"
    if accelerator not in _ACCELERATORS:
        raise LabError(f"LVS_LAB_ACCEL={accelerator!r} is not one of {', '.join(_ACCELERATORS)}.")
    return Settings(
        name=name, cache=cache_directory(), accelerator=accelerator, owner=Path(__file__).resolve().parents[2]
    )


def cache_directory() -> Path:
    """Return the absolute path of the cache directory, which need not exist yet."""
    if chosen := os.environ.get("LVS_LAB_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "lvs-vipless"
