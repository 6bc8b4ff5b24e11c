"""Of pyroute2 the modules import what they use, and leave whoever shares their process the whole of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import library
library.require()
print(library.rtnl.RTM_NEWRULE, library.netlink.NLM_F_ACK, *(name for name in sys.modules if "pyroute2" in name))
"""


def run(program: str, *folders: Path) -> list[str]:
    search = json.dumps([*map(str, folders), *sys.path])
    done = subprocess.run([sys.executable, "-c", program, search], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.split()


@pytest.fixture
def dependent(tmp_path: Path) -> Path:
    """A pyroute2 whose modules need what the package's own code makes."""
    rtnl = tmp_path / "pyroute2/netlink/rtnl"
    rtnl.mkdir(parents=True)
    (tmp_path / "pyroute2/__init__.py").write_text("acknowledge = 4\n")
    (tmp_path / "pyroute2/netlink/__init__.py").write_text("from pyroute2 import acknowledge as NLM_F_ACK\n")
    (rtnl / "__init__.py").write_text("RTM_NEWRULE = 32\n")
    return tmp_path


def test_nothing_stays_behind() -> None:
    assert run(_PROGRAM) == ["32", "4"]


def test_what_is_not_used_is_not_imported() -> None:
    assert run(f"{_PROGRAM}assert not {{'asyncio', 'sqlite3'}} & set(sys.modules), list(sys.modules)") == ["32", "4"]


def test_the_whole_library_can_be_imported_after_it() -> None:
    assert run(f"{_PROGRAM}import pyroute2.netlink.rtnl\nprint(pyroute2.IPRoute.__name__)") == ["32", "4", "IPRoute"]


def test_a_library_that_needs_its_own_code(dependent: Path) -> None:
    expected = ["32", "4", "pyroute2", "pyroute2.netlink", "pyroute2.netlink.rtnl"]
    assert run(_PROGRAM, dependent) == expected
