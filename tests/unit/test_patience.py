"""A program that hangs ends, and says what hung, instead of the run of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import program


def carry_out(script: str, seconds: float) -> tuple[int, list[str]]:
    written: list[str] = []
    code = program.carry_out(["sh", "-c", script], Path.cwd(), os.environ, seconds, written.append)
    return code, written


def test_lines_come_whole_and_the_last_one_as_it_is() -> None:
    assert carry_out("printf 'one\ntw'; sleep 0.1; printf 'o\nlast'; exit 3", 60) == (3, ["one\n", "two\n", "last"])


@pytest.mark.parametrize(
    "script", ["exec sleep 31", "sleep 31 &", "exec > /dev/null 2>&1; sleep 31"], ids=["it", "its child", "silent"]
)
def test_what_hangs_is_named(script: str) -> None:
    with pytest.raises(program.TooLong, match=r"not over after 0 s, among these processes:[\s\S]* sleep 31\n"):
        carry_out(f"{script}\n: and then", 0.3)
