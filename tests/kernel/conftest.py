"""Fixtures of the kernel tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from far_end import Neighbour, far_end
from namespace import Namespace, require_root


@pytest.fixture
def netns() -> Iterator[Namespace]:
    require_root()
    with Namespace() as made:
        yield made


@pytest.fixture
def neighbour(netns: Namespace) -> Iterator[Neighbour]:
    with far_end(netns) as made:
        yield made
