"""Fixtures of the kernel tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from namespace import Namespace, require_root


@pytest.fixture
def netns() -> Iterator[Namespace]:
    require_root()
    with Namespace() as made:
        yield made
