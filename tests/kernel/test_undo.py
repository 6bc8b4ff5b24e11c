"""The script that puts back what was there before a change, run by hand in a namespace: the kernel's tools see no
difference, and nothing of others was touched. The timer is systemd's, and tested where that runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.undo import Snapshot
from ansible_collections.lvs.vipless.plugins.module_utils._model import undo
from namespace import Namespace, call

OPTIONS: dict[str, Any] = {
    "protocol": "117",
    "addresses": [{"prefixes": [f"203.0.113.{number}" for number in range(10, 20)], "device": "lo"}],
    "arp_table": "lvs_vipless",
    "guard_table": "lvs_vipless_guard",
    "mark_table": "lvs_vipless",
    "fwmarks": None,
    "sysctls": ["net.ipv4.conf.v0.rp_filter", "net.ipv4.conf.all.arp_ignore"],
    "unit": None,
    "files": [],
}
VIPS = [f"203.0.113.{number}" for number in range(10, 20)] + [f"2001:db8:f::{number}" for number in range(10, 20)]
RULES = [
    {"priority": 100, "family": "both", "iif": "v0", "fwmark": "0x10000/0x10000", "table": "100"},
    {"priority": 101, "family": "both", "iif": "v0", "table": "101"},
    {"priority": 100, "family": "both", "iif": "v0", "table": "100"},
    {"priority": 91, "from": ["198.51.100.0/24"], "to": ["203.0.113.10"], "not": True, "action": "prohibit"},
    {"priority": 91, "from": ["198.51.100.0/24"], "to": ["203.0.113.10"], "action": "prohibit"},
    {"priority": 92, "family": "ipv4", "oif": "v1", "tos": "0x10", "uidrange": "5-7", "goto": 200},
    {"priority": 93, "family": "ipv6", "ipproto": "udp", "sport": "53", "dport": "1-9", "l3mdev": True},
    {"priority": 95, "to": ["203.0.113.11"], "fwmark": "7", "table": "main", "suppress_ifgroup": 7},
    {"priority": 96, "to": ["2001:db8:f::/64"], "table": "local", "suppress_prefixlength": 0},
    {"priority": 97, "family": "ipv6", "ipproto": "tcp", "action": "blackhole"},
    {"priority": 98, "family": "ipv4", "iif": "gone", "action": "unreachable"},
    {"priority": 99, "family": "ipv4", "iif": "v0", "action": "nop"},
]
ROUTES = [
    {"prefixes": ["0.0.0.0/0", "::/0"], "table": "100", "device": "lo"},
    {"prefixes": ["0.0.0.0/0", "::/0"], "table": "100", "device": "v0"},
    {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "101", "type": "unreachable"},
    {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "101", "type": "prohibit"},
    {"prefixes": ["203.0.113.30"], "table": "local", "source": "10.0.0.2"},
    {"prefixes": ["203.0.113.30"], "table": "local", "metric": 1025},
    {"prefixes": ["2001:db8:f::10"], "table": "local", "metric": 7, "device": "v0"},
    {"prefixes": ["192.0.2.0/24", "2001:db8:9::/64"], "table": "main", "type": "blackhole"},
]
FOREIGN = [
    "rule add priority 100 iif v0 table 100",
    "rule add priority 101 to 203.0.113.77 table 7 protocol 118",
    "-6 rule add priority 100 iif v0 fwmark 0x10000/0x10000 table 100 protocol 4",
    "route add local 203.0.113.99 dev lo table local protocol 118",
    "route add blackhole 192.0.2.128/25 table 101",
    "-6 route add unreachable 2001:db8:77::/64 table 100 protocol 4",
    "address add 203.0.113.200/32 dev lo",
]

_WITHOUT_SYSTEMD = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing
from namespace import call
try:
    call("undo_timer", name="director", timeout=60)
except Missing as error:
    print(error)
"""


