"""The collection as it is built, installed and read about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from environment import CHECKOUT
from tools import Tools

MODULES = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/*.py"))
ROLES = sorted(path.parents[1].name for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml"))
PLAYBOOKS = sorted(path.stem for path in CHECKOUT.glob("playbooks/*.yml"))


@pytest.mark.parametrize("module", MODULES)
def test_module_documentation(tools: Tools, installed: Path, module: str) -> None:
    name = f"lvs.vipless.{module}"
    command = ["ansible-doc", "--type", "module", "--json", name]
    shown = tools.run(command, CHECKOUT, ANSIBLE_COLLECTIONS_PATH=str(installed.parents[2]))
    warnings, documentation = shown.split("{\n", 1)
    assert not warnings
    documented = json.loads("{" + documentation)[name]
    assert documented["doc"]["filename"] == str(installed / "plugins" / "modules" / f"{module}.py")
    assert documented["examples"].strip()
    assert documented["return"]


def complaints(warnings: str) -> list[str]:
    """What is said of this collection: newer ansible-cores warn of one that they hold themselves."""
    return [line for line in warnings.splitlines() if line and "ansible/_protomatter" not in line]


def test_role_documentation(tools: Tools, installed: Path) -> None:
    command = ["ansible-doc", "--type", "role", "--json", *(f"lvs.vipless.{role}" for role in ROLES)]
    shown = tools.run(command, CHECKOUT, ANSIBLE_COLLECTIONS_PATH=str(installed.parents[2]))
    warnings, documentation = shown.split("{\n", 1)
    assert not complaints(warnings)
    documented = json.loads("{" + documentation)
    assert sorted(documented) == [f"lvs.vipless.{role}" for role in ROLES]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_is_called_by_its_full_name(tools: Tools, installed: Path, playbook: str) -> None:
    command = ["ansible-playbook", "--inventory", "director1,", "--syntax-check", f"lvs.vipless.{playbook}"]
    shown = tools.run(command, CHECKOUT, ANSIBLE_COLLECTIONS_PATH=str(installed.parents[2]))
    assert f"playbook: {installed}/playbooks/{playbook}.yml" in shown


def test_installed_files(installed: Path) -> None:
    """An operator gets what runs and what explains it, and nothing that a developer's tool left behind."""
    listed = json.loads((installed / "FILES.json").read_text())["files"]
    files = [parts for entry in listed if (parts := Path(entry["name"]).parts)]
    code, text = {"meta", "playbooks", "plugins", "roles", "tests"}, {"LICENSE", "docs"}
    text |= {
        f"{name}.md" for name in ("CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "MAINTAINERS", "README", "SECURITY")
    }
    assert {parts[0] for parts in files} <= code | text | {"changelogs", "requirements.txt"}
    assert {parts[1] for parts in files if parts[0] == "tests" and len(parts) > 1} <= {"config.yml", "sanity"}
    assert not [parts for parts in files if any(part.startswith((".", "__pycache__")) for part in parts)]
