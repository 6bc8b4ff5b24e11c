"""Undoing where the disk is full or read-only, or a tool fails: it does its work, or says that it has not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.undo import Snapshot
from ansible_collections.lvs.vipless.plugins.module_utils._model import undo
from namespace import Namespace

OPTIONS: dict[str, Any] = {
    "addresses": [{"prefixes": ["203.0.113.12"], "device": "lo"}],
    "arp_table": None,
    "guard_table": "lvs_vipless_guard",
    "mark_table": "lvs_vipless",
    "fwmarks": None,
    "sysctls": ["net.ipv4.ip_forward"],
    "unit": None,
    "protocol": "117",
}
ALL_WELL = "All is as it was before."
Undo = Callable[..., subprocess.CompletedProcess[str]]


class Case:
    """A change that is armed, in a folder on a small filesystem of its own."""

    def __init__(self, netns: Namespace, room: Path, kept: Path) -> None:
        self.netns = netns
        self.room = room
        self.folder = room / "undo"
        self._file = kept
        self.snapshot = Snapshot(self.folder)
        with netns.entered():
            self.owned = undo.parse({**OPTIONS, "files": [str(kept)]})
            self.before = self.shown()
            self.snapshot.take(self.owned)
        self.snapshot.arm(60)

    def change(self) -> None:
        self.netns.call("ip_rule", priority=100, family="both", iif="v0", table="100")
        self.netns.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="100")
        self.netns.call("ip_address", prefixes=["203.0.113.12"])
        self.netns.call("fwmark", vips=["203.0.113.10"], ports=["tcp/80"], mark="1")
        self.netns.call("vip_guard", vips=["203.0.113.10"])
        self.netns.run("sysctl", "-q", "net.ipv4.ip_forward=1")
        self._file.write_text("changed\n")
        assert self.shown() != self.before

    def shown(self) -> list[str]:
        listings = [
            self.netns.ip(f"{family} {what}")
            for family in ("-4", "-6")
            for what in ("rule", "route show table all proto 117", "-oneline address show dev lo")
        ]
        files = [self._file.read_text() if self._file.exists() else ""]
        return [*listings, *files, *(self.netns.run(*words.split()) for words in ("nft list ruleset", FORWARDING))]

    def undo(self, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run the script, with a folder of programs before all others."""
        script = self.folder / "undo"
        if path:
            text = script.read_text()
            script = self.folder / "undo-with-these"
            script.write_text(text.replace("PATH=", f"PATH={path}:", 1))
        command = ["ip", "netns", "exec", self.netns.name, "sh", str(script), "undo"]
        return subprocess.run(command, capture_output=True, text=True, check=False)


FORWARDING = "sysctl net.ipv4.ip_forward"


@pytest.fixture
def case(netns: Namespace, tmp_path: Path) -> Iterator[Case]:
    room = tmp_path / "room"
    room.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(room)], check=True)
    try:
        made = Case(netns, room, tmp_path / "kept.conf")
        made.change()
        yield made
    finally:
        subprocess.run(["umount", str(room)], check=True)


def fill(room: Path) -> None:
    done = subprocess.run(["dd", "if=/dev/zero", f"of={room}/others"], capture_output=True, text=True, check=False)
    assert "No space left" in done.stderr


def test_a_full_disk_stops_nothing(case: Case) -> None:
    fill(case.room)
    done = case.undo()
    assert (done.returncode, done.stderr) == (0, "")
    assert ALL_WELL in done.stdout
    assert case.shown() == case.before
    assert case.snapshot.is_complete()
    assert case.snapshot.undone()


def test_a_read_only_disk_stops_nothing(case: Case) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(case.room)], check=True)
    done = case.undo()
    assert case.shown() == case.before, done.stderr
    # That it is over cannot be noted there.
    assert done.returncode == 1


@pytest.mark.parametrize("tool", ["ip", "nft", "sort", "comm", "sed", "awk", "cat", "grep"])
def test_a_tool_that_fails_is_no_empty_answer(case: Case, tmp_path: Path, tool: str) -> None:
    """Nor does what could not be looked at count as seen: never `All is as it was` where it is not."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / tool).write_text("#!/bin/sh\nexit 2\n")
    (broken / tool).chmod(0o755)
    done = case.undo(str(broken))
    if case.shown() != case.before or done.returncode:
        assert done.returncode == 1, done.stdout
        assert ALL_WELL not in done.stdout
        assert not case.snapshot.is_complete()
    # Once the tool works again, so does the undo.
    done = case.undo()
    assert case.shown() == case.before, done.stderr
    assert case.snapshot.is_complete()


def test_what_is_left_is_told_and_can_be_undone_later(case: Case) -> None:
    kept = case.folder / "before/rule-4"
    text = kept.read_text()
    kept.unlink()
    done = case.undo()
    assert done.returncode == 1
    assert "not known: rule -4" in done.stderr
    assert case.snapshot.undone()
    assert not case.snapshot.is_complete()
    kept.write_text(text)
    assert case.undo().returncode == 0
    assert case.shown() == case.before
    assert case.snapshot.is_complete()


def test_it_is_done_once(case: Case) -> None:
    assert case.undo().returncode == 0
    case.change()
    changed = case.shown()
    done = case.undo()
    assert (done.returncode, done.stdout) == (0, "")
    assert case.shown() == changed
    case.snapshot.repeat()
    assert case.undo().returncode == 0
    assert case.shown() == case.before


def test_no_room_to_arm_is_one_clear_error(case: Case) -> None:
    case.snapshot.remove()
    fill(case.room)
    with case.netns.entered(), pytest.raises(Missing, match=r"could not be kept in .*: No space left on device\."):
        case.snapshot.take(case.owned)
