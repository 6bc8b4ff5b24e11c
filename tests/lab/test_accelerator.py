"""KVM is used where it really boots a guest, and only there."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab import accelerator, emulator, image
from lab.accelerator import KVM, TCG
from lab.image import Image
from lab_command import LabCommand


@pytest.fixture(scope="module")
def built(the_lab: LabCommand) -> Image:
    return image.ensure(the_lab.settings)


def test_the_probe_sees_a_guest_that_boots(built: Image) -> None:
    assert accelerator.boots(emulator.QEMU, TCG, built, 120)


def test_the_probe_gives_up_on_a_guest_that_hangs(built: Image, tmp_path: Path) -> None:
    started = time.monotonic()
    assert not accelerator.boots(_program(tmp_path, "exec sleep 60"), KVM, built, 1)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "kill -ABRT $$", "echo 'Kernel panic'; exit 0"])
def test_the_probe_sees_a_guest_that_fails(built: Image, tmp_path: Path, script: str) -> None:
    assert not accelerator.boots(_program(tmp_path, script), KVM, built, 10)


@pytest.mark.parametrize(("boots", "chosen"), [(True, KVM), (False, TCG)])
def test_the_choice_is_remembered_until_circumstances_change(
    the_lab: LabCommand, built: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boots: bool, chosen: object
) -> None:
    settings = replace(the_lab.settings, cache=tmp_path)
    probes = []
    monkeypatch.setattr(accelerator, "_KVM_DEVICE", tmp_path)
    monkeypatch.setattr(accelerator, "boots", lambda *_asked: probes.append(1) or boots)
    assert [accelerator.choose(settings, built) for _again in range(2)] == [chosen, chosen]
    assert len(probes) == 1
    monkeypatch.setattr(accelerator, "boot_id", lambda: "the next boot")
    assert accelerator.choose(settings, built) == chosen
    assert len(probes) == 2


def test_without_the_device_nothing_is_tried(
    the_lab: LabCommand, built: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "_KVM_DEVICE", tmp_path / "kvm")
    assert accelerator.choose(replace(the_lab.settings, cache=tmp_path), built) == TCG


@pytest.mark.parametrize(("said", "chosen"), [("kvm", KVM), ("tcg", TCG)])
def test_the_user_has_the_last_word(the_lab: LabCommand, built: Image, said: str, chosen: object) -> None:
    assert accelerator.choose(replace(the_lab.settings, accelerator=said), built) == chosen


def _program(folder: Path, script: str) -> str:
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return str(path)
