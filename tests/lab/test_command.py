"""What the command line says when it cannot do what was asked, and what programs read from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from environment import CHECKOUT
from lab import lock, requirements
from lab.errors import LabError
from lab_command import LabCommand


def test_check_is_content_with_this_machine(the_lab: LabCommand) -> None:
    assert the_lab.run("check") == "This machine has what the lab needs.\n"


@pytest.mark.parametrize("command", ["check", "up", "restore"])
def test_missing_tools_are_named_with_their_packages(the_lab: LabCommand, command: str, tmp_path: Path) -> None:
    done = the_lab.attempt(command, PATH=str(tmp_path))
    assert done.returncode == 2
    # Those below /usr/sbin are found whatever PATH says.
    for tool, package in {
        "qemu-system-x86_64": "qemu-system-x86",
        "mmdebstrap": "mmdebstrap",
        "nc": "netcat-openbsd",
    }.items():
        assert f"The command {tool} is missing: install the Debian package {package}.\n" in done.stderr


def test_each_missing_thing_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    monkeypatch.setattr(requirements, "TUN_DEVICE", tmp_path / "tun")
    monkeypatch.setattr(requirements, "KEYRING", tmp_path / "keyring")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    found = requirements.problems()
    for words in ("aarch64", "run it as root", f"{tmp_path}/tun does not exist", "package debian-archive-keyring"):
        assert sum(words in sentence for sentence in found) == 1, words
    assert len(found) == 4


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LVS_LAB_NAME", "systemd"),
        ("LVS_LAB_NAME", "lvslab/.."),
        ("LVS_LAB_ACCEL", "xen"),
        ("LVS_LAB_RELEASE", "woody"),
    ],
)
def test_a_bad_setting_is_named(the_lab: LabCommand, variable: str, value: str) -> None:
    done = the_lab.attempt("status", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"lab: {variable}={value!r} ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_host_is_named(the_lab: LabCommand) -> None:
    done = the_lab.attempt("up", "--hosts", "client,rs9")
    assert done.returncode == 2
    assert "'client,rs9' must list some of client, router, director1" in done.stderr


def test_a_second_checkout_does_not_take_over_a_lab(lab: LabCommand, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "molecule" / "lab", tmp_path / "molecule" / "lab")
    second = LabCommand(lab.variables, tmp_path)
    done = second.attempt("up")
    assert done.returncode == 1
    assert done.stderr == (
        f"lab: The lab lvslab-test is in use by the checkout {CHECKOUT}: "
        "run `down` first, or set LVS_LAB_NAME to run a second lab.\n"
    )
    assert set(lab.processes()) == {"client", "router", "rs1"}


def test_a_second_command_waits_and_then_gives_up(lab: LabCommand, capsys: pytest.CaptureFixture[str]) -> None:
    with lock.exclusive(lab.settings.lock, "the test"):
        waiting = lab.begin("up", "--hosts", "client")
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith("waiting for another command on the lab lvslab-test (process ")
        with pytest.raises(LabError, match=r"is held by a test \(process \d+\) and was not free after 1 s"):  # noqa: SIM117
            with lock.exclusive(lab.settings.lock, "a test", patience=1):
                pass
    assert waiting.communicate(timeout=120)[1] == "client: is up already\n"
    assert "waiting for a test" in capsys.readouterr().err


def test_the_inventory_holds_the_groups_and_the_connections(lab: LabCommand) -> None:
    groups = json.loads(lab.run("inventory"))["all"]["children"]
    assert {group: set(content["hosts"]) for group, content in groups.items()} == {
        "clients": {"client"},
        "routers": {"router"},
        "realservers": {"rs1"},
    }
    assert groups["realservers"]["hosts"]["rs1"]["ansible_host"] == "192.168.117.5"


def test_status_tells_which_hosts_are_ready(lab: LabCommand) -> None:
    status = json.loads(lab.run("status"))
    assert status["up"] is True
    assert {name for name, host in status["hosts"].items() if host["ready"]} == {"client", "router", "rs1"}


def test_the_known_hosts_of_the_user_stay_as_they_are(lab: LabCommand) -> None:
    known = Path.home() / ".ssh" / "known_hosts"
    before = known.read_bytes() if known.exists() else None
    lab.on("client", "true")
    assert (known.read_bytes() if known.exists() else None) == before
