"""What the collection and its roles tell about themselves, where no linter reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

import forge
from environment import CHECKOUT
from tools import Tools

GALAXY = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
ROLES = sorted(path.parent for path in CHECKOUT.glob("roles/*/meta"))
CALLERS = [
    *sorted(str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob(".github/workflows/*.yml")),
    *(".pre-commit-config.yaml", "CONTRIBUTING.md", "README.md", "docs/releasing.md"),
]
HEADINGS = ["Example", "In", "Out", "Idempotent, check mode", "Roll-back"]


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def entry_points(role: Path) -> dict[str, Any]:
    specs: dict[str, Any] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    return specs


def test_addresses_are_of_the_one_repository() -> None:
    address = forge.address()
    assert forge.ADDRESS.fullmatch(address)
    assert all(GALAXY[key].startswith(address) for key in ("documentation", "homepage", "issues"))
    # Other repositories have other names.
    places = {
        (path.name, found[0])
        for path in forge.files()
        for found in re.finditer(r"https://[\w./-]+/lvs\.vipless\b", path.read_text())
        if found[0] != address and path.name not in {"forge.py", "test_metadata.py"}
    }
    assert not places


def test_forge_moves_every_address(tmp_path: Path) -> None:
    old, new = forge.address(), "https://git.example.org/team/lvs.vipless"
    copies = []
    for path in forge.files():
        copy = tmp_path / path.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
        copies.append(copy)
    assert tmp_path / "galaxy.yml" in forge.move(old, new, copies)
    assert forge.REPOSITORY.search((tmp_path / "galaxy.yml").read_text()).group(1) == new  # type: ignore[union-attr]
    assert not [path for path in copies if old in path.read_text()]


def test_shipped_requirements_leave_ansible_to_the_operator() -> None:
    names = re.findall(r"^[\w-]+", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)
    assert names
    assert not [name for name in names if name.startswith("ansible")]


def test_execution_environment_needs_what_is_shipped(tools: Tools, installed: Path) -> None:
    told = tools.run(["ansible-builder", "introspect", "--sanitize", str(installed.parents[2])], CHECKOUT)
    (python,) = re.findall(r"^python:\n((?:- .*\n)+)", told, re.MULTILINE)
    wanted = [line for line in (CHECKOUT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line.split("#")[0].strip(" -'") for line in python.splitlines()] == wanted


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each call of tests/run in a text."""
    return [found.split() for found in re.findall(r"(?<![\w/])tests/run((?:[ ][^\s`#]+)*)", text)]


@pytest.mark.parametrize("name", CALLERS)
def test_called_tests_are_there(name: str) -> None:
    """Contributors, pre-commit and forges call what exists. Words in capitals stand for names."""
    text = (CHECKOUT / name).read_text()
    paths = [word.removeprefix("--ignore=") for call in commands(text) for word in call if "tests/" in word]
    assert not [path for path in paths if not re.search("[A-Z]{3}", path) and not (CHECKOUT / path).exists()]
    assert all((CHECKOUT / path).exists() for path in re.findall(r"\]\(([\w./-]+)\)", text))


def test_all_that_calls_tests_is_looked_at() -> None:
    calling = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob(".github/workflows/*")}
    assert calling <= set(CALLERS)
    assert len([call for name in CALLERS for call in commands((CHECKOUT / name).read_text())]) > len(CALLERS)


def test_role_readme_tells_what_an_operator_asks(role: Path) -> None:
    text = (role / "README.md").read_text()
    assert text.startswith(f"# Role {role.name}\n")
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == HEADINGS
    specs = entry_points(role)
    known = {name for entry in specs.values() for name in entry.get("options", {})}
    named = set(re.findall(rf"\b{role.name}_\w+", text))
    assert named - known <= {f"{role.name}_findings"}
    assert {name for name, option in specs["main"]["options"].items() if option.get("required")} <= named
    # The fact of the entry point verify, and the other entry points, are what comes out.
    assert not [name for name in specs if name != "main" and f"`{name}`" not in text]


def test_role_readme_example_is_taken(role: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (role / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (play,) = yaml.safe_load(example)
    (given,) = play["roles"]
    assert given["role"] == f"lvs.vipless.{role.name}"
    checked = ArgumentSpecValidator(entry_points(role)["main"]["options"]).validate(given["vars"])
    assert checked.error_messages == []
