"""Playbooks at their edges: what a limit leaves out, groups that are empty, and what they say when nobody is left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import ansible_playbook

SERVICES = [
    {
        "name": "web",
        "mark": 1,
        "vips": ["203.0.113.10"],
        "ports": ["tcp/80"],
        "realservers": [{"address": "10.0.0.11"}],
    }
]
HOST: dict[str, Any] = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "ansible_become": False,
}
ROUTER = {
    "router_device": "v0",
    "router_next_hops": ["10.0.0.9"],
    "router_packages": [],
    # A namespace has no systemd of its own.
    "router_persist": False,
}
WHOLE = {
    "directors": {
        "d1": {"director_interfaces": ["v0"], "director_packages": []},
        "d2": {"director_interfaces": ["v0"]},
    },
    "realservers": {"rs1": {"realserver_interface": "v0"}},
    "routers": {"r1": ROUTER, "r2": ROUTER},
}
DOWN = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}


class Run:
    """A playbook on an inventory whose hosts are all this namespace."""

    def __init__(self, netns: Namespace, folder: Path) -> None:
        self._netns = netns
        self._inventory = folder / "inventory.json"

    def __call__(self, playbook: str, groups: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
        children = {
            group: {"hosts": {name: {**HOST, **variables} for name, variables in hosts.items()}}
            for group, hosts in groups.items()
        }
        self._inventory.write_text(json.dumps({"all": {"children": children, "vars": {"lvs_services": SERVICES}}}))
        return ansible_playbook(
            *("--inventory", str(self._inventory), f"lvs.vipless.{playbook}", *arguments),
            before=["ip", "netns", "exec", self._netns.name],
            ANSIBLE_LOCALHOST_WARNING="False",
        )


@pytest.fixture
def run(netns: Namespace, tmp_path: Path) -> Run:
    return Run(netns, tmp_path)


def states(output: str) -> list[str]:
    """State and host of each line of the table."""
    found = (line.strip().strip('",').split() for line in output.splitlines())
    return [" ".join(words[:2]) for words in found if words and words[0] in {"OK", "NOTE", "BAD"}]


@pytest.mark.parametrize("limit", ["d1", "rs1", "r1", "d1,r2", "directors"])
def test_verify_judges_whatever_the_limit(run: Run, limit: str) -> None:
    """Nothing is set up here, so every host that is asked is BAD; those that are left out are a note."""
    asked = set(limit.replace("directors", "d1,d2").split(","))
    done = run("verify", WHOLE, "--limit", limit)
    assert done.returncode == 2, done.stdout
    assert "checks are BAD" in done.stdout
    found = states(done.stdout)
    for host in ("d1", "d2", "rs1", "r1", "r2"):
        assert (f"BAD {host}" in found) is (host in asked), (host, found)
        assert (f"NOTE {host}" in found) or host in asked
    assert done.stdout.count("was not asked: --limit leaves it out") == 5 - len(asked)


def test_verify_without_a_limit_looks_at_all(run: Run) -> None:
    done = run("verify", WHOLE)
    assert done.returncode == 2
    assert {f"BAD {host}" for host in ("d1", "d2", "rs1", "r1", "r2")} <= set(states(done.stdout))


def test_verify_changes_nothing(run: Run) -> None:
    done = run("verify", WHOLE, "--limit", "d1")
    assert "changed=0" in done.stdout
    assert "changed=1" not in done.stdout


def test_verify_of_nobody_is_no_success(run: Run) -> None:
    done = run("verify", {**WHOLE, "others": {"x1": {}}}, "--limit", "x1")
    assert done.returncode == 2
    assert (
        "Nothing was verified: --limit leaves out every host of directors, realservers, routers, clients."
        in done.stdout
    )
    done = run("verify", {})
    assert done.returncode == 2
    assert "the inventory has no such host" in done.stdout


def test_verify_of_a_host_that_is_down(run: Run) -> None:
    done = run("verify", {**WHOLE, "directors": {"d1": {**WHOLE["directors"]["d1"], **DOWN}}}, "--limit", "d1")
    assert done.returncode in {2, 4}
    assert "it was not reached" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--check",), ("--extra-vars", "failover_force=true")], ids=str)
@pytest.mark.parametrize("groups", [{"directors": WHOLE["directors"]}, {}], ids=["no routers", "nobody"])
def test_failover_without_a_router_is_no_success(run: Run, groups: dict[str, Any], arguments: tuple[str, ...]) -> None:
    done = run("failover", groups, "--extra-vars", "failover_to=d2", *arguments)
    assert done.returncode == 2
    assert "Nothing was done: the inventory has no host routers." in done.stdout
    assert "changed=0" in done.stdout


def test_failover_says_what_the_limit_leaves_out(run: Run) -> None:
    done = run("failover", WHOLE, "--extra-vars", "failover_to=d2", "--limit", "d2")
    assert done.returncode == 2
    assert "the inventory has no host routers within --limit, which leaves out r1, r2." in done.stdout
    done = run("failover", WHOLE, "--extra-vars", "failover_to=d2", "--limit", "d2,r1")
    assert done.returncode == 2
    assert "--limit leaves out r2: it goes on sending to the director that it has." in done.stdout
    assert "d2 would lose packets" in done.stdout
    done = run("failover", WHOLE, "--extra-vars", "failover_to=d2", "--limit", "r1")
    assert done.returncode == 2
    assert "failover_to: d2 is no host of this inventory, or --limit leaves it out." in done.stdout


@pytest.mark.parametrize(
    ("playbook", "asked"),
    [
        ("drain", "directors"),
        ("site", "realservers, directors, routers"),
        ("teardown", "proxies, routers, directors, realservers"),
    ],
)
def test_a_playbook_for_nobody_is_no_success(run: Run, playbook: str, asked: str) -> None:
    done = run(playbook, {**WHOLE, "others": {"x1": {}}}, "--limit", "x1")
    assert done.returncode == 2
    assert f"Nothing was done: the inventory has no host {asked} within --limit, which leaves out" in done.stdout
    done = run(playbook, {"others": {"x1": {}}}, "--check")
    assert done.returncode == 2
    assert f"Nothing was done: the inventory has no host {asked}." in done.stdout


def test_site_says_whom_the_limit_leaves_out(run: Run) -> None:
    done = run("site", WHOLE, "--limit", "r1", "--check")
    assert done.returncode == 0, done.stdout
    assert "--limit leaves out d1, d2, r2, rs1: it stays as it is" in done.stdout


def test_site_sends_nothing_to_a_realserver_that_failed(run: Run) -> None:
    good = {**WHOLE["realservers"]["rs1"], "realserver_packages": [], "realserver_persist": False}
    good |= {"realserver_arp_method": "nftables"}
    groups = {**WHOLE, "realservers": {"rs1": good, "rs2": {**good, **DOWN}, "rs3": {**good, "realserver_unit": "A"}}}
    done = run("site", groups, "--check")
    assert done.returncode in {2, 4}
    said = " ".join((done.stdout + done.stderr).split())
    assert "rs2, rs3 failed, and directors would send it packets. Directors and routers stay as they are." in said
    assert "--limit 'all:!rs2:!rs3'" in said
    assert "lvs.vipless.director : " not in done.stdout + done.stderr
    assert "lvs.vipless.router : " not in done.stdout + done.stderr
    assert re.search(r"\nrs1 .* changed=[1-9]", done.stdout)
    done = run("site", groups, "--check", "--limit", "all:!rs2:!rs3:!directors")
    assert done.returncode == 0, done.stdout


def test_teardown_keeps_directors_that_a_router_may_still_send_to(run: Run) -> None:
    broken = {**WHOLE, "routers": {"r1": ROUTER, "r2": {**ROUTER, "router_protocol": "boot"}}}
    done = run("teardown", broken, "--check")
    assert done.returncode == 2
    assert "Directors as they were before" not in done.stdout


def test_a_declaration_without_services_is_answered(run: Run) -> None:
    done = run("director", WHOLE, "--extra-vars", '{"lvs_services": []}', "--limit", "d1")
    assert done.returncode == 2
    assert "director_services names no service with VIPs and realservers" in done.stdout
