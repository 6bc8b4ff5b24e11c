"""Every release of pyroute2 that distributions have gives the modules the same numbers, and a working module.

Numbers are all that is used of it, so what the tests prove with one release holds with each that has the same.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from environment import CHECKOUT, Environment
from namespace import Namespace

UTILITIES = CHECKOUT / "plugins/module_utils"
# Debian 12's, the oldest that is promised; Debian 13's; Ubuntu 24.04's; the newest is this machine's own.
RELEASES = ("0.7.2", "0.7.7", "0.7.11")
OBJECTS = {
    "ip_rule": {
        "rules": [{"priority": 100, "family": "both", "fwmark": "0x10000/0x10000", "table": "100"}],
        "protocol": "117",
    },
    "ip_local_route": {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "100"},
    "ip_route": {"prefixes": ["198.51.100.0/24"], "gateways": ["10.0.0.9"], "device": "v0"},
    "ip_address": {"prefixes": ["203.0.113.10/32", "2001:db8:f::10/128"]},
    "static_neighbor": {"address": "10.0.0.7", "device": "v0", "mac": "52:54:00:00:00:07"},
}
# What the kernel adds by itself, a moment later, names none of these.
OURS = re.compile(r"^100:|203\.0\.113|198\.51\.100|2001:db8:f:|10\.0\.0\.7")
# Eight objects of ours, and what the kernel keeps of the two addresses as routes.
SHOWN = 11
LISTINGS = ("-4 rule", "-6 rule", "-4 route show table all", "-6 route show table all", "address", "neighbour")

NUMBERS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import library
library.require()
print(json.dumps({name: int(eval(name, vars(library))) for name in json.loads(sys.argv[2])}))
"""
CALLS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from namespace import call
answers = [[call(name, **options)["changed"] for name, options in json.loads(sys.argv[2]).items()] for _run in (1, 2)]
print(json.dumps(answers))
"""


def used() -> Iterator[str]:
    """The names that the modules take from pyroute2: ``rtnl.RTM_NEWRULE``."""
    for file in UTILITIES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"netlink", "rtnl"}:
                yield ast.unparse(node)


def program(text: str, argument: object, *folders: Path, before: tuple[str, ...] = ()) -> object:
    search = json.dumps([*map(str, folders), *sys.path])
    command = [*before, sys.executable, "-c", text, search, json.dumps(argument)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=RELEASES)
def release(machine: Environment, request: pytest.FixtureRequest) -> Path:
    """The folder of a release from PyPI, unpacked in the cache."""
    folder = machine.cache / "pyroute2" / str(request.param)
    if not (folder / "pyroute2").is_dir():
        pip = [str(machine.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(folder), f"pyroute2=={request.param}"], check=True)
    return folder


def test_the_numbers_are_those_of_the_newest(release: Path) -> None:
    names = sorted(set(used()))
    assert "rtnl.RTM_NEWRULE" in names
    assert program(NUMBERS, names, release) == program(NUMBERS, names)


def test_modules_make_the_same_objects(release: Path) -> None:
    found = [made(), made(release)]
    assert found[0] == found[1]


def made(*folders: Path) -> object:
    """What the modules make in a namespace, as ip(8) shows it, and what they say of two runs."""
    with Namespace() as netns:
        told = program(CALLS, OBJECTS, *folders, before=("ip", "netns", "exec", netns.name))
        assert told == [[True] * len(OBJECTS), [False] * len(OBJECTS)]
        lines = [line for listing in LISTINGS for line in netns.ip(f"-N -d {listing}").splitlines()]
        found = [line for line in lines if OURS.search(line)]
        assert len(found) == SHOWN
        return found
