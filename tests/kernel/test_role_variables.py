"""Every variable of every role, set to something else than its default, is seen on the kernel. Real plays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import environment
from namespace import Namespace
from role_play import play

ROLES = ("director", "realserver", "router", "transparent_proxy")
MAC = "52:54:00:12:34:56"
SERVICES = [
    {
        "name": "web",
        "mark": 1,
        "vips": ["203.0.113.10", "2001:db8:f::10"],
        "ports": ["tcp/80"],
        "realservers": [{"address": "10.0.0.11"}, {"address": "2001:db8:a::11"}],
    }
]
MASQUERADED = [{**SERVICES[0], "name": "nat", "forwarding": "masquerade", "mark": 2, "vips": ["203.0.113.20"]}]
MASQUERADED[0]["realservers"] = [{"address": "10.0.0.2", "port": 8080}]

# ip_vs is in guests alone, so of the director all but what needs it.
DIRECTOR = ("refusals", "silence", "guard", "rules", "routes", "addresses", "marks")
# The machine that runs the tests is no host to install on, and its units are not the role's to make.
NOTHING_MADE_OF_THE_MACHINE = {"packages": [], "persist": False}


@dataclass(frozen=True)
class Case:
    """Some variables of a role, each with what the kernel shows where it is obeyed, which tells the value.

    ``gone`` is for what the default shows, and the variable ends.
    """

    role: str
    base: dict[str, Any]
    values: dict[str, Any]
    seen: dict[str, str]
    gone: dict[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


def director(values: dict[str, Any], seen: dict[str, str], **others: Any) -> Case:
    base = {"services": SERVICES, "interfaces": ["v0"], **others.pop("base", {})}
    return Case("director", base, values, seen, parts=DIRECTOR, **others)


def realserver(values: dict[str, Any], seen: dict[str, str], **others: Any) -> Case:
    # Where the tests run, /proc/sys is not a host's own to write files beside.
    base = {"services": SERVICES, "arp_method": "nftables", "interface": "v0", **others.pop("base", {})}
    return Case("realserver", base, values, seen, **others)


def router(values: dict[str, Any], seen: dict[str, str], **others: Any) -> Case:
    base = {"services": SERVICES, "device": "v0", "next_hops": ["10.0.0.9", "2001:db8:a::9"]}
    return Case("router", {**base, **others.pop("base", {})}, values, seen, **others)


def proxy(values: dict[str, Any], seen: dict[str, str], **others: Any) -> Case:
    base = {"interfaces": ["v0"], "when_down": "closed", **others.pop("base", {})}
    return Case("transparent_proxy", base, values, seen, **others)


CASES = {
    "director, all that has a name": director(
        {
            "services": [{**SERVICES[0], "vips": ["203.0.113.99", "2001:db8:f::99"]}],
            "interfaces": ["v1"],
            "delivery_bit": "0x40000",
            "table": "110",
            "priority": 210,
            "protocol": "122",
            "delivery_device": "v0",
            "guard_table": "111",
            "guard_priority": 310,
            "mark_table": "lvs_web",
            "new_connections": True,
            "exclude_macs": [MAC],
            "own_requests": True,
        },
        {
            "services": r"203\.0\.113\.99",
            "interfaces": r"from all fwmark \S+ iif v1",
            "delivery_bit": "fwmark 0x40000/0x40000",
            "table": "local default dev v0 table 110 ",
            "priority": "210:\tfrom all fwmark",
            "protocol": "table 110 proto 122",
            "delivery_device": "local default dev v0",
            "guard_table": r"unreachable 203\.0\.113\.99 (dev lo )?table 111",
            "guard_priority": "310:\tfrom all iif v1 lookup 111",
            "mark_table": "table inet lvs_web ",
            "new_connections": "ct state != new",
            "exclude_macs": MAC,
            "own_requests": "hook output",
        },
    ),
    "director, ICMP errors": director(
        {"icmp_errors": True, "loop_guard": False},
        {"icmp_errors": r"local 203\.0\.113\.10 .*table local"},
        gone={"loop_guard": "unreachable 203"},
    ),
    "director, addresses": director(
        {"delivery": "address", "vip_device": "v1", "exposure_guard": False, "arp_silent": False},
        {"delivery": "inet6 2001:db8:f::10/128", "vip_device": r"v1 +inet 203\.0\.113\.10/32"},
        gone={"exposure_guard": "table inet lvs_vipless_guard", "arp_silent": "table arp lvs_vipless"},
        base={"icmp_errors": True},
    ),
    "realserver, by rule": realserver(
        {
            "services": [{**SERVICES[0], "vips": ["203.0.113.99", "2001:db8:f::99"]}],
            "vip_by": "rule",
            "table": "128",
            "priority": 218,
            "protocol": "123",
            "arp_table": "lvs_rs_web",
        },
        {
            "services": r"203\.0\.113\.99",
            "vip_by": r"from all to 203\.0\.113\.99 lookup",
            "table": "local default dev lo table 128",
            "priority": "218:\tfrom all to",
            "protocol": "table 128 proto 123",
            "arp_table": "table arp lvs_rs_web",
        },
    ),
    "realserver, by address": realserver(
        {"device": "v1", "arp_interfaces": ["v1"]},
        {"device": r"v1 +inet 203\.0\.113\.10/32"},
        # By default it is silent on every interface.
        gone={"arp_interfaces": 'oifname "v0"'},
        base={"vip_by": "address"},
    ),
    "realserver, ways back": realserver(
        {
            "interface": "v1",
            "nat_gateways": ["10.0.1.1"],
            "nat_addresses": ["10.0.0.2"],
            "nat_table": "129",
            "advmss": 1300,
            "advmss_gateways": ["10.0.1.1"],
            "advmss_table": "130",
            "next_hop_protocol": "124",
        },
        {
            "interface": "dev v1 table 129",
            "nat_gateways": r"default via 10\.0\.1\.1 dev v1 table 129",
            "nat_addresses": r"from 10\.0\.0\.2 .*lookup 129",
            "nat_table": "table 129 proto",
            "advmss": "advmss 1300",
            "advmss_gateways": r"default via 10\.0\.1\.1 dev v1 table 130",
            "advmss_table": "lookup 130",
            "next_hop_protocol": "proto 124",
        },
        base={"services": [{**SERVICES[0], "vips": ["203.0.113.10"]}, MASQUERADED[0]]},
    ),
    "router, routes": router(
        {"services": MASQUERADED, "device": "v1", "next_hops": ["10.0.1.9"], "protocol": "125"},
        {
            "services": r"203\.0\.113\.20",
            "device": "dev v1 proto 125",
            "next_hops": r"via 10\.0\.1\.9",
            "protocol": "proto 125",
        },
    ),
    "router, neighbours": router(
        {"reach": "neighbor", "mac": MAC}, {"reach": r"203\.0\.113\.10 dev v0 lladdr", "mac": f"lladdr {MAC}"}
    ),
    "router, directors": router(
        {
            "directors": {"d1": {"next_hops": ["10.0.0.7"]}, "d2": {"next_hops": ["10.0.0.8"]}},
            "active": "d2",
            "services": MASQUERADED,
        },
        {"directors": r"via 10\.0\.0\.[78]", "active": r"via 10\.0\.0\.8"},
        base={"services": MASQUERADED},
    ),
    "proxy, all that has a name": proxy(
        {
            "interfaces": ["v1"],
            "upstream_interfaces": ["v0"],
            "vips": ["203.0.113.99"],
            "ports": ["tcp/8088"],
            "port": 3130,
            "addresses": ["127.0.0.1"],
            "own_addresses": True,
            "exclude": ["192.0.2.99"],
            "exclude_macs": [MAC],
            "mark": "0x80000/0x80000",
            "table": "112",
            "priority": 212,
            "protocol": "126",
            "nft_table": "lvs_other_proxy",
            "when_down": "open",
        },
        {
            "interfaces": r'"v1" ',
            "upstream_interfaces": "212:\tfrom all fwmark 0x80000/0x80000 iif v0",
            "vips": r"203\.0\.113\.99",
            "ports": r"8088",
            "port": "127.0.0.1:3130",
            "addresses": r"tproxy ip to 127\.0\.0\.1",
            "own_addresses": "_own ",
            "exclude": r"ip daddr 192\.0\.2\.99 return",
            "exclude_macs": MAC,
            "mark": "fwmark 0x80000/0x80000",
            "table": "table 112",
            "priority": "212:",
            "protocol": "table 112 proto 126",
            "nft_table": "table inet lvs_other_proxy",
            "when_down": "_open",
        },
    ),
    "proxy, redirection": proxy({"method": "redirect"}, {"method": "redirect to :3129"}),
    "proxy, settings": proxy(
        {
            "sysctls": {"net.ipv4.conf.v0.route_localnet": 1},
            "new_connections": False,
            "close_ports": False,
            "entries": [{"vips": ["203.0.113.98"], "ports": ["tcp/81"], "to_port": 3131, "when_down": "closed"}],
        },
        {"sysctls": "net.ipv4.conf.v0.route_localnet = 1", "entries": r"203\.0\.113\.98 \. tcp \. 81"},
        gone={"new_connections": "ct mark", "close_ports": "tcp dport 3129 drop"},
    ),
}

ELSEWHERE = {
    "director_state": "playbooks/teardown.yml",
    "director_sysctls": "molecule/inclusion/tasks/intranet.yml",
    "director_keep_weights": "molecule/delivery/verify.yml",
    "director_sysctl_file": "molecule/inclusion/tasks/intranet.yml",
    "director_conn_tab_bits": "molecule/inclusion/tasks/website.yml",
    "director_packages": "molecule/delivery/verify.yml",
    "director_persist": "tests/kernel/test_role_families.py",
    "director_unit": "molecule/inclusion/tasks/intranet.yml",
    "director_confirm_timeout": "molecule/inclusion/tasks/website.yml",
    "director_verify_from": "playbooks/verify.yml",
    "director_realserver": "playbooks/drain.yml",
    "realserver_state": "playbooks/teardown.yml",
    "realserver_arp_method": "tests/kernel/test_role_families.py",
    "realserver_arp_file": "molecule/inclusion/tasks/realserver.yml",
    "realserver_tunnels": "tests/kernel/test_realserver_tunnels.py",
    "realserver_tunnel_file": "molecule/forwarding/group_vars/realservers.yml",
    "realserver_packages": "tests/kernel/test_role_families.py",
    "realserver_persist": "tests/kernel/test_role_families.py",
    "realserver_unit": "molecule/inclusion/tasks/realserver.yml",
    "realserver_verify_from": "playbooks/verify.yml",
    "realserver_verify_link": "tests/kernel/test_verification.py",
    "router_state": "playbooks/teardown.yml",
    "router_failover_to": "playbooks/failover.yml",
    "router_persist": "tests/kernel/test_verification.py",
    "router_unit": "tests/kernel/test_role_names.py",
    "router_packages": "tests/kernel/test_verification.py",
    "router_verify_from": "playbooks/verify.yml",
    "transparent_proxy_state": "playbooks/teardown.yml",
    "transparent_proxy_daemon": "molecule/proxy/group_vars/proxies.yml",
    "transparent_proxy_spoof": "molecule/proxy/group_vars/proxies.yml",
    "transparent_proxy_daemon_config": "molecule/proxy/verify.yml",
    "transparent_proxy_sysctl_file": "molecule/proxy/group_vars/proxies.yml",
    "transparent_proxy_persist": "tests/kernel/test_role_families.py",
    "transparent_proxy_unit": "molecule/proxy/group_vars/proxies.yml",
    "transparent_proxy_packages": "tests/kernel/test_role_families.py",
}
"""Variables whose effect needs ip_vs, systemd, a daemon, packages or a second host: the file that sets and sees it."""


@cache
def options(role: str) -> dict[str, Any]:
    """Every variable of a role, of each of its entry points."""
    text = (environment.CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    points = yaml.safe_load(text)["argument_specs"].values()
    return {name: option for point in points for name, option in point["options"].items()}


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace() as made:
        made.ip("address add 10.0.1.2/24 dev v1")
        yield made


def shown(netns: Namespace) -> str:
    """What the kernel has, in the words of ip(8) and nft(8)."""
    lines = [netns.ip(f"{family} {what}") for family in ("-4", "-6") for what in ("rule", "route show table all")]
    lines += [netns.ip("neighbour"), netns.ip("-oneline address"), netns.run("nft", "list", "ruleset")]
    return "\n".join([*lines, netns.run("sysctl", "net.ipv4.conf.v0.route_localnet")])


def converged(netns: Namespace, folder: Path, case: Case, values: dict[str, Any]) -> str:
    wanted = case.base | NOTHING_MADE_OF_THE_MACHINE | values
    variables = {f"{case.role}_{name}": value for name, value in wanted.items()}
    done = play(netns, folder, case.role, variables, *case.parts)
    assert done.returncode == 0, done.stdout
    return shown(netns)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_obeyed(host: Namespace, tmp_path: Path, case: Case) -> None:
    before = converged(host, tmp_path, case, {}) if case.gone else shown(host)
    after = converged(host, tmp_path, case, case.values)
    for patterns, there, not_there in ((case.seen, after, before), (case.gone, before, after)):
        for name, pattern in patterns.items():
            assert re.search(pattern, there), f"{name}: {pattern} is not in\n{there}"
            assert not re.search(pattern, not_there), f"{name}: {pattern} is in\n{not_there}"


@pytest.mark.parametrize("role", ROLES)
def test_no_variable_is_forgotten(role: str) -> None:
    obeyed = {f"{role}_{name}" for case in CASES.values() if case.role == role for name in (*case.seen, *case.gone)}
    assert obeyed | {name for name in ELSEWHERE if name.startswith(f"{role}_")} == set(options(role))
    for case in CASES.values():
        assert case.values.keys() >= {*case.seen, *case.gone}
        for name in case.values if case.role == role else ():
            option = options(role)[f"{role}_{name}"]
            assert "default" not in option or option["default"] != case.values[name], f"{name} is set to its default"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_seen_elsewhere_is_set_there(name: str) -> None:
    text = (environment.CHECKOUT / ELSEWHERE[name]).read_text(encoding="utf-8")
    role = next(role for role in ROLES if name.startswith(f"{role}_"))
    short = name.removeprefix(f"{role}_")
    assert name in text or f'f"{{role}}_{short}"' in text or f'"{role}", "{short}"' in text