class Host(NamedTuple):
    netns: Namespace
    folder: Path

    def shown(self) -> dict[str, list[Any]]:
        """What ip and nft show, in an order of our own: rules of one priority come back in any."""
        found = {
            f"{what} {family}": self.netns.ip_json(f"{family} {what}")
            for what in ("rule show", "route show table all", "address show")
            for family in ("-4", "-6")
        }
        for listed in found.values():
            for one in listed:
                one.get("addr_info", []).sort(key=lambda address: json.dumps(address, sort_keys=True))
        tables = json.loads(self.netns.run("nft", "--json", "list", "ruleset"))["nftables"]
        # Handles are numbers that nobody means.
        found["nft"] = [_without_handles(one) for one in tables]
        found["sysctl"] = [self.netns.run("sysctl", "-n", *OPTIONS["sysctls"]).split()]
        return {name: sorted(listed, key=lambda one: json.dumps(one, sort_keys=True)) for name, listed in found.items()}

    def arm(self, **options: Any) -> str:
        with self.netns.entered():
            snapshot = Snapshot(self.folder)
            snapshot.take(undo.parse({**OPTIONS, **options}))
            return snapshot.arm(1)

    def undo(self) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.netns.name, "sh", str(self.folder / "undo"), "undo"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def make(self, chance: random.Random) -> None:
        """Some of everything, as the modules make it; what was there and is not chosen goes."""
        rules = _some(chance, RULES, ("family", "priority", "from", "to", "fwmark"))
        routes = _some(chance, ROUTES, ("table", "prefixes"))
        self.netns.call("ip_rule", rules=rules, purge=True, force=True)
        self.netns.call("ip_local_route", routes=routes, purge=True)
        vips = chance.sample(VIPS, chance.randrange(1, 10))
        ports = chance.choice([["any"], ["tcp/80", "udp/30000-30999"], ["tcp/443"]])
        mark = chance.choice(["0x10001", "0x10002/0x1ffff"])
        marks = [{"vips": vips, "ports": ports, "mark": mark}] if chance.random() < 0.8 else []
        self.netns.call("fwmark", marks=marks, purge=True, new_connections=chance.random() < 0.3)
        guarded = chance.random() < 0.5
        self.netns.call("vip_guard", vips=vips, state="present" if guarded else "absent")
        silent = [vip for vip in vips if "." in vip]
        state = "present" if silent and chance.random() < 0.5 else "absent"
        self.netns.call(
            "arp_suppress", method="nftables", vips=silent or ["203.0.113.10"], interfaces=["v0"], state=state
        )
        held = chance.sample(OPTIONS["addresses"][0]["prefixes"], chance.randrange(5))
        addresses = [{"prefixes": held, "device": "lo"}] if held else []
        self.netns.call("ip_address", addresses=addresses, purge=True)
        self.netns.run("sysctl", "-qw", f"net.ipv4.conf.v0.rp_filter={chance.randrange(3)}")


