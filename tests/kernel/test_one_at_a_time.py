"""Processes of this collection that change a host at the same time: each reads what the other has left."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Busy
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import lock as taking
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_unit, lock
from namespace import Namespace

pytestmark = pytest.mark.slow

ROUNDS = 12
_CALLS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from namespace import call
sys.stdin.readline()
print(json.dumps(call(sys.argv[2], **json.loads(sys.argv[3]))["changes"]))
"""


def both(netns: Namespace, module: str, *each: dict[str, Any]) -> list[list[str]]:
    """What each process says that it changed; both were ready before the first began."""
    command = ["ip", "netns", "exec", netns.name, sys.executable, "-c", _CALLS, json.dumps(sys.path), module]
    running = [
        subprocess.Popen([*command, json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for options in each
    ]
    time.sleep(0.6)
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return [json.loads(answer) for answer in answers]


@contextmanager
def locked() -> Iterator[None]:
    Path(lock.FOLDER).mkdir(exist_ok=True)
    with Path(lock.FILE).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def test_marks_of_two_are_all_there(netns: Namespace) -> None:
    """Also where the table is there for one of them alone when it asks."""
    for number in range(ROUNDS):
        vips = [f"203.0.113.{2 * number + place}" for place in (1, 2)]
        both(netns, "fwmark", *({"vips": [vip], "ports": ["tcp/80"], "mark": "1"} for vip in vips))
        shown = netns.run("nft", "list", "table", "inet", "lvs_vipless")
        assert all(vip in shown for vip in vips)
        netns.run("nft", "delete", "table", "inet", "lvs_vipless")


@pytest.mark.parametrize("module", ["ip_rule", "ip_local_route", "fwmark"])
def test_of_two_declarations_one_holds_in_kernel_and_file(netns: Namespace, tmp_path: Path, module: str) -> None:
    file = tmp_path / "file"

    def declared(number: int) -> dict[str, Any]:
        if module == "ip_rule":
            entries: list[dict[str, Any]] = [{"priority": 100 + number, "family": "ipv4", "iif": "v0", "table": "100"}]
            return {"rules": entries, "purge": True, "file": str(file)}
        if module == "fwmark":
            entries = [{"vips": [f"203.0.113.{number}"], "ports": ["tcp/80"], "mark": "1"}]
            return {"marks": entries, "purge": True, "file": str(file)}
        return {"routes": [{"prefixes": [f"203.0.113.{number}"]}], "purge": True, "file": str(file)}

    for number in range(ROUNDS):
        each = [declared(2 * number + place) for place in (1, 2)]
        both(netns, module, *each)
        left = [netns.call(module, check=True, **options)["changes"] for options in each]
        # Both kernel and file hold one of them, and nothing of the other.
        assert sorted(map(bool, left)) == [False, True]


def test_what_a_module_removes_stays_removed_beside_the_script(netns: Namespace, tmp_path: Path) -> None:
    script = tmp_path / "restore"
    files = boot_unit.files("lvstest", "", watch=False)
    text = next(file.text for file in files if file.path.endswith("/restore"))
    script.write_text(text.replace("cd /etc/lvs-vipless/lvstest", f"cd {tmp_path}"))
    script.chmod(0o755)
    options = {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1", "file": str(tmp_path / "marks.nft")}
    for _round in range(ROUNDS):
        netns.call("fwmark", **options)
        restoring = subprocess.Popen(["ip", "netns", "exec", netns.name, str(script)])
        netns.call("fwmark", **options, state="absent")
        assert restoring.wait() == 0
        assert "lvs_vipless" not in netns.run("nft", "list", "tables")


def test_who_waits_in_vain_says_for_what(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "SECONDS", 0.1)
    rule = {"priority": 100, "family": "ipv4", "iif": "v0", "table": "100"}
    with locked():
        # Nothing is changed, so that nobody is in the way.
        predicted = netns.call("ip_rule", check=True, **rule)
        with pytest.raises(Busy, match=f"fuser -v {lock.FILE}"):
            netns.call("ip_rule", **rule)
    assert "100:" not in netns.ip("rule show")
    assert netns.call("ip_rule", **rule) == predicted


def test_without_a_folder_nobody_is_waited_for(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "FOLDER", "/proc/lvs-vipless")
    monkeypatch.setattr(taking, "FILE", "/proc/lvs-vipless/lock")
    with locked():
        assert netns.call("ip_rule", priority=100, family="ipv4", iif="v0", table="100")["changed"]
