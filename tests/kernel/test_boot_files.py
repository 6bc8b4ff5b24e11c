"""What a module writes into its file brings the same objects back, by the tools alone, in a host that has none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, PartlyApplied, Refused
from namespace import Namespace


class Case(NamedTuple):
    """A module's options, how its file is restored, and how its objects are shown."""

    module: str
    options: dict[str, Any]
    restore: Callable[[Namespace, str], None]
    shown: Callable[[Namespace], list[str]]


def _by_ip(netns: Namespace, text: str) -> None:
    for family in ("-4", "-6"):
        lines = "".join(f"{line[3:]}\n" for line in text.splitlines() if line.startswith(family))
        netns.run("ip", family, "-batch", "-", stdin=lines)


def _by_nft(netns: Namespace, text: str) -> None:
    netns.run("nft", "-f", "-", stdin=text)


def _ip(listing: str) -> Callable[[Namespace], list[str]]:
    def shown(netns: Namespace) -> list[str]:
        found = [one for family in ("-4", "-6") for one in netns.ip_json(f"{family} {listing}")]
        return sorted(json.dumps(one, sort_keys=True) for one in found)

    return shown


def _addresses(netns: Namespace) -> list[str]:
    found = [{**a, "protocol": ""} for link in netns.ip_json("address show dev v0") for a in link["addr_info"]]
    return sorted(json.dumps(one, sort_keys=True) for one in found)


def _nft(netns: Namespace) -> list[str]:
    return sorted(netns.run("nft", "list", "ruleset").splitlines())


