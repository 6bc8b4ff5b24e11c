"""The collection as an operator has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from environment import CHECKOUT
from tools import Tools


@pytest.fixture(scope="session")
def archive(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `ansible-galaxy collection build` makes of the checkout."""
    place = tmp_path_factory.mktemp("built")
    tools.run(["ansible-galaxy", "collection", "build", "--output-path", str(place)], CHECKOUT)
    (built,) = place.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def installed(tools: Tools, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the collection, built from the checkout and installed."""
    place = tmp_path_factory.mktemp("installed")
    # Only this path: galaxy would find the checkout in the set-up's own and call that installed.
    install = ["ansible-galaxy", "collection", "install", "--offline", str(archive)]
    tools.run(install, CHECKOUT, ANSIBLE_COLLECTIONS_PATH=str(place))
    return place / "ansible_collections" / "lvs" / "vipless"
