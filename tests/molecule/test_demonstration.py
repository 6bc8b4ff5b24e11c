"""The README's first command, as a new user runs it."""

from __future__ import annotations

from environment import CHECKOUT
from tools import Tools


def test_demonstration(tools: Tools) -> None:
    tools.watch("demo", ["molecule/demo"], CHECKOUT)