def _some(chance: random.Random, listed: list[dict[str, Any]], identity: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some of them, none twice as the modules see it."""
    chosen = {}
    for one in chance.sample(listed, chance.randrange(len(listed))):
        chosen[json.dumps([one.get(key) for key in identity])] = one
    return list(chosen.values())


def _without_handles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_handles(one) for key, one in value.items() if key not in {"handle", "index"}}
    return [_without_handles(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def host(netns: Namespace, tmp_path: Path) -> Iterator[Host]:
    for line in FOREIGN:
        netns.ip(line)
    netns.run("nft", "add table inet foreign; add chain inet foreign input { type filter hook input priority 0; }")
    return Host(netns, tmp_path / "undo")


@pytest.mark.parametrize("seed", range(12))
def test_everything_is_as_it_was(host: Host, seed: int) -> None:
    chance = random.Random(seed)
    host.make(chance)
    before = host.shown()
    host.arm()
    assert host.shown() == before
    host.make(chance)
    assert host.shown() != before
    done = host.undo()
    assert done.returncode == 0, done.stderr
    assert host.shown() == before
    assert "All is as it was before." in done.stdout
    # It does so once.
    assert host.undo().stdout == ""


def test_what_others_did_meanwhile_stays(host: Host) -> None:
    host.arm()
    host.netns.call("ip_rule", rules=RULES[:2], force=True)
    host.netns.call("ip_address", prefixes=["203.0.113.10"])
    expected = host.shown()
    others = [
        "rule add priority 100 iif v0 fwmark 0x10000/0x10000 table 100 protocol 118",
        "-6 route add local ::/0 dev lo table 100 protocol 118",
        "address add 203.0.113.201/32 dev lo",
    ]
    for line in others:
        host.netns.ip(line)
    host.netns.run("nft", "add table inet others")
    host.netns.run("nft", "add rule inet foreign input counter")
    made = host.shown()
    assert host.undo().returncode == 0
    shown = host.shown()
    assert shown != made
    for line in others:
        host.netns.ip(line.replace(" add ", " delete "))
    assert '"name": "others"' in json.dumps(shown["nft"])
    assert '"counter"' in json.dumps(shown["nft"])
    host.netns.call("ip_rule", rules=RULES[:2], force=True)
    host.netns.call("ip_address", prefixes=["203.0.113.10"])
    assert {**host.shown(), "nft": []} == {**expected, "nft": []}


def test_files_come_back_and_go(host: Host, tmp_path: Path) -> None:
    kept, gone, link, new = (tmp_path / "etc" / name for name in ("kept.conf", "gone.conf", "link", "new.conf"))
    deep = tmp_path / "etc" / "made" / "deep" / "new.conf"
    kept.parent.mkdir()
    for path in (kept, gone):
        path.write_text("before\n")
    kept.chmod(0o640)
    link.symlink_to("/nowhere")
    host.arm(files=[str(path) for path in (kept, gone, link, new, deep)])
    kept.write_text("after\n")
    kept.chmod(0o644)
    gone.unlink()
    link.unlink()
    link.symlink_to("/elsewhere")
    deep.parent.mkdir(parents=True)
    for path in (new, deep, kept.with_name("others.conf")):
        path.write_text("after\n")
    assert host.undo().returncode == 0
    assert sorted(path.name for path in kept.parent.iterdir()) == ["gone.conf", "kept.conf", "link", "others.conf"]
    assert (kept.read_text(), gone.read_text(), link.readlink()) == ("before\n", "before\n", Path("/nowhere"))
    assert kept.stat().st_mode & 0o777 == 0o640


def test_the_first_state_is_the_one_known_good(host: Host, tmp_path: Path) -> None:
    chance = random.Random(1)
    host.make(chance)
    before = host.shown()
    file, later = tmp_path / "first.conf", tmp_path / "later.conf"
    file.write_text("1\n")
    host.arm(files=[str(file)], sysctls=OPTIONS["sysctls"][:1])
    host.make(chance)
    file.write_text("2\n")
    later.write_text("1\n")
    host.arm(files=[str(file), str(later)])
    host.make(chance)
    file.write_text("3\n")
    later.write_text("2\n")
    host.netns.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    with pytest.raises(Refused, match=r"name: 'undo' refused: a change of other objects waits for its confirmation"):
        host.arm(mark_table="other")
    assert host.undo().returncode == 0
    assert host.shown() == before
    assert (file.read_text(), later.read_text()) == ("1\n", "1\n")


def test_two_changes_of_the_same_objects_do_not_wait_at_once(host: Host) -> None:
    """The one that is not confirmed would take away what was confirmed for the other."""
    host.arm()
    other = Host(host.netns, host.folder.parent / "other")
    apart = {"protocol": "122", "arp_table": "a", "guard_table": "g", "mark_table": "m", "addresses": []}
    for one, name in (
        ({"protocol": "117"}, "protocol 117"),
        ({"mark_table": "lvs_vipless"}, "table inet lvs_vipless"),
        ({"arp_table": "lvs_vipless"}, "table arp lvs_vipless"),
    ):
        with pytest.raises(Refused, match=rf"'undo' waits for its confirmation, \d+ seconds more, and has {name} too."):
            other.arm(**apart | one)
        assert not other.folder.exists()
    other.arm(**apart)


def test_who_armed_it_last_confirms_it(host: Host) -> None:
    first, second = host.arm(), host.arm()
    snapshot = Snapshot(host.folder)
    with pytest.raises(Refused, match=rf"token: '{first}' refused: another run has armed 'undo' since"):
        snapshot.require(first)
    snapshot.require(second)
    snapshot.require(None)
    # Nothing waits any more: whoever comes now reaches the host as well.
    assert snapshot.disarm()
    snapshot.require(first)


def test_the_folder_is_roots_alone(host: Host) -> None:
    host.arm()
    assert host.folder.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_put_back_is_told(host: Host) -> None:
    host.netns.ip("link add v2 type veth peer name v3")
    host.netns.ip("link set v2 up")
    host.netns.call("ip_local_route", prefixes=["198.18.0.0/24"], table="100", device="v2")
    host.arm()
    host.netns.ip("link delete v2")
    done = host.undo()
    assert done.returncode == 1
    assert "missing: route -4 local 198.18.0.0/24 dev v2 table 100 scope 254 proto 117" in done.stderr
    assert not Snapshot(host.folder).is_complete()


def test_a_table_of_others_is_refused_before_anything_is_armed(host: Host) -> None:
    with pytest.raises(Refused, match="the table inet foreign of this host has"):
        host.arm(mark_table="foreign")
    assert Snapshot(host.folder).remaining() is None


def test_a_directory_is_no_file(host: Host, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"files: .* is a directory"):
        host.arm(files=[str(tmp_path)])
    assert Snapshot(host.folder).remaining() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "Director"}, "name: 'Director' is not a name of lower-case letters"),
        ({"timeout": 0}, "timeout: 0 is not between 1 and 86400."),
        ({"protocol": "many"}, "protocol: 'many' is not a whole number."),
        (
            {"addresses": [{"prefixes": ["203.0.113.10/33"]}]},
            "addresses[0].prefixes[0]: '203.0.113.10/33' is not an IPv4",
        ),
        (
            {"addresses": [{"prefixes": ["::1"], "device": "a b"}]},
            "addresses[0].device: 'a b' is not an interface name",
        ),
        ({"mark_table": "no; table"}, "mark_table: 'no; table' is not a table's name"),
        ({"arp_table": "'"}, "arp_table: \"'\" is not a table's name"),
        ({"guard_table": ""}, "guard_table: '' is not a table's name"),
        ({"fwmarks": "0/0x10000"}, "fwmarks: '0/0x10000' names no bit by which a service could be known."),
        ({"sysctls": ["../../etc/shadow"]}, "sysctls: '../../etc/shadow' is not the name of a kernel parameter"),
        ({"unit": "a/b"}, "unit: 'a/b' is not a name of lower-case letters"),
        ({"files": ["/etc/../x"]}, "files[0]: '/etc/../x' is not the absolute path of a file."),
        ({"files": ["/etc/a b"]}, "files[0]: '/etc/a b' is not an absolute path of letters"),
        ({"files": ["etc"]}, "files[0]: 'etc' is not an absolute path of letters"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        call("undo_timer", **{"name": "director", "timeout": 60, **options})
    assert str(caught.value).startswith(message)


def test_without_systemd_nothing_is_armed(netns: Namespace) -> None:
    program = [sys.executable, "-c", _WITHOUT_SYSTEMD, json.dumps(sys.path)]
    said = netns.run("sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", *program)
    assert said.startswith(
        "This host is not run by systemd. Remedy: leave undo_timer out (director_confirm_timeout: 0)"
    )
