"""Run things on the lab's guests, and find what the scenario declares."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import settings, ssh

_SCRIPTS = Path(__file__).with_name("guest")
_DEFAULT_SCENARIO = Path(__file__).resolve().parents[1] / "default"


class GuestError(Exception):
    """A command on a guest failed, and with it the proof that needed it."""


def run(host: str, command: str, stdin: str | None = None) -> str:
    """Run a line of shell on a guest and give what it printed."""
    argv = ssh.command(settings.from_environment(), host, [command])
    done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, check=False)
    if done.returncode:
        raise GuestError(f"{host}: {command}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def script(host: str, name: str, arguments: Sequence[str]) -> Any:
    """Run one of the scripts of the folder ``guest`` and give the JSON that it printed."""
    return json.loads(run(host, " ".join(["python3 -", *arguments]), (_SCRIPTS / f"{name}.py").read_text()))


def declared() -> list[dict[str, Any]]:
    """The ``lvs_services`` of the scenario."""
    scenario = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", _DEFAULT_SCENARIO))
    found: list[dict[str, Any]] = yaml.safe_load((scenario / "group_vars/all.yml").read_text())["lvs_services"]
    return found


def record_folder() -> Path:
    """Where runs and states are noted."""
    if "LVS_RECORD" not in os.environ:
        raise GuestError("LVS_RECORD is not set: it names the folder in which the scenario noted its runs.")
    return Path(os.environ["LVS_RECORD"])
