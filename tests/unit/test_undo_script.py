"""The script that puts back what was there: what options become of it, and that sh takes it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_unit, undo

OPTIONS: dict[str, Any] = {
    "protocol": "117",
    "addresses": [{"prefixes": ["203.0.113.10", "203.0.113.64/26", "2001:db8:f::10"], "device": "lo"}],
    "arp_table": "lvs_vipless",
    "guard_table": "lvs_vipless_guard",
    "mark_table": "lvs_vipless",
    "fwmarks": "0x10000/0x10000",
    "sysctls": ["net.ipv4.conf.eth0/7.rp_filter"],
    "unit": "director",
    "files": ["/etc/sysctl.d/90-lvs-vipless-director.conf"],
}
NOTHING: dict[str, Any] = {
    **dict.fromkeys(OPTIONS),
    "protocol": "117",
    "addresses": [],
    "sysctls": [],
    "files": [],
}


@pytest.mark.parametrize("options", [OPTIONS, NOTHING])
def test_sh_takes_it(options: dict[str, Any]) -> None:
    script = undo.parse(options).script
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.startswith("#!/bin/sh\n# Managed by lvs.vipless.undo_timer.")


def test_it_knows_what_belongs_to_the_change() -> None:
    lines = undo.parse(OPTIONS).script.splitlines()
    found = [line for line in lines if line.endswith("'") and "='" in line and not line.startswith(" ")]
    assert found == [
        "protocol='117'",
        "marks='inet lvs_vipless'",
        "fwmark='65536'",
        "mask='65536'",
        "unit='lvs-vipless-director.service'",
    ]
    assert lines[lines.index("guards='arp lvs_vipless") + 1] == "inet lvs_vipless_guard'"


def test_what_may_grow_is_not_in_the_script() -> None:
    """So that a second run, with another address or kernel parameter, still waits for the same."""
    owned = undo.parse(OPTIONS)
    more = undo.parse({**OPTIONS, "addresses": [], "sysctls": ["kernel.panic"], "files": []})
    assert owned.script == more.script
    assert owned.addresses == ("203.0.113.10/32 lo", "203.0.113.64/26 lo", "2001:db8:f::10/128 lo")
    assert owned.sysctls == ("net/ipv4/conf/eth0.7/rp_filter",)


def test_all_files_of_the_unit_belong_to_it() -> None:
    paths = undo.parse(OPTIONS).paths
    assert len(set(paths)) == len(paths)
    made = {file.path for file in boot_unit.files("director", "", watch=True)}
    enabled = "/etc/systemd/system/multi-user.target.wants/lvs-vipless-director.service"
    assert set(paths) == {*made, *boot_unit.read_files("director"), enabled, *OPTIONS["files"]}


def test_addresses_of_a_boot_file_belong_to_it() -> None:
    lines = [
        "-4 address add 203.0.113.10/32 dev lo scope 0",
        "-6 address add 2001:db8:f::10/128 peer 2001:db8::1 dev eth0 nodad",
    ]
    assert undo.address_keys(lines) == ["203.0.113.10/32 lo", "2001:db8:f::10/128 eth0"]


def test_who_comes_late_is_told_when_and_what_is_left() -> None:
    said = undo.late("director", "2026-01-01 03:00:00 UTC", complete=False)
    assert said.startswith("name: 'director' cannot be confirmed: the changes were undone at 2026-01-01 03:00:00 UTC;")
    assert "Not everything could be put back." in said
    assert "journalctl -u undo-lvs-vipless-director" in said
    assert "Not everything" not in undo.late("director", "2026-01-01 03:00:00 UTC", complete=True)
