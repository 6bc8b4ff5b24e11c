"""Whole tasks, as Ansible runs them: their time beyond that of ping, their memory, and a loop of single ones."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from environment import link_collection
from measure import seconds
from namespace import Namespace
from objects import vip

LOOPED = 50
MODULES = "ansible_collections.lvs.vipless.plugins.modules"


class Task(NamedTuple):
    """A module with so many objects: seconds beyond ping where it adds them and where it changes nothing, mebibytes at
    its largest, and the seconds that a loop of single tasks would take, extrapolated."""

    name: str
    adding: float
    nothing: float
    memory: float
    loop: float


def tasks(count: int, rounds: int, folder: Path) -> Iterator[Task]:
    prefixes = [vip(2, place) for place in range(count)]
    rule = {"priority": 100, "table": "100"}
    marks = {"ports": ["tcp/80"], "mark": "1"}
    for name, many, single in (
        ("ip_local_route", {"prefixes": prefixes, "table": "100"}, {"prefixes": ["{{ item }}"], "table": "100"}),
        ("ip_rule", {**rule, "to": prefixes}, {**rule, "to": ["{{ item }}"]}),
        ("fwmark", {"vips": prefixes, **marks}, {"vips": ["{{ item }}"], **marks}),
    ):
        with Namespace() as netns:
            play = _Play(netns, folder)
            ping = statistics.median(play.seconds("ansible.builtin.ping", {}) for _round in range(rounds))
            memory = _memory(netns, name, many, folder)
            nothing = statistics.median(play.seconds(f"lvs.vipless.{name}", many) for _round in range(rounds))
        with Namespace() as netns:
            play = _Play(netns, folder)
            adding = play.seconds(f"lvs.vipless.{name}", many)
        with Namespace() as netns:
            play = _Play(netns, folder)
            loop = play.seconds(f"lvs.vipless.{name}", single, prefixes[:LOOPED])
        yield Task(name, adding - ping, nothing - ping, memory, (loop - ping) / LOOPED * count)


class _Play:
    """Playbooks of one task on this machine, inside a namespace."""

    def __init__(self, netns: Namespace, folder: Path) -> None:
        self._netns = netns
        self._folder = folder

    def seconds(self, module: str, options: dict[str, Any], items: list[str] | None = None) -> float:
        task = {module: options, **({"loop": items} if items else {})}
        book = self._folder / "play.yml"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            "localhost,",
            "-c",
            "local",
            str(book),
        ]
        variables = [
            "env",
            f"ANSIBLE_COLLECTIONS_PATH={link_collection()}",
            f"ANSIBLE_PYTHON_INTERPRETER={sys.executable}",
        ]
        return seconds(lambda: self._netns.run(*variables, *command))


def _memory(netns: Namespace, module: str, options: dict[str, Any], folder: Path) -> float:
    """The most mebibytes that the module's process held while it added everything, nft included."""
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    command = ["ip", "netns", "exec", netns.name, sys.executable, "-m", f"{MODULES}.{module}", str(arguments)]
    environment = {**os.environ, "PYTHONPATH": str(link_collection())}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{module} failed")
    return usage.ru_maxrss / 1024
