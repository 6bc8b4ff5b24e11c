"""The collection as an operator has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from environment import CHECKOUT
from tools import Tools


@pytest.fixture(scope="session")
def installed(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the collection, built from the checkout and installed."""
    place = tmp_path_factory.mktemp("installed")
    galaxy = ["ansible-galaxy", "collection"]
    tools.run([*galaxy, "build", "--output-path", str(place)], CHECKOUT)
    (archive,) = place.glob("*.tar.gz")
    # Only this path: galaxy would find the checkout in the set-up's own and call that installed.
    tools.run([*galaxy, "install", "--offline", str(archive)], CHECKOUT, ANSIBLE_COLLECTIONS_PATH=str(place))
    return place / "ansible_collections" / "lvs" / "vipless"
