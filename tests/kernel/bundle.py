"""What a guest needs to run code of the collection, in a tar file."""

from __future__ import annotations

import importlib.util
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from environment import CHECKOUT

HELPERS = [Path(__file__).with_name(f"{name}.py") for name in ("asking", "far_end", "killing", "namespace", "traffic")]


def pack(bundle: Path, folders: Mapping[str, Path]) -> None:
    """The collection's plugins, Ansible's module_utils, what the tests stand on, and folders by their name."""
    with tarfile.open(bundle, "w") as archive:
        add(archive, CHECKOUT / "plugins", "ansible_collections/lvs/vipless/plugins")
        # Ansible's own file for the package, which an installation has, would ask for the controller's half.
        archive.addfile(tarfile.TarInfo("ansible/__init__.py"))
        add(archive, package("ansible") / "module_utils", "ansible/module_utils")
        add(archive, package("ansible") / "release.py", "ansible/release.py")
        for helper in HELPERS:
            add(archive, helper, helper.name)
        for name, folder in folders.items():
            add(archive, folder, name)


def package(name: str) -> Path:
    """The folder of a package that this machine has."""
    found = importlib.util.find_spec(name)
    assert found is not None
    places: Sequence[str] = found.submodule_search_locations or []
    return Path(places[0])


def add(archive: tarfile.TarFile, source: Path, name: str) -> None:
    archive.add(source, name, filter=lambda member: None if member.name.endswith("__pycache__") else member)
