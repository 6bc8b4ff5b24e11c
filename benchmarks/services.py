"""IPVS services against ipvsadm(8), and what the module's process takes.

Runs inside a guest: python3 services.py SERVICES ROUNDS. Prints a line of JSON for each row, and one for the module.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import ServiceTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import (
    DIRECT,
    Destination,
    Entry,
    Service,
    ServiceId,
)
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, make_plan
from measure import Contest, process
from namespace import Namespace

# What ansible.builtin.ping comes to.
IDLE = "from ansible.module_utils.basic import AnsibleModule; AnsibleModule({}).exit_json()"
SERVERS = ("10.0.0.11", "10.0.0.12")


def contests(session: Session, count: int) -> list[Contest]:
    marks = [ServiceId(2, fwmark=mark) for mark in range(1, count + 1)]
    entries: list[Entry] = [Service(mark, "wlc", None, "32") for mark in marks]
    entries += [Destination(mark, server, 0, DIRECT, 1) for mark in marks for server in SERVERS]
    saved = "".join(
        "".join([f"-A -f {mark.fwmark} -s wlc\n", *(f"-a -f {mark.fwmark} -r {one}:0 -g -w 1\n" for one in SERVERS)])
        for mark in marks
    )
    plan = make_plan([], Desired(entries))
    table = ServiceTable(session, lambda _service: True)

    def full() -> None:
        if len(table.read()) != len(entries):
            raise RuntimeError("not every service is there")

    name = f"{count:,} IPVS services with {len(SERVERS)} destinations each"
    return [
        Contest(
            f"{name}: add",
            "ipvsadm -R",
            1.0,
            lambda: ipvsadm("-C"),
            lambda: ipvsadm("-R", saved),
            lambda: table.apply(plan),
        ),
        Contest(f"{name}: list", "ipvsadm -Sn", 1.2, full, lambda: ipvsadm("-Sn"), table.read),
    ]


def module(count: int, rounds: int) -> tuple[float, float, float]:
    """The module's process: seconds beyond one that does nothing where it adds all and where it changes nothing, and
    mebibytes at its largest."""
    destinations = [{"address": server} for server in SERVERS]
    services = [{"fwmark": str(mark), "family": "ipv4", "destinations": destinations} for mark in range(1, count + 1)]
    arguments, none = Path("arguments.json"), Path("none.json")
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"services": services}}))
    none.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {}}))
    idle = [sys.executable, "-c", IDLE, str(none)]
    busy = [sys.executable, "-m", "ansible_collections.lvs.vipless.plugins.modules.ipvs_service", str(arguments)]
    ping = statistics.median(process(idle).seconds for _round in range(rounds))
    ipvsadm("-C")
    adding = process(busy)
    nothing = statistics.median(process(busy).seconds for _round in range(rounds))
    return adding.seconds - ping, nothing - ping, adding.memory


def ipvsadm(option: str, stdin: str = "") -> None:
    subprocess.run(["ipvsadm", option], input=stdin, text=True, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    count, rounds = map(int, sys.argv[1:])
    with Namespace() as netns, netns.entered(), Session(NETLINK_GENERIC) as session:
        for contest in contests(session, count):
            print(json.dumps(contest.hold(rounds)), flush=True)
        print(json.dumps(module(count, rounds)), flush=True)


if __name__ == "__main__":
    main()
