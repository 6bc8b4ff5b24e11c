"""The role director refuses bad input before it changes anything. A real play, on a namespace of this machine."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from namespace import Namespace
from role_play import play, state

GOOD: dict[str, Any] = {
    "director_services": [
        {
            "name": "web",
            "mark": 1,
            "vips": ["203.0.113.10", "2001:db8:f::10"],
            "ports": ["tcp/80"],
            "scheduler": "rr",
            "realservers": [{"address": "10.0.0.11"}, {"address": "2001:db8:a::11"}],
        },
        {"name": "dns", "mark": 2, "vips": ["203.0.113.53"], "realservers": [{"address": "10.0.0.11"}]},
    ],
    "director_interfaces": ["v0"],
    # The machine that runs the tests is not the host to install on.
    "director_packages": [],
}


def services(change: dict[str, Any], place: int = 0) -> dict[str, Any]:
    found = copy.deepcopy(GOOD["director_services"])
    found[place] |= change
    return {"director_services": found}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (services({"mark": 2}, 0), "lvs_services[1].mark: 2 is that of lvs_services[0] (web) too."),
        (services({"mark": 65537}), "lvs_services[0].mark: 65537 is not below the delivery bit, 0x10000."),
        (services({"scheduler": "fair"}), "value of scheduler must be one of: rr, wrr,"),
        (services({"vips": ["10.0.0.2"]}, 1), "'10.0.0.2/32' refused: it holds 10.0.0.2, an address of v0."),
        (services({"vips": ["10.0.0.1"]}, 1), "'10.0.0.1/32' refused: it holds 10.0.0.1, the next hop of 0.0.0.0/0."),
        (
            services({"vips": ["198.51.100.64/26"]}, 1),
            "'198.51.100.64/26' refused: it holds 198.51.100.77, the address the controller came from.",
        ),
        (
            services({"vips": ["10.0.0.0/27"]}, 1),
            "lvs_services[1].vips[0]: '10.0.0.0/27' holds 10.0.0.11, a realserver of web.",
        ),
        (services({"ports": ["tcp/70000"]}), "tcp/70000"),
        (services({"flags": ["mh-port"]}), "lvs_services[0].flags: 'mh-port' is for scheduler mh only, not rr."),
        ({"director_unit": "Web"}, "director_unit: 'Web' is not a name of lower-case letters,"),
        ({"director_sysctl_file": "/etc/sysctl.d/90-web"}, "director_sysctl_file: '/etc/sysctl.d/90-web' would not be"),
        ({"director_mark_table": "web table"}, "director_mark_table: 'web table' is not a table's name"),
        ({"director_interfaces": []}, "what comes in on director_interfaces ([], at least one)"),
        ({"director_guard_priority": 50}, "then that of the guard, 50, come before table main"),
        ({"director_priority": 40000}, "director_priority 40000, then that of the guard, 40001,"),
        ({"director_table": "main"}, "director_table main holds nothing else"),
        ({"director_guard_table": "100"}, "is director_guard_table 100."),
        ({"director_guard_table": "local"}, "is director_guard_table local."),
        ({"director_interfaces": ["eth7"]}, "iif: 'eth7' is not an interface of this host; it has lo, v0, v1."),
        ({"director_delivery_bit": "0x30000"}, "delivery_bit: '0x30000' has more than one bit set."),
        ({"director_confirm_timeout": 60}, "This host is not run by systemd."),
        ({"director_interfaces": None}, "director_interfaces"),
        (
            {"director_delivery_device": "v1", "director_vip_device": "v1"},
            "director_delivery_device and director_vip_device are both v1:",
        ),
        (
            services({"persistent": 300, "realservers": [{"address": "10.0.0.11", "weight": 0}]}, 1)
            | {"director_sysctls": {"net.ipv4.vs.expire_nodest_conn": 1}},
            "The persistent service dns of director_services has a realserver of weight 0",
        ),
    ],
)
def test_bad_input_changes_nothing(netns: Namespace, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    before = state(netns)
    done = play(netns, tmp_path, "director", {k: v for k, v in {**GOOD, **change}.items() if v is not None})
    assert done.returncode == 2
    assert message in done.stdout
    assert "changed=0" in done.stdout
    assert state(netns) == before
