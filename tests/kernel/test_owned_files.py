"""The files that modules write: where they may be, who may write there, and what a run leaves that was killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import owned_file
from namespace import Namespace


def rule(file: Path) -> dict[str, Any]:
    return {"priority": 100, "family": "ipv4", "iif": "v0", "table": "100", "file": str(file)}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /etc/lvs-vipless, and is not there yet."""
    place = tmp_path / "lvs-vipless"
    monkeypatch.setattr(owned_file, "ROOT", str(place))
    return place


def refused(netns: Namespace, file: Path) -> str:
    before = netns.ip("rule show")
    with pytest.raises((BadInput, Refused)) as caught:
        netns.call("ip_rule", **rule(file))
    assert netns.ip("rule show") == before
    return str(caught.value)


@pytest.mark.parametrize("mask", [0, 0o077])
def test_folders_are_roots_whatever_the_umask(netns: Namespace, root: Path, mask: int) -> None:
    old = os.umask(mask)
    try:
        netns.call("ip_rule", **rule(root / "x" / "rules.ip"))
    finally:
        os.umask(old)
    assert {oct(path.stat().st_mode & 0o777) for path in (root, root / "x")} == {"0o755"}


def test_a_folder_of_others_is_refused(netns: Namespace, root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)
    assert f"others than root may write to {root}" in refused(netns, root / "x" / "rules.ip")
    root.chmod(0o755)
    os.chown(root, 65534, 65534)
    assert f"chown root {root}" in refused(netns, root / "rules.ip")


def test_a_link_in_place_of_a_folder_is_refused(netns: Namespace, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to(tmp_path / "elsewhere")
    assert f"{root} is not a directory" in refused(netns, root / "rules.ip")


def test_a_file_in_place_of_a_folder_is_refused(netns: Namespace, root: Path) -> None:
    root.mkdir()
    (root / "x").touch()
    assert f"{root / 'x'} is not a directory" in refused(netns, root / "x" / "rules.ip")


def test_what_is_no_file_is_refused(netns: Namespace, root: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "rules.ip")
    assert "is not a regular file" in refused(netns, root / "rules.ip")
    assert "is not the absolute path of a file" in refused(netns, root / ".." / "rules.ip")


def test_what_killed_runs_left_goes(netns: Namespace, root: Path) -> None:
    file = root / "x" / "rules.ip"
    netns.call("ip_rule", **rule(file))
    left, others = file.with_name(".rules.ip.8udjco_m"), file.with_name(".rules.ip.backup-of-mine")
    for path in (left, others):
        path.touch()
    netns.call("ip_rule", **{**rule(file), "priority": 101})
    assert sorted(path.name for path in file.parent.iterdir()) == [others.name, file.name]
    left.touch()
    others.unlink()
    netns.call("ip_rule", rules=[], purge=True, file=str(file))
    assert not root.exists()
