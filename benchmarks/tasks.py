"""Whole tasks, as Ansible runs them: their time beyond that of ping, their memory, and a loop of single ones."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from environment import link_collection
from measure import process, seconds
from namespace import Namespace
from objects import vip

LOOPED = 50
MAC = "02:00:5e:10:00:01"
MODULES = "ansible_collections.lvs.vipless.plugins.modules"


class Task(NamedTuple):
    """A module with so many objects: seconds beyond ping where it adds them and where it changes nothing, mebibytes at
    its largest, and the seconds that a loop of single tasks would take, extrapolated, where that was tried."""

    name: str
    adding: float
    nothing: float
    memory: float
    loop: float | None = None


def tasks(count: int, rounds: int, folder: Path) -> Iterator[Task]:
    prefixes = [vip(2, place) for place in range(count)]
    for name, (many, single) in _work(prefixes).items():
        with Namespace() as netns:
            play = _Play(netns, folder)
            ping = statistics.median(play.seconds("ansible.builtin.ping", {}) for _round in range(rounds))
            memory = _memory(netns, name, many, folder)
            nothing = statistics.median(play.seconds(f"lvs.vipless.{name}", many) for _round in range(rounds))
        with Namespace() as netns:
            play = _Play(netns, folder)
            adding = play.seconds(f"lvs.vipless.{name}", many)
        if single is None:
            yield Task(name, adding - ping, nothing - ping, memory)
            continue
        with Namespace() as netns:
            play = _Play(netns, folder)
            loop = play.seconds(f"lvs.vipless.{name}", single, prefixes[:LOOPED])
        yield Task(name, adding - ping, nothing - ping, memory, (loop - ping) / LOOPED * count)


def _work(prefixes: list[str]) -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
    """The options of each module for all of the prefixes, and those for one item of a loop."""
    route, rule, marks = {"table": "100"}, {"priority": 100, "table": "100"}, {"ports": ["tcp/80"], "mark": "1"}
    addresses = [prefix.partition("/")[0] for prefix in prefixes]
    silence = {"method": "nftables", "interfaces": ["v0"], "source": "10.0.0.2"}
    return {
        "ip_local_route": ({**route, "prefixes": prefixes}, {**route, "prefixes": ["{{ item }}"]}),
        "ip_rule": ({**rule, "to": prefixes}, {**rule, "to": ["{{ item }}"]}),
        "fwmark": ({**marks, "vips": prefixes}, {**marks, "vips": ["{{ item }}"]}),
        "ip_address": ({"prefixes": prefixes, "device": "lo"}, None),
        "static_neighbor": ({"address": addresses, "device": "v0", "mac": MAC}, None),
        "arp_suppress": ({**silence, "vips": prefixes}, None),
    }


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
    return process(command, PYTHONPATH=str(link_collection())).memory
