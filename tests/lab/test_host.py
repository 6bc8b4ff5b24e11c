"""Nothing outside the lab's namespace changes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from lab_command import LabCommand

DUMPS = {
    "addresses": "ip -j address",
    "links": "ip -j link",
    "routes": "ip -j -4 route show table all",
    "routes6": "ip -j -6 route show table all",
    "rules": "ip -j -4 rule",
    "rules6": "ip -j -6 rule",
    "nft": "nft -j list ruleset",
    "mounts outside /run/netns": "grep -v netns /proc/self/mounts",
}
# What counts, ages or is drawn anew each time it is read.
COUNTING_SYSCTLS = re.compile(
    r"kernel\.(random\.|ns_last_pid|pty\.nr|nr_threads)|fs\.(dentry-state|file-nr|inode-|dentry|aio-nr|quota\.)|"
    r"debug\.|dev\.cdrom\.info|net\.netfilter\.nf_conntrack_count|vm\.(stat|drop_caches)|net\.ipv4\.tcp_fastopen_key"
)
AGEING = ("valid_life_time", "preferred_life_time", "expires")


def test_nothing_outside_the_namespace_changes(the_lab: LabCommand) -> None:
    the_lab.run("down")
    before = host_state()
    the_lab.run("up", "--hosts", "client,router,rs1")
    the_lab.on("client", "ping -c 2 10.0.0.11 && ping -c 2 2001:db8:a::11")
    during = host_state()
    the_lab.run("down")
    after = host_state()
    for part, state in before.items():
        assert during[part] == state, f"{part} changed while the lab was up"
        assert after[part] == state, f"{part} differ once the lab is down"


def test_down_leaves_no_process_and_no_file(the_lab: LabCommand) -> None:
    the_lab.run("up", "--hosts", "rs1")
    assert set(the_lab.processes()) == {"rs1"}
    the_lab.run("down")
    assert the_lab.processes() == {}
    for path in (the_lab.settings.namespace, the_lab.settings.run, the_lab.settings.disks):
        assert not path.exists(), path


def host_state() -> dict[str, Any]:
    state = {name: _stable(_output(command)) for name, command in DUMPS.items()}
    lines = _output("sysctl -a").splitlines()
    state["sysctls"] = [line for line in lines if not COUNTING_SYSCTLS.match(line)]
    return state


def _output(command: str) -> str:
    # sysctl -a names the keys it may not read on stderr and fails for them; the rest is what counts.
    return subprocess.run(command.split(), capture_output=True, text=True, check=False).stdout


def _stable(text: str) -> Any:
    try:
        return json.loads(text, object_hook=lambda found: {k: v for k, v in found.items() if k not in AGEING})
    except ValueError:
        return text