RULES = [
    {"priority": 90, "family": "both", "iif": "v0", "fwmark": "0x10000/0x10000", "table": "100"},
    {"priority": 91, "from": ["198.51.100.0/24"], "to": ["203.0.113.10"], "not": True, "action": "prohibit"},
    {"priority": 92, "family": "ipv4", "oif": "v1", "tos": "0x10", "uidrange": "5-7", "goto": 200},
    {"priority": 93, "family": "ipv6", "ipproto": "udp", "sport": "53", "dport": "1-9", "l3mdev": True},
    {"priority": 95, "to": ["203.0.113.11"], "fwmark": "7", "table": "main", "suppress_ifgroup": 7},
    {"priority": 96, "to": ["2001:db8:f::/64"], "table": "local", "suppress_prefixlength": 0, "protocol": "118"},
    {"priority": 97, "family": "ipv6", "ipproto": "tcp", "action": "blackhole"},
    {"priority": 98, "family": "ipv4", "iif": "v0", "action": "unreachable"},
    {"priority": 99, "family": "ipv4", "iif": "v0", "action": "nop"},
]
ROUTES = [
    {"prefixes": ["0.0.0.0/0", "::/0"], "table": "100"},
    {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "main", "type": "unreachable"},
    {"prefixes": ["203.0.113.10"], "table": "local", "source": "10.0.0.2", "protocol": "118"},
    {"prefixes": ["2001:db8:f::10"], "table": "local", "metric": 7, "device": "v0"},
    {"prefixes": ["192.0.2.0/24", "2001:db8:9::/64"], "table": "101", "type": "blackhole"},
    {"prefixes": ["192.0.3.0/24", "2001:db8:8::/64"], "table": "101", "type": "prohibit"},
]
MARKS = [
    {"vips": ["203.0.113.0/24", "2001:db8:f::/64"], "ports": ["tcp/80", "udp/30000-30999"], "mark": "0x10001"},
    {"vips": ["203.0.113.10"], "ports": ["tcp/443"], "mark": "0x2/0xff", "iif": ["v0"], "sources": ["10.0.0.0/8"]},
]
PROXIED = [
    {"vips": ["0.0.0.0/0", "::/0"], "ports": ["tcp/80"], "iif": ["v0"], "to_port": 3129, "when_down": "closed"},
    {"vips": ["2001:db8:f::10"], "ports": ["udp"], "to_addresses": ["::1"], "when_down": "open", "own_addresses": True},
    {"vips": ["203.0.113.0/24"], "ports": ["any"], "when_down": "open"},
]
CASES = {
    "rules": Case("ip_rule", {"rules": RULES, "force": True}, _by_ip, _ip("rule show")),
    "routes": Case("ip_local_route", {"routes": ROUTES}, _by_ip, _ip("route show table all")),
    "addresses": Case(
        "ip_address",
        {"addresses": [{"prefixes": ["203.0.113.10", "203.0.113.64/26", "2001:db8:f::10"], "device": "v0"}]},
        _by_ip,
        _addresses,
    ),
    "neighbors": Case(
        "static_neighbor",
        {
            "neighbors": [
                {"address": "10.0.0.9", "device": "v0", "mac": "02:00:00:00:00:01"},
                {"address": "2001:db8:a::9", "device": "v0", "mac": "02:00:00:00:00:01"},
                {"address": "10.0.0.8", "device": "v0", "proxy": True},
            ]
        },
        _by_ip,
        _ip("neighbour show nud permanent dev v0"),
    ),
    "marks": Case(
        "fwmark",
        {"marks": MARKS, "hooks": ["prerouting", "output"], "exclude_macs": ["02:00:00:00:00:01"]},
        _by_nft,
        _nft,
    ),
    "marks of new connections": Case("fwmark", {"marks": MARKS[:1], "new_connections": True}, _by_nft, _nft),
    "proxied": Case("tproxy", {"mark": "0x20000/0x20000", "entries": PROXIED, "new_connections": False}, _by_nft, _nft),
    "redirected": Case("tproxy", {"method": "redirect", "entries": [PROXIED[0]]}, _by_nft, _nft),
    "silence": Case(
        "arp_suppress",
        {"method": "nftables", "vips": ["203.0.113.10", "203.0.113.64/26"], "interfaces": ["v0"]},
        _by_nft,
        _nft,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_file_brings_it_back(netns: Namespace, tmp_path: Path, case: Case) -> None:
    file = tmp_path / "file"
    empty = case.shown(netns)
    predicted = netns.call(case.module, check=True, **case.options, file=str(file))
    assert not file.exists()
    assert netns.call(case.module, **case.options, file=str(file)) == predicted
    assert f"add {file} (0644)" in predicted["changes"]
    assert file.stat().st_mode & 0o777 == 0o644
    assert not netns.call(case.module, **case.options, file=str(file))["changed"]
    assert case.shown(netns) != empty
    with Namespace() as other:
        assert case.shown(other) == empty
        case.restore(other, file.read_text())
        assert case.shown(other) == case.shown(netns)
        # What came back is what is asked for.
        result = other.call(case.module, **case.options, file=str(file))
        assert not result["changed"], result["changes"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_file_goes_with_the_objects(netns: Namespace, tmp_path: Path, case: Case) -> None:
    file = tmp_path / "file"
    netns.call(case.module, **case.options, file=str(file))
    result = netns.call(case.module, **case.options, file=str(file), state="absent")
    assert f"remove {file} (0644)" in result["changes"]
    assert not file.exists()


def test_runtime_and_file_are_two_facts(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "file"
    rule = {"priority": 90, "family": "ipv4", "iif": "v0", "table": "100", "file": str(file)}
    netns.call("ip_rule", **rule)
    written = file.read_text()
    file.write_text(written.replace("pref", "pref").replace("90", "89") + "-4 rule add priority 7 nop\n")
    file.chmod(0o600)
    result = netns.call("ip_rule", **rule)
    line = "rule add priority {} from all iif v0 lookup 100 proto 117"
    assert result["changes"] == [
        f"change {file} (0600) to {file} (0644)",
        f"add {file}: -4 {line.format(90)}",
        f"remove {file}: -4 {line.format(89)}",
        f"remove {file}: -4 rule add priority 7 nop",
    ]
    assert file.read_text() == written
    netns.ip("rule delete priority 90")
    assert netns.call("ip_rule", **rule)["changes"] == ["add ipv4 90: from all iif v0 lookup 100 proto 117"]


def test_addresses_that_came_back_are_ours(netns: Namespace, tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    both = {"addresses": [{"prefixes": ["203.0.113.10", "203.0.113.11"], "device": "lo"}], "purge": True, "file": file}
    netns.call("ip_address", **both)
    with Namespace() as other:
        other.ip("address add 203.0.113.12/32 dev lo")
        _by_ip(other, Path(file).read_text())
        one = {**both, "addresses": [{"prefixes": ["203.0.113.10"], "device": "lo"}]}
        assert not other.call("ip_address", **both)["changed"]
        assert other.call("ip_address", **one)["changes"] == [
            "remove ipv4 203.0.113.11/32 dev lo scope global",
            f"remove {file}: -4 address add 203.0.113.11/32 dev lo scope 0",
        ]
        assert "203.0.113.12" in other.ip("address show dev lo")


def test_a_file_of_others_is_refused_before_anything_is_changed(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine\n")
    before = netns.ip("rule show")
    with pytest.raises(Refused, match="so it belongs to others"):
        netns.call("ip_rule", priority=90, family="ipv4", iif="v0", table="100", file=str(file))
    with pytest.raises(BadInput, match=r"file: '/nowhere/file' cannot be written: the directory /nowhere does not"):
        netns.call("ip_rule", priority=90, family="ipv4", iif="v0", table="100", file="/nowhere/file")
    assert (netns.ip("rule show"), file.read_text()) == (before, "mine\n")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_made_before_its_file_failed_is_told(netns: Namespace, case: Case) -> None:
    changes = netns.call(case.module, check=True, **case.options)["changes"]
    with pytest.raises(PartlyApplied) as caught:
        # No file can be there, which nobody knows before it is written.
        netns.call(case.module, **case.options, file="/sys/lvs-vipless.test")
    assert caught.value.details["changed"]
    assert caught.value.details["done"] == changes
    assert not netns.call(case.module, **case.options)["changed"]


def test_a_task_tells_what_was_made_before_its_file_failed(netns: Namespace, tmp_path: Path) -> None:
    """The same, by a process of its own, as Ansible starts it."""
    arguments = tmp_path / "arguments"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**RULE, "file": "/sys/lvs-vipless.test"}}))
    module = "ansible_collections.lvs.vipless.plugins.modules.ip_rule"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["ip", "netns", "exec", netns.name, sys.executable, "-m", module, str(arguments)]
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert told["failed"]
    assert told["changed"]
    assert told["done"] == ["add ipv4 100: from all iif v0 lookup 100 proto 117"]
    assert "/sys/lvs-vipless.test: -4 rule add priority 100 " in told["msg"]


RULE = {"priority": 100, "family": "ipv4", "iif": "v0", "table": "100"}
OTHER = {**RULE, "priority": 101}


@contextmanager
def mounted(file: Path, *options: str) -> Iterator[None]:
    """A file that is mounted by itself, as containers have them: nothing can be renamed to its place."""
    subprocess.run(["mount", "--bind", file, file], check=True)
    try:
        if options:
            subprocess.run(["mount", "-o", ",".join(("remount", "bind", *options)), file], check=True)
        yield
    finally:
        subprocess.run(["umount", file], check=True)


def test_a_file_that_is_mounted_by_itself_is_written(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "rules"
    netns.call("ip_rule", **OTHER, file=str(file))
    with mounted(file):
        assert netns.call("ip_rule", **RULE, file=str(file))["changed"]
        assert "priority 100" in file.read_text()
        assert not netns.call("ip_rule", **RULE, file=str(file))["changed"]
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


def test_what_was_made_is_told_where_the_old_file_stays(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "rules"
    netns.call("ip_rule", **OTHER, file=str(file))
    with mounted(file, "ro"), pytest.raises(PartlyApplied) as caught:
        netns.call("ip_rule", **RULE, file=str(file))
    assert caught.value.details["done"] == ["add ipv4 100: from all iif v0 lookup 100 proto 117"]
    assert "Read-only file system" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


def test_ten_thousand_marks_load_as_quickly_as_before(netns: Namespace, tmp_path: Path) -> None:
    """A line an element, for diffs that can be read, costs nft nothing."""
    file = tmp_path / "marks.nft"
    vips = [f"198.18.{number >> 8}.{number & 255}" for number in range(10_000)]
    netns.call("fwmark", vips=vips, ports=["tcp/80"], mark="1", file=str(file))
    with Namespace() as other:
        done = subprocess.run(
            ["ip", "netns", "exec", other.name, "nft", "-f", str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert _nft(other) == _nft(netns)
