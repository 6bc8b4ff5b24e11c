"""`ansible-test sanity` over the installed collection: without containers, and with nothing but a package index."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import get_venv_packages

from environment import Environment
from tools import Tools

pytestmark = pytest.mark.slow

# What does not run here, and why nothing is lost by it.
ELSEWHERE = {
    "ansible-doc": "test_collection.py asks for the same and more",
    "changelog": "test_source.py runs antsibull-changelog",
    "pslint": "needs PowerShell; test_only_python_to_check sees to it that the collection has none",
    "shellcheck": "the same for shell scripts",
}

# ansible-test fills virtual environments of its own by a get-pip.py from a server of its makers. The pip that comes
# with Python does as well.
GET_PIP = "import ensurepip\n\nensurepip.bootstrap()\n"


def test_only_python_to_check(installed: Path) -> None:
    assert not [path for path in installed.rglob("*") if path.suffix in {".ps1", ".psm1", ".sh"}]


def test_ansible_test_sanity(tools: Tools, machine: Environment, installed: Path) -> None:
    # The Python that runs this stands for all: Debian has no other. ruff judges the plugins' syntax by 3.9.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = machine.cache / "ansible-test"
    _provide_pip(home, version)
    command = ["ansible-test", "sanity", "--local", "--color=no", f"--python={version}"]
    skipped = [f"--skip-test={name}" for name in ELSEWHERE]
    tools.watch("ansible-test", [*command, *skipped], installed, HOME=str(home))


def _provide_pip(home: Path, version: str) -> None:
    """Lay GET_PIP where ansible-test looks for the one that it has loaded before, and pip's settings where pip does.

    ansible-test hides the environment from pip, and this home hides the user's settings; both may name the index.
    """
    pip = get_venv_packages(NativePythonConfig(version=version, path=sys.executable))["pip"]
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{pip.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP)
    settings = home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    with settings.open("w") as file:
        _pip_settings().write(file)


def _pip_settings() -> configparser.RawConfigParser:
    """Return what pip is set to, in files and in the environment, which comes first in pip's list and wins."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = configparser.RawConfigParser()
    for line in reversed(listed.stdout.splitlines()):
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, key, ast.literal_eval(value))
    return settings
