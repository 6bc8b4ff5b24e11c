"""The linters over the working tree."""

from __future__ import annotations

import os

import pytest

from environment import CHECKOUT, Environment
from tools import Tools

# What ansible-test lets pass in every release. E701 and E704 only count before ansible-core 2.19.
PEP8_IGNORED = "E203,E402,E741,W503,W504"
PLUGINS = "ansible_collections.lvs.vipless.plugins"
LINTERS = {
    "ruff": ["ruff", "check"],
    "format": ["ruff", "format", "--check", "--diff"],
    "pep8": ["pycodestyle", "--exclude=.git,.nox", "--max-line-length=160", f"--ignore={PEP8_IGNORED}", "."],
    # Targets run Python 3.9, which mypy no longer knows; ruff judges the plugins' syntax by 3.9.
    "types-of-plugins": ["mypy", "--python-version", "3.10", "--package", PLUGINS],
    "types-of-lab": ["mypy", "molecule"],
    "yamllint": ["yamllint", "--strict", "."],
    "ansible-lint": ["ansible-lint"],
    "changelog": ["antsibull-changelog", "lint"],
    "licences": ["reuse", "lint"],
    "spelling": ["codespell"],
    "documentation": [
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs",
        "all",
        ".",
    ],
}


SLOW = {"ansible-lint": pytest.mark.slow}


@pytest.mark.parametrize("linter", [pytest.param(name, marks=SLOW.get(name, ())) for name in LINTERS])
def test_nothing_to_report(machine: Environment, tools: Tools, linter: str) -> None:
    # mypy finds the collection by its full name, and what the lab's programs import of each other.
    search = os.pathsep.join([str(machine.collections), str(CHECKOUT / "molecule")])
    tools.run(LINTERS[linter], CHECKOUT, MYPYPATH=search)
