"""This machine's QEMU runs the guests where it is new enough, else a newer one does."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lab import emulator
from lab.emulator import QEMU
from lab.errors import LabError
from lab_command import LabCommand

OLD = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"
NEW = "QEMU emulator version 10.0.0"


@pytest.mark.parametrize(("says", "own"), [(OLD, False), (NEW, True)])
def test_the_choice(the_lab: LabCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, own: bool) -> None:
    settings = replace(the_lab.settings, cache=tmp_path)
    unpacked = settings.emulators / "trixie"
    unpacked.mkdir(parents=True)
    monkeypatch.setattr(emulator, "version", lambda _qemu: says)
    assert emulator.program(settings) == (QEMU if own else str(unpacked / QEMU))


def test_a_qemu_that_does_not_tell_its_version_is_named(the_lab: LabCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "version", lambda _qemu: "a tale")
    with pytest.raises(LabError, match=r"^qemu-system-x86_64 does not tell its version: 'a tale'"):
        emulator.program(the_lab.settings)


def test_the_newer_one_runs_here(the_lab: LabCommand) -> None:
    program = emulator.program(the_lab.settings)
    said = subprocess.run([program, "-machine", "help"], capture_output=True, text=True, check=False)
    assert "pc-i440fx" in said.stdout, said.stderr
    assert int(emulator.version(program).split("version ")[1].partition(".")[0]) >= 10
