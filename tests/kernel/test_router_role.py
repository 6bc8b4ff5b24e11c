"""The role router goes by what a failover left on the router. A real play, on a namespace of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import play, state

DIRECTORS = {"d1": {"next_hops": ["10.0.0.2"]}, "d2": {"next_hops": ["10.0.0.3"]}}
SERVICES = [{"name": "dns", "mark": 2, "vips": ["203.0.113.53"], "realservers": [{"address": "10.0.0.11"}]}]
VARIABLES: dict[str, Any] = {
    "router_services": SERVICES,
    "router_device": "v0",
    "router_directors": DIRECTORS,
    "router_active": "d1",
}


def find(netns: Namespace, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the router records is in the test's own folder."""
    return play(netns, folder, "router", VARIABLES, "director", __router_boot=str(folder))


@pytest.mark.parametrize("recorded", ["", "d1\n", "d2\n"])
def test_who_is_recorded_is_meant(netns: Namespace, tmp_path: Path, recorded: str) -> None:
    if recorded:
        (tmp_path / "director").write_text(recorded)
    done = find(netns, tmp_path)
    assert done.returncode == 0, done.stdout
    assert ("Packets for the VIPs go to d2, which a failover chose, and not to d1." in done.stdout) == (
        "d2" in recorded
    )


def test_a_recorded_director_that_the_inventory_has_no_more(netns: Namespace, tmp_path: Path) -> None:
    (tmp_path / "director").write_text("d3\n")
    before = state(netns)
    done = find(netns, tmp_path)
    assert done.returncode == 2
    assert (
        "router_reach: route needs next_hops of d3 in router_directors, which has d1, d2. A failover chose"
        in done.stdout
    )
    assert f"d3, as {tmp_path}/director on the router says" in done.stdout
    assert state(netns) == before


def test_a_record_that_cannot_be_read_is_not_taken_for_none(netns: Namespace, tmp_path: Path) -> None:
    (tmp_path / "director").mkdir()
    done = find(netns, tmp_path)
    assert done.returncode == 2
    assert "Read which director a failover chose" in done.stdout
    assert "is a directory" in done.stdout
