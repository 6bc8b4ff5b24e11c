"""`restore` takes guests back to the state after their first boot, whatever was done to them."""

from __future__ import annotations

import time
from pathlib import Path

from lab_command import LabCommand
from tools import Tools

STATE = """
ip rule; ip -6 rule; ip route show table all; nft list ruleset; sysctl net.ipv4.ip_forward; ls -A /root /etc; lsmod
"""
CHANGES = """
ip rule add priority 100 fwmark 1 lookup 100
ip -6 rule add priority 100 fwmark 1 lookup 100
ip route add local default dev lo table 100
nft add table ip foreign
sysctl --write net.ipv4.ip_forward=1
touch /root/left-behind /etc/left-behind
modprobe ip_vs_wlc
rm /etc/hosts
sync
"""


def test_nothing_of_what_was_done_is_left(lab: LabCommand) -> None:
    before = lab.on("rs1", STATE)
    lab.on("rs1", CHANGES)
    assert lab.on("rs1", STATE) != before
    processes = lab.processes()
    lab.run("restore")
    assert lab.on("rs1", STATE) == before
    assert lab.processes() == processes, "restore started a machine anew"


def test_the_clock_is_right_after_a_restore(lab: LabCommand) -> None:
    lab.on("rs1", "date --set @1000000000")
    lab.run("restore")
    assert abs(float(lab.on("rs1", "date +%s.%N")) - time.time()) < 20


def test_ansibles_open_connections_end_with_the_state_they_belong_to(
    lab: LabCommand, tools: Tools, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(lab.run("inventory"), encoding="utf-8")
    ping = ["ansible", "--inventory", str(inventory), "--module-name", "ansible.builtin.raw", "--args", "uptime", "all"]
    # Ansible's own 60 s are over before three hosts of a busy machine have answered.
    tools.run(ping, tmp_path, ANSIBLE_SSH_ARGS="-o ControlMaster=auto -o ControlPersist=600s")
    masters = list(lab.settings.control_masters.iterdir())
    assert len(masters) == 3
    lab.run("restore")
    assert not [socket for socket in masters if socket.exists()]
    tools.run(ping, tmp_path, ANSIBLE_TIMEOUT="30")


# Python runs it at its start.
SLOW_END = """
import os, time
exit_now = os._exit
os._exit = lambda status: (time.sleep(0.5), exit_now(status))
"""


def test_a_connection_outlasts_the_worker_that_opened_it(lab: LabCommand, tools: Tools, tmp_path: Path) -> None:
    """Ansible ends the process group of a worker that has its result and has not ended yet."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_END)
    (tmp_path / "inventory.json").write_text(lab.run("inventory"), encoding="utf-8")
    ping = ["ansible", "--inventory", "inventory.json", "--module-name", "ansible.builtin.raw", "--args", "true", "all"]
    tools.run(ping, tmp_path, PYTHONPATH=str(tmp_path))
    assert len(list(lab.settings.control_masters.iterdir())) == 3


def test_a_machine_that_was_killed_comes_back_with_the_others(lab: LabCommand) -> None:
    lab.on("client", "touch /root/left-behind")
    lab.kill_machines()
    lab.run("restore")
    assert set(lab.processes()) == {"client", "router", "rs1"}
    assert "left-behind" not in lab.on("client", "ls /root")


def test_without_a_lab_it_says_so(the_lab: LabCommand) -> None:
    the_lab.run("down")
    done = the_lab.attempt("restore")
    assert done.returncode == 1
    assert done.stderr == "lab: The lab lvslab-test is not up: run `up`.\n"
