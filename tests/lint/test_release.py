"""The release that would be made now, tried on a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from environment import CHECKOUT
from tools import Tools

VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]
RELEASES = yaml.safe_load((CHECKOUT / "changelogs" / "changelog.yaml").read_text())["releases"]
# What a release reads.
READ = ("changelogs", "galaxy.yml", "meta", "plugins", "roles")
# Sections about what an earlier release had.
ABOUT_RELEASED = {"breaking_changes", "bugfixes", "deprecated_features", "removed_features", "security_fixes"}


@pytest.fixture(scope="module")
def released(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the collection in which the release has been made."""
    root = tmp_path_factory.mktemp("released")
    copy = root / "ansible_collections" / "lvs" / "vipless"
    copy.mkdir(parents=True)
    for name in READ:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".plugin-cache.yaml"))
        else:
            shutil.copy(source, copy / name)
    # The commit of a release has it already. Another follows it then, and lists nothing.
    version = "9999.0.0" if VERSION in RELEASES else VERSION
    command = ["antsibull-changelog", "release", "--version", version, "--date", "2026-01-01"]
    tools.run(command, copy, ANSIBLE_COLLECTIONS_PATH=str(root))
    return copy


def test_every_module_and_role_was_new_in_a_release(released: Path) -> None:
    made = yaml.safe_load((released / "changelogs" / "changelog.yaml").read_text())["releases"].values()
    modules = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/*.py"))
    roles = sorted(path.parents[1].name for path in CHECKOUT.glob("roles/*/meta/main.yml"))
    assert sorted(one["name"] for release in made for one in release.get("modules", ())) == modules
    assert sorted(one["name"] for release in made for one in release.get("objects", {}).get("role", ())) == roles
    text = (released / "CHANGELOG.md").read_text().replace("\\", "")
    assert not [name for name in (*modules, *roles) if f"lvs.vipless.{name} " not in text]


def test_every_fragment_goes_into_the_release(released: Path) -> None:
    assert not list(released.glob("changelogs/fragments/*.yml"))


def test_nothing_is_mended_that_was_never_released() -> None:
    for path in CHECKOUT.glob("changelogs/fragments/*.yml"):
        assert RELEASES or not ABOUT_RELEASED & yaml.safe_load(path.read_text()).keys(), path.name
