"""A lab that a crash left behind is cleaned by the next `up`."""

from __future__ import annotations

import subprocess
import time

import pytest

from lab import guest
from lab.topology import BLANK
from lab_command import LabCommand

HOSTS = ("--hosts", "client,router")
PING = "ping -c 2 -W 10 198.51.100.1"


def test_virtual_machines_that_were_killed_come_back(lab: LabCommand) -> None:
    lab.on("client", "touch /root/before-the-crash")
    killed = lab.processes()
    lab.kill_machines()
    lab.run("up", *HOSTS)
    assert set(lab.processes()) == {"client", "router"}
    assert not set(lab.processes().values()) & set(killed.values())
    lab.on("client", PING)
    assert "before-the-crash" not in lab.on("client", "ls /root")


@pytest.mark.parametrize("moment", ["the network is made", "machines start"])
def test_a_start_that_was_killed_is_begun_again(the_lab: LabCommand, moment: str) -> None:
    the_lab.run("down")
    start = the_lab.begin("up", *HOSTS)
    deadline = time.monotonic() + 120
    while not (the_lab.settings.namespace.exists() if moment == "the network is made" else the_lab.processes()):
        assert start.poll() is None, "the start ended before it could be killed"
        assert time.monotonic() < deadline
    start.kill()
    start.communicate()
    the_lab.kill_machines()
    the_lab.run("up", *HOSTS)
    the_lab.on("client", PING)


def test_machines_of_a_start_that_was_killed_are_ended(the_lab: LabCommand) -> None:
    the_lab.run("down")
    start = the_lab.begin("up", *HOSTS)
    while len(the_lab.processes()) < 2:
        assert start.poll() is None, "the start ended before it could be killed"
    orphans = the_lab.processes()
    start.kill()
    start.communicate()
    the_lab.run("up", *HOSTS)
    assert not set(the_lab.processes().values()) & set(orphans.values())
    the_lab.on("client", PING)


def test_the_boot_of_the_image_that_was_killed_is_ended(the_lab: LabCommand) -> None:
    the_lab.run("down")
    start = the_lab.begin("up", "--fresh", *HOSTS)
    while not guest.running(the_lab.settings, [BLANK.name]):
        assert start.poll() is None, "the start ended before it could be killed"
    start.kill()
    start.communicate()
    the_lab.run("down")
    assert not guest.running(the_lab.settings, [BLANK.name])
    the_lab.run("up", *HOSTS)
    the_lab.on("client", PING)


def test_a_namespace_without_a_lab_is_replaced(the_lab: LabCommand) -> None:
    the_lab.run("down")
    subprocess.run(["ip", "netns", "add", the_lab.settings.name], check=True)
    the_lab.run("up", *HOSTS)
    the_lab.on("client", PING)


def test_a_machine_that_does_not_answer_is_started_again(lab: LabCommand) -> None:
    lab.on("client", "systemctl stop ssh.service")
    done = lab.attempt("up", *HOSTS)
    assert done.returncode == 0, done.stderr
    assert "client: starts again from its snapshot, since it does not answer (port 22 is closed)" in done.stderr
    assert "router: is up already" in done.stderr
    lab.on("client", PING)
