"""The readers host_info, arp_probe_info and connect_info against the kernel, and the playbooks that use them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import environment
from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.surroundings import files
from namespace import Namespace
from role_play import ansible_playbook

VIP4, VIP6 = "203.0.113.10", "2001:db8:f::10"
SERVICES = [
    {
        "name": "web",
        "mark": 1,
        "vips": [VIP4, VIP6],
        "ports": ["tcp/80"],
        "scheduler": "rr",
        "realservers": [{"address": "10.0.0.11"}, {"address": "2001:db8:a::11"}],
    }
]


@pytest.fixture
def neighbour(netns: Namespace) -> Iterator[Namespace]:
    """A second host on the link of v0: 10.0.0.1 and 2001:db8:a::1 on w0."""
    with Namespace() as other:
        other.ip("link delete v0")
        netns.ip(f"link set v1 netns {other.name} name w0")
        for line in (
            "link set w0 up",
            "address add 10.0.0.1/24 dev w0",
            "address add 2001:db8:a::1/64 dev w0 nodad",
            "route add default via 10.0.0.2",
        ):
            other.ip(line)
        yield other


def heard(netns: Namespace, *targets: str, **options: Any) -> dict[str, list[str]]:
    answer = netns.call("arp_probe_info", targets=list(targets), seconds=0.4, **options)
    return {one["target"]: one["macs"] for one in answer["answers"] if one["asked"]}


def mac(netns: Namespace, device: str) -> str:
    found: str = netns.ip_json(f"link show dev {device}")[0]["address"]
    return found


def test_who_answers_is_told_by_its_mac(netns: Namespace, neighbour: Namespace) -> None:
    own = mac(netns, "v0")
    assert heard(neighbour, VIP4, VIP6, "10.0.0.2", "2001:db8:a::2", interface="w0") == {
        VIP4: [],
        VIP6: [],
        "10.0.0.2": [own],
        "2001:db8:a::2": [own],
    }
    netns.ip(f"route add local {VIP4} dev lo table local")
    assert heard(neighbour, VIP4, interface_with=["10.0.0.11", "10.0.0.1"]) == {VIP4: [own]}
    netns.run("sysctl", "-q", "net.ipv4.conf.all.arp_ignore=1")
    assert heard(neighbour, VIP4, interface="w0") == {VIP4: []}
    netns.ip(f"-6 address add {VIP6} dev v0 nodad")
    assert heard(neighbour, VIP6, interface="w0") == {VIP6: [own]}


def test_two_that_answer_for_one_address_are_both_told(netns: Namespace, neighbour: Namespace) -> None:
    """A bridge with two hosts behind it, both of which hold the address."""
    with Namespace() as third:
        neighbour.ip("link add b0 type bridge")
        neighbour.ip("link add x0 type veth peer name x1")
        neighbour.ip(f"link set x1 netns {third.name}")
        for line in ("link set w0 master b0", "link set x0 master b0", "link set b0 up", "link set x0 up"):
            neighbour.ip(line)
        neighbour.ip("address flush dev w0")
        neighbour.ip("address add 10.0.0.1/24 dev b0")
        third.ip("link delete v0")
        third.ip("link set x1 up")
        for host, device in ((netns, "v0"), (third, "x1")):
            host.ip(f"address add {VIP4}/32 dev {device}")
        assert heard(neighbour, VIP4, interface="b0")[VIP4] == sorted([mac(netns, "v0"), mac(third, "x1")])


def test_what_cannot_be_asked(neighbour: Namespace) -> None:
    neighbour.ip("-6 address flush dev w0")
    answer = neighbour.call("arp_probe_info", targets=[VIP4, VIP6], interface="w0", seconds=0.1)
    assert [one["asked"] for one in answer["answers"]] == [True, False]
    with pytest.raises(BadInput, match=r"interface_with: \['10\.0\.0\.99'\] has no address of this host\."):
        neighbour.call("arp_probe_info", targets=[VIP4], interface_with=["10.0.0.99"])
    with pytest.raises(BadInput, match="interface: 'eth7' is not an interface of this host"):
        neighbour.call("arp_probe_info", targets=[VIP4], interface="eth7")
    with pytest.raises(BadInput, match=r"targets\[0\]: 'web' is not an IPv4 or IPv6 address\."):
        neighbour.call("arp_probe_info", targets=["web"], interface="w0")


def test_connections(netns: Namespace, neighbour: Namespace) -> None:
    with netns.entered():
        listening = [socket.create_server(("10.0.0.2", 80)), socket.create_server(("::", 80), family=socket.AF_INET6)]
    netns.run("nft", "add table inet t; add chain inet t c { type filter hook input priority 0; }")
    netns.run("nft", "add rule inet t c tcp dport 82 drop")
    targets = [
        {"address": "10.0.0.2", "port": 80},
        {"address": "2001:db8:a::2", "port": 80},
        {"address": "10.0.0.2", "port": 81},
        {"address": "10.0.0.2", "port": 82},
        {"address": "2001:db8:9::1", "port": 80},
    ]
    found = neighbour.call("connect_info", targets=targets, seconds=0.5)["connections"]
    for one in listening:
        one.close()
    assert [one["connected"] for one in found] == [True, True, False, False, False]
    assert [one["reason"] for one in found] == [
        None,
        None,
        "Connection refused",
        "no answer within 0.5 s",
        "Network is unreachable",
    ]
    assert all(0 <= one["seconds"] < 0.5 for one in found[:2])
    with pytest.raises(BadInput, match=r"targets\[0\]\.port: 70000"):
        neighbour.call("connect_info", targets=[{"address": "10.0.0.2", "port": 70000}])


def test_surroundings(netns: Namespace) -> None:
    netns.run("sysctl", "-q", "net.ipv4.conf.all.src_valid_mark=1", "net.ipv4.conf.v0.rp_filter=2")
    netns.run("sysctl", "-q", "net.ipv4.conf.v0.forwarding=1")
    netns.ip("-6 route delete default")
    found = netns.call(
        "host_info",
        towards=["198.51.100.7", "2001:db8:c::7", "10.0.0.9"],
        sysctls=["net.ipv4.conf.v0.rp_filter"],
        units=["lvs-vipless-none.service"],
    )
    # A machine that another init runs has no units at all.
    assert found["units"] in ({}, {"lvs-vipless-none.service": {"enabled": False, "active": False}})
    assert found["interfaces"]["v0"] == {
        "rp_filter": 2,
        "src_valid_mark": 1,
        "arp_ignore": 0,
        "arp_announce": 0,
        "forwarding": 1,
        "forwarding6": 0,
    }
    assert found["addresses"] == {"10.0.0.2": "v0", "2001:db8:a::2": "v0"}
    assert found["towards"] == {"198.51.100.7": "v0", "2001:db8:c::7": None, "10.0.0.9": "v0"}
    assert found["sysctls"] == {"net.ipv4.conf.v0.rp_filter": "2"}
    assert not files().restored
    with pytest.raises(BadInput, match=r"sysctls: 'nonsense' is not the name of a kernel parameter"):
        netns.call("host_info", sysctls=["nonsense"])


def test_filters_that_ipvs_stands_behind_are_told(netns: Namespace) -> None:
    netns.run("nft", "add table ip filter; add set ip filter some { type ipv4_addr; elements = { 10.0.0.9 } }")
    netns.run("nft", "add chain ip filter INPUT { type filter hook input priority 0; policy drop; }")
    netns.run("nft", "add table inet mine; add chain inet mine out { type filter hook output priority 0; }")
    netns.run("nft", "add rule inet mine out counter accept")
    netns.call("vip_guard", vips=["203.0.113.10"])
    told = [one for one in netns.call("host_info")["managers"] if one["name"].startswith("nftables chain")]
    assert told == [
        {
            "name": "nftables chain ip filter INPUT",
            "harmful": False,
            "concern": "drops what it does not name at hook input: "
            "it must let the services' ports in, before IPVS takes them",
            "remedy": None,
        }
    ]


def test_who_else_sets_marks_is_told(netns: Namespace) -> None:
    netns.run("nft", "add table inet cni; add chain inet cni before { type filter hook prerouting priority mangle; }")
    for chain, statement in {
        "whole": "meta mark set 0x5",
        "bits": "meta mark set meta mark & 0xff00ffff | 0x00040000",
        "more": "meta mark set meta mark ^ 0x30",
        "restored": "meta mark set ct mark",
        "saved": "ct mark set meta mark",
        "read": "meta mark 0x10000 accept",
    }.items():
        netns.run("nft", f"add chain inet cni {chain}; add rule inet cni {chain} counter {statement}")
    netns.run("nft", "add rule inet cni more meta mark set meta mark | 0x100")
    netns.call("fwmark", vips=["203.0.113.10"], ports=["tcp/80"], mark="0x10001/0x1ffff", new_connections=True)
    assert netns.call("host_info")["markers"] == [
        {"chain": "inet cni whole", "bits": "0xffffffff"},
        {"chain": "inet cni bits", "bits": "0xff0000"},
        {"chain": "inet cni more", "bits": "0x130"},
        {"chain": "inet cni restored", "bits": "0xffffffff"},
    ]


def test_asking_needs_its_privilege(netns: Namespace) -> None:
    """A process without CAP_NET_RAW is told so. It is another process, since a lost capability does not come back."""
    program = (
        "import asyncio\n"
        "from ansible_collections.lvs.vipless.plugins.module_utils._kernel.asking import Link\n"
        "Link('v0', {2: '10.0.0.2'}).who_has([(2, '203.0.113.10')], 0.1)\n"
    )
    command = [
        "ip",
        "netns",
        "exec",
        netns.name,
        "capsh",
        "--drop=cap_net_raw",
        "--",
        "-c",
        f'exec {sys.executable} -c "$0"',
        program,
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(environment.link_collection())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert Missing.__name__ in done.stderr
    assert "CAP_NET_RAW" in done.stderr


class Cluster:
    """Namespaces as the hosts of an inventory: Ansible's modules run in each by an interpreter of its own."""

    def __init__(self, folder: Path, hosts: dict[str, Namespace]) -> None:
        self._folder = folder
        self._hosts = {name: self._variables(name, netns) for name, netns in hosts.items()}

    def _variables(self, name: str, netns: Namespace) -> dict[str, str]:
        interpreter = self._folder / f"python-{name}"
        interpreter.write_text(f'#!/bin/sh\nexec ip netns exec {netns.name} {sys.executable} "$@"\n')
        interpreter.chmod(0o755)
        return {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter)}

    def play(self, playbook: str, groups: dict[str, list[str]], **variables: Any) -> subprocess.CompletedProcess[str]:
        hosts = {
            # Nothing listens at this port: a host that is dead.
            "dead": {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_python_interpreter": sys.executable},
            **self._hosts,
        }
        inventory = self._folder / "inventory.json"
        children = {name: {"hosts": {host: hosts[host] for host in members}} for name, members in groups.items()}
        inventory.write_text(json.dumps({"all": {"children": children, "vars": {"lvs_services": SERVICES, **COMMON}}}))
        return ansible_playbook(
            *("--inventory", str(inventory), "--extra-vars", json.dumps(variables), f"lvs.vipless.{playbook}"),
            ANSIBLE_BECOME="False",
        )


COMMON: dict[str, Any] = {
    "director_interfaces": ["v0"],
    "router_device": "w0",
    "router_directors": {
        "director1": {"next_hops": ["10.0.0.2", "2001:db8:a::2"]},
        "dead": {"next_hops": ["10.0.0.3"]},
    },
    "router_active": "director1",
    # Nothing of these is tested here, and the machine that runs the tests is not the host to install on.
    "director_persist": False,
    "router_persist": False,
    "router_packages": [],
    "lvs_verify_from": ["10.0.0.9", "2001:db8:a::9"],
}


def bad(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [line.strip(' ",') for line in done.stdout.splitlines()]
    return [" ".join(line.split()) for line in lines if line.startswith("BAD ")]


def test_verification_goes_on_where_a_host_is_dead(netns: Namespace, neighbour: Namespace, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, {"director1": netns, "router": neighbour, "client": neighbour})
    groups = {"directors": ["director1", "dead"], "routers": ["router"], "clients": ["client"]}
    done = cluster.play("verify", groups)
    assert done.returncode == 2, done.stdout + done.stderr
    found = bad(done)
    for line in (
        "BAD dead asking cannot be asked: it was not reached, or refused its variables",
        "BAD realservers asking cannot be asked: the inventory has no such host",
        "BAD director1 marks not as declared: add ",
        f"BAD director1 web ipv4 delivery {VIP4} from 10.0.0.9 on v0 is not delivered here: ",
        f"BAD director1 web ipv6 delivery {VIP6} from 2001:db8:a::9 on v0 is not delivered here: ",
        "BAD director1 web ipv4 ipvs ip_vs is not loaded",
        f"BAD router web ipv4 route {VIP4} goes ",
        f"BAD client web ipv4 request {VIP4} port 80: ",
    ):
        assert [one for one in found if one.startswith(line)], (line, done.stdout)
    assert "nobody on w0 answers for any of 2 VIPs" in done.stdout


def test_realservers_ask_each_other_where_no_router_does(
    netns: Namespace, neighbour: Namespace, tmp_path: Path
) -> None:
    """As realserver_verify_link has it."""
    cluster = Cluster(tmp_path, {"rs1": netns, "rs2": neighbour})
    services = [{**SERVICES[0], "vips": [VIP4], "realservers": [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}]}]
    netns.call("ip_local_route", prefixes=[VIP4])
    done = cluster.play("verify", {"realservers": ["rs1", "rs2"]}, lvs_services=services)
    assert f"BAD rs2 arp {VIP4} is answered for by {mac(netns, 'v0')}" in "\n".join(bad(done)), done.stdout
    assert "nobody on v0 answers for any of 1 VIPs" in done.stdout


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("director1", "director1 would lose packets, so that the router stays as it is: marks not as declared"),
        (
            "dead",
            "dead would lose packets, so that the router stays as it is: asking cannot be asked: it was not reached",
        ),
        ("director9", "failover_to: director9 is no host of this inventory, or --limit leaves it out."),
    ],
)
def test_failover_is_refused(netns: Namespace, neighbour: Namespace, tmp_path: Path, to: str, message: str) -> None:
    before = neighbour.ip_json("route show")
    cluster = Cluster(tmp_path, {"director1": netns, "router": neighbour})
    done = cluster.play("failover", {"directors": ["director1", "dead"], "routers": ["router"]}, failover_to=to)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stdout
    assert neighbour.ip_json("route show") == before
