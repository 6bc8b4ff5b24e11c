"""Another process adds and deletes rules and routes all the while: it is not in the way, and is left alone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from namespace import Namespace
from states import STATES

pytestmark = pytest.mark.slow

SECONDS = 8
OTHERS = 300
# A number that ip(8) has no name for.
THEIRS = "120"
SCRIPT = """while test -e "$0"; do
  ip -batch "$0.add" && ip -6 -batch "$0.add6" && ip -batch "$0.delete" && ip -6 -batch "$0.delete6" || exit 1
  printf . >> "${0%/*}/rounds"
done"""


@pytest.mark.parametrize("name", ["rules", "routes"])
def test_neither_is_in_the_others_way(netns: Namespace, tmp_path: Path, name: str) -> None:
    states = STATES[name]
    for family, prefix in (("-4", "192.0.2.0/24"), ("-6", "2001:db8:d::/64")):
        netns.ip(f"{family} rule add priority 103 to {prefix} table 500 protocol {THEIRS}")
        netns.ip(f"{family} route add local {prefix} dev lo table 100 protocol {THEIRS}")
    others = _others(netns)
    assert len(others) == 4
    runs = 0
    with _churn(netns, tmp_path) as process:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or runs < 4:
            for target in (states.first, states.second):
                assert netns.call(states.module, **target)["changed"]
                assert not netns.call(states.module, **target)["changed"]
                runs += 1
            assert process.poll() is None
    rounds = len((tmp_path / "rounds").read_text())
    print(f"{runs} runs of the module, {rounds} rounds of the other")
    assert process.returncode == 0, "an object of the other process was gone, or there already"
    assert rounds > 1
    shown = states.shown(netns)
    netns.call(states.module, **states.first)
    netns.call(states.module, **states.second)
    assert states.shown(netns) == shown
    assert _others(netns) == others


GOING = """while test -e "$0"; do
  ip link add lvs9 type veth peer name lvs8; ip link set lvs9 up; ip link delete lvs9
done"""


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ip_address", {"prefixes": ["203.0.113.10", "2001:db8:f::10"]}),
        ("ip_local_route", {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"]}),
        ("ip_route", {"prefixes": ["203.0.113.0/24"]}),
        ("static_neighbor", {"address": "203.0.113.10", "mac": "02:00:00:00:00:01"}),
        ("arp_probe_info", {"targets": ["203.0.113.10"], "seconds": 0.1}),
    ],
)
def test_an_interface_that_comes_and_goes_is_one_clear_error(
    netns: Namespace, tmp_path: Path, module: str, options: dict[str, Any]
) -> None:
    name = "interface" if module == "arp_probe_info" else "device"
    sign = tmp_path / "going"
    sign.touch()
    process = subprocess.Popen(
        ["ip", "netns", "exec", netns.name, "sh", "-c", GOING, str(sign)], stderr=subprocess.PIPE
    )
    told: set[str] = set()
    try:
        end = time.monotonic() + SECONDS / 2
        while time.monotonic() < end:
            try:
                netns.call(module, **options, **{name: "lvs9"})
            except LvsError as error:
                told.add(str(error))
    finally:
        sign.unlink()
        process.communicate()
    assert told
    assert all("lvs9" in text for text in told), told


def _others(netns: Namespace) -> list[dict[str, Any]]:
    listings = [f"{family} {what}" for family in ("-4", "-6") for what in ("rule show", "route show table all")]
    return [one for listing in listings for one in netns.ip_json(listing) if one.get("protocol") == THEIRS]


@contextmanager
def _churn(netns: Namespace, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that adds and deletes rules and routes of its own, in tables and at priorities that the module uses
    too. It ends with 1 as soon as one of its objects is not as it left it."""
    running = folder / "running"
    running.touch()
    for suffix, prefix, length in (("", "198.19.{}.{}", 32), ("6", "2001:db8:c:{}::{}", 128)):
        for verb in ("add", "delete"):
            lines = []
            for place in range(OTHERS):
                to = f"{prefix.format(place >> 8, place & 255)}/{length}"
                lines.append(f"rule {verb} priority {100 + place % 7} to {to} table 100 protocol {THEIRS}")
                lines.append(f"route {verb} local {to} dev lo table 100 protocol {THEIRS}")
            (folder / f"running.{verb}{suffix}").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(["ip", "netns", "exec", netns.name, "sh", "-c", SCRIPT, str(running)])
    try:
        yield process
    finally:
        running.unlink()
        process.wait(timeout=60)
