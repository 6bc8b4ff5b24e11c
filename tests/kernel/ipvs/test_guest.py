"""The tests of the folder guest, run inside a lab guest: its kernel has ip_vs, this machine's may not.

They run with the pyroute2 of the guest's Debian. That other releases give the modules the same is shown on this
machine, in a hundredth of the time: tests/kernel/test_pyroute2.py.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from background import Background, marked
from bundle import pack
from environment import CHECKOUT
from tools import Tools

pytestmark = pytest.mark.lab

GUEST_TESTS = Path(__file__).with_name("guest")
HOST = "director1"

FOLDER = Path("/root/lvs-vipless")

TESTS = [
    f"{path.stem}::{node.name}"
    for path in sorted(GUEST_TESTS.glob("test_*.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]

# What a release's kernel, systemd and nftables have no part in runs on one of them.
ONCE = (
    *("test_bad_input", "test_config", "test_converges", "test_delivery_cases", "test_info", "test_killed"),
    *("test_missing", "test_module", "test_under_load", "test_undo_timer"),
)


class Row(NamedTuple):
    """A run of the tests: the guest's release of Debian, and the files of tests that are left out."""

    release: str
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"guest tests on {self.release}"

    @property
    def profile(self) -> str:
        """How many examples of a property: as many as asked for in the run that leaves nothing out."""
        return "brief" if self.left_out else os.environ.get("LVS_PROFILE", "ci")


ROWS = (Row("bookworm"), Row("trixie", ONCE))
MINUTES = dict(zip(ROWS, (28, 7), strict=True))
PAIRS = [
    pytest.param(row, test, id=f"{row.release}-{test}")
    for row in ROWS
    for test in TESTS
    if test.partition("::")[0] not in row.left_out
]


class Guest:
    """The lab's one host that these tests need."""

    def __init__(self, tools: Tools, row: Row) -> None:
        self._tools = tools
        # A lab of its own, so that one that is in use stays as it is.
        places = {"LVS_LAB_NAME": f"lvslab-{row.release}", "PYTHONPATH": str(CHECKOUT / "molecule")}
        self._variables = {**places, "LVS_LAB_RELEASE": row.release}

    def lab(self, *arguments: str) -> None:
        self._tools.watch("lab", self._command(*arguments), CHECKOUT, **self._variables)

    def run(self, script: str, source: Path = Path(os.devnull)) -> str:
        """Run a line of shell on the guest, with a file of this machine as its standard input."""
        return self._tools.run(
            ["sh", "-c", '"$@" < "$0"', str(source), *self._ssh(script)], CHECKOUT, **self._variables
        )

    def watch(self, name: str, script: str) -> None:
        """The same, with its lines on the terminal as they come."""
        self._tools.watch(name, self._ssh(script), CHECKOUT, **self._variables)

    def _ssh(self, script: str) -> list[str]:
        return self._command("ssh", HOST, script)

    def _command(self, *arguments: str) -> list[str]:
        return ["python", "-m", "lab", *arguments]


class Case(NamedTuple):
    """One case of a test in the guest's report: its name, and what it wrote where it did not pass."""

    name: str
    trouble: str


@contextmanager
def guest(tools: Tools, row: Row) -> Iterator[Guest]:
    """A clean guest of the row's release that holds what the tests need."""
    made = Guest(tools, row)
    # Refused where another checkout runs this lab, which is then not ours to end.
    made.lab("up", "--hosts", HOST, "--clean")
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder, "bundle.tar")
            pack(file, {GUEST_TESTS.name: GUEST_TESTS})
            made.run(f"mkdir -p {FOLDER} && tar -xf - -C {FOLDER}", file)
        yield made
    finally:
        made.lab("down")


Report = dict[str, list[Case]]
"""Every case of a row, by test."""


def report(tools: Tools, row: Row) -> Report:
    with guest(tools, row) as host:
        return reported(host, row)


def reported(guest: Guest, row: Row) -> Report:
    result = f"{FOLDER}/report.xml"
    left_out = " ".join(f"--ignore=guest/{name}.py" for name in row.left_out)
    # Exit status 1 says that tests failed, which the report tells better; beyond that there is no report.
    guest.watch(
        row.release,
        f"cd {FOLDER} && PYTHONPATH={FOLDER}:{FOLDER}/guest PYTHONUNBUFFERED=1 LVS_PROFILE={row.profile}"
        " python3 -m pytest"
        f" --import-mode=importlib -p no:cacheprovider --durations=12 --junit-xml={result} {left_out} guest"
        " || test $? = 1",
    )
    cases: Report = {}
    # The guest is ours, and its report is pytest's.
    for element in ElementTree.fromstring(guest.run(f"cat {result}")).iter("testcase"):  # noqa: S314
        name = element.attrib["name"]
        test = f"{element.attrib['classname'].rpartition('.')[2]}::{name.partition('[')[0]}"
        # Failure, error or skip: a case that passed has nothing inside.
        trouble = "\n".join(f"{child.tag}: {child.text or child.get('message')}" for child in element)
        cases.setdefault(test, []).append(Case(name, trouble))
    return cases


@marked(report, "row", MINUTES)
@pytest.mark.parametrize(("row", "test"), PAIRS)
def test_in_guest(background: Background, row: Row, test: str) -> None:
    cases = background.result(report, row).get(test)
    assert cases, f"{test} did not run"
    troubles = [f"{case.name}\n{case.trouble}" for case in cases if case.trouble]
    if troubles:
        pytest.fail("\n\n".join(troubles), pytrace=False)
