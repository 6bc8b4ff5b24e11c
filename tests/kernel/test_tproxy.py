"""The module tproxy: real packets between a client and an origin that a proxy host stands between."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, LvsError, Refused
from ansible_collections.lvs.vipless.plugins.modules import tproxy
from frames import packet, wire
from namespace import Namespace, call, without_net_admin
from proxy_path import (
    CLIENT,
    LOOPBACK,
    NOTHING,
    ORIGIN,
    PROXY,
    REFUSED,
    Answer,
    Path,
    asking,
    daemon,
    datagram_daemon,
    path,
    relay,
    transparent,
)

MARK = "0x20000/0x20000"
EVERYWHERE = ["0.0.0.0/0", "::/0"]
WEB: dict[str, Any] = {
    "mark": MARK,
    "vips": EVERYWHERE,
    "ports": ["tcp/80"],
    "to_port": 3129,
    "when_down": "closed",
}
PLAIN: dict[str, Any] = {**WEB, "to_port": None}
REDIRECT: dict[str, Any] = {**WEB, "method": "redirect", "mark": None}
VIP = {4: "203.0.113.10", 6: "2001:db8:f::10"}
TABLE = "inet lvs_tproxy"
BOTH = pytest.mark.parametrize("version", [4, 6])


@pytest.fixture
def way() -> Iterator[Path]:
    with path() as made, daemon(made.origin, "origin", 4, 80), daemon(made.origin, "origin", 6, 80):
        yield made


def deliver(way: Path, *interfaces: str) -> None:
    """What has the mark stays on the proxy host: one rule for each interface, or a bare one."""
    way.proxy.call("ip_local_route", prefixes=EVERYWHERE, table="102")
    selectors = [{"iif": interface} for interface in interfaces] or [{}]
    rules = [{"priority": 101, "family": "both", "fwmark": MARK, "table": "102", **one} for one in selectors]
    way.proxy.call("ip_rule", rules=rules, force=True)


def listed(netns: Namespace) -> list[dict[str, Any]]:
    """The table without the numbers that each object gets; nothing where there is none."""
    if "lvs_tproxy" not in netns.run("nft", "list", "tables"):
        return []
    found = json.loads(netns.run("nft", "-j", "list", "table", *TABLE.split()))["nftables"]
    bodies = [(kind, body) for item in found for kind, body in item.items() if kind != "metainfo"]
    return [{kind: {name: value for name, value in body.items() if name != "handle"}} for kind, body in bodies]


def from_proxy(version: int) -> Answer:
    """What a daemon on the proxy host says whose packets kept their header."""
    return Answer("proxy", CLIENT[version], f"{ORIGIN[version]}/80")


def from_origin(version: int) -> Answer:
    return Answer("origin", CLIENT[version], f"{ORIGIN[version]}/80")


@BOTH
@pytest.mark.parametrize(("listens", "addressed"), [("", False), (LOOPBACK, True), (VIP, True)])
def test_a_daemon_answers_for_any_address(way: Path, version: int, listens: Any, addressed: bool) -> None:
    address = listens and listens[version]
    way.proxy.call("tproxy", **WEB, to_addresses=list(listens.values()) if addressed else None)
    deliver(way, "c0", "o0")
    with daemon(way.proxy, "proxy", version, 3129, address, transparent=True):
        way.expect(from_proxy(version), version)
        way.expect(REFUSED, version, port=81)
    way.expect(NOTHING, version)


@BOTH
def test_a_loopback_daemon_needs_its_address_named(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0")
    with daemon(way.proxy, "proxy", version, 3129, LOOPBACK[version], transparent=True):
        way.expect(NOTHING, version)


@BOTH
def test_while_the_daemon_is_down_packets_go_where_the_option_says(way: Path, version: int) -> None:
    deliver(way, "c0")
    for when_down, answer in (("open", from_origin(version)), ("closed", NOTHING)):
        way.proxy.call("tproxy", **{**WEB, "when_down": when_down})
        way.expect(answer, version)
        with daemon(way.proxy, "proxy", version, 3129, transparent=True):
            way.expect(from_proxy(version), version)
        # The connection that ended is still remembered (TIME_WAIT), and takes no other.
        way.expect(answer, version)


@BOTH
def test_a_daemon_without_ip_transparent_counts_as_down(way: Path, version: int) -> None:
    deliver(way, "c0")
    with daemon(way.proxy, "proxy", version, 3129):
        way.proxy.call("tproxy", **WEB)
        way.expect(NOTHING, version)
        way.proxy.call("tproxy", **{**WEB, "when_down": "open"})
        way.expect(from_origin(version), version)


@BOTH
def test_by_routing_alone_a_daemon_needs_ip_transparent_for_its_answers(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **PLAIN)
    deliver(way, "c0")
    with daemon(way.proxy, "proxy", version, 80):
        # IPv4 refuses the SYN-ACK's source; IPv6 does not look at it.
        way.expect(NOTHING if version == 4 else from_proxy(6), version)
    with daemon(way.proxy, "proxy", version, 80, transparent=True):
        way.expect(from_proxy(version), version)
    way.expect(NOTHING if version == 4 else REFUSED, version)


@BOTH
def test_by_routing_alone_it_can_fail_open(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **{**PLAIN, "when_down": "open"})
    deliver(way, "c0")
    way.expect(from_origin(version), version)
    with daemon(way.proxy, "proxy", version, 80, transparent=True):
        way.expect(from_proxy(version), version)
    with daemon(way.proxy, "proxy", version, 80):
        way.expect(from_origin(version), version)


@pytest.mark.parametrize(("version", "module"), [(4, "ip_local_route"), (4, "ip_address"), (6, "ip_address")])
def test_a_plain_daemon_that_listens_on_the_vip_alone(way: Path, version: int, module: str) -> None:
    # IPv6 lets nobody bind to an address that no interface has.
    way.proxy.call(module, prefixes=[VIP[version]], **({"table": "local"} if module == "ip_local_route" else {}))
    with daemon(way.proxy, "proxy", version, 80, VIP[version]):
        way.expect(Answer("proxy", CLIENT[version], f"{VIP[version]}/80"), version, address=VIP[version])


@BOTH
def test_rp_filter_is_in_nobodys_way(way: Path, version: int) -> None:
    way.proxy.run("sysctl", "-qw", *(f"net.ipv4.conf.{name}.rp_filter=1" for name in ("all", "c0", "o0")))
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0", "o0")
    with relay(way.proxy, version, 3129, spoof=True):
        way.expect(Answer("origin", CLIENT[version], f"{ORIGIN[version]}/80"), version)


@pytest.mark.parametrize("interfaces", [(), ("c0",), ("c0", "o0")])
def test_src_valid_mark_wants_a_rule_for_each_interface(way: Path, interfaces: tuple[str, ...]) -> None:
    way.proxy.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1")
    way.proxy.call("tproxy", **WEB)
    deliver(way, *interfaces)
    with daemon(way.proxy, "proxy", 4, 3129, transparent=True):
        way.expect(from_proxy(4) if interfaces else NOTHING)
    with relay(way.proxy, 4, 3129, spoof=True):
        way.expect(from_origin(4) if len(interfaces) == 2 else NOTHING)


@BOTH
def test_the_origin_sees_the_client_where_answers_come_back(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0", "o0")
    with relay(way.proxy, version, 3129):
        answer = way.ask(version)
        assert isinstance(answer, Answer)
        assert (answer.who, answer.peer) == ("origin", {4: "10.0.0.4", 6: "2001:db8:a::4"}[version])
    with relay(way.proxy, version, 3129, spoof=True):
        way.expect(from_origin(version), version)
        # The origin's answers are for the client, who knows nothing of them: they are found by their socket,
        way.proxy.run("nft", f"insert rule {TABLE} prerouting iifname o0 accept")
        way.expect(NOTHING, version)
        way.proxy.call("tproxy", **WEB)
        way.expect(from_origin(version), version)
        # and delivered by a rule for the origin's side.
        way.proxy.call("ip_rule", priority=101, family="both", fwmark=MARK, iif="o0", table="102", state="absent")
        way.expect(NOTHING, version)


@BOTH
def test_an_icmp_error_reaches_the_socket_that_speaks_for_the_client(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0", "o0")
    with transparent(way.proxy, version, socket.SOCK_DGRAM, CLIENT[version]) as sending:
        sending.settimeout(3)
        sending.connect((ORIGIN[version], 9))
        sending.send(b"nobody listens there")
        with pytest.raises(ConnectionRefusedError):
            sending.recv(16)


@BOTH
def test_datagrams(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **{**WEB, "ports": ["udp/53"], "to_port": 5353})
    deliver(way, "c0")
    with datagram_daemon(way.proxy, "proxy", version, 5353):
        way.expect(Answer("proxy", CLIENT[version], f"{ORIGIN[version]}/53"), version, udp=True, port=53)
    way.expect(NOTHING, version, udp=True, port=53)
    way.proxy.call("tproxy", **{**WEB, "ports": ["udp/53"], "to_port": 5353, "when_down": "open"})
    way.expect(REFUSED, version, udp=True, port=53)


@BOTH
def test_the_hosts_own_services_stay_reachable(way: Path, version: int) -> None:
    all_ports = {**WEB, "ports": ["tcp"]}
    way.proxy.call("tproxy", **all_ports)
    deliver(way, "c0", "o0")
    own = {"address": PROXY[version], "port": 22}
    with daemon(way.proxy, "sshd", version, 22), daemon(way.proxy, "proxy", version, 3129, transparent=True):
        way.expect(Answer("sshd", CLIENT[version], f"{PROXY[version]}/22"), version, **own)
        way.proxy.call("tproxy", **all_ports, own_addresses=True)
        way.expect(Answer("proxy", CLIENT[version], f"{PROXY[version]}/22"), version, **own)


@BOTH
def test_the_daemons_own_port_at_other_addresses_is_not_taken(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0")
    with daemon(way.origin, "origin", version, 3129), daemon(way.proxy, "proxy", version, 3129, transparent=True):
        way.expect(Answer("origin", CLIENT[version], f"{ORIGIN[version]}/3129"), version, port=3129)


@BOTH
def test_a_client_may_use_a_port_again(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **WEB)
    deliver(way, "c0")
    with daemon(way.proxy, "proxy", version, 3129, transparent=True):
        # The daemon closes first: its end of the connection is in TIME_WAIT, and the client's is gone in a moment.
        for _time in range(2):
            way.expect(from_proxy(version), version, source_port=40000)
            time.sleep(0.1)


@pytest.mark.parametrize("new_connections", [True, False])
@BOTH
def test_connections_under_way_go_on(way: Path, version: int, new_connections: bool) -> None:
    deliver(way, "c0")
    with daemon(way.origin, "origin", version, 8080, echo=True), asking(way.client, version, 8080) as under_way:
        options = {**WEB, "ports": ["tcp/8080"], "new_connections": new_connections}
        with daemon(way.proxy, "proxy", version, 3129, transparent=True, echo=True):
            way.proxy.call("tproxy", **options)
            if new_connections:
                under_way.echo(b"on")
            else:
                with pytest.raises(ConnectionResetError):
                    under_way.echo(b"on")
            with asking(way.client, version, 8080) as later:
                assert later.who == "proxy"
                way.proxy.call("tproxy", **{**options, "to_port": 3130, "when_down": "open"})
                later.echo(b"a connection keeps its daemon")


@pytest.mark.parametrize(
    ("option", "value", "taken"),
    [
        ("iif", ["c0"], True),
        ("iif", ["o0"], False),
        ("sources", [CLIENT[4]], True),
        ("sources", ["198.51.100.128/25"], False),
        ("vips", ["10.0.0.8/29"], True),
        ("vips", ["10.0.0.12"], False),
        ("ports", ["tcp/79-81"], True),
        ("ports", ["tcp/81-90"], False),
        ("ports", ["tcp"], True),
    ],
)
def test_what_is_taken(way: Path, option: str, value: list[str], taken: bool) -> None:
    way.proxy.call("tproxy", **{**WEB, "vips": ["0.0.0.0/0"], option: value})
    deliver(way, "c0")
    with daemon(way.proxy, "proxy", 4, 3129, transparent=True):
        way.expect((from_proxy if taken else from_origin)(4))


def test_packets_of_an_excluded_mac_go_on(way: Path) -> None:
    deliver(way, "c0")
    mac = way.client.ip_json("link show dev e0")[0]["address"]
    with daemon(way.proxy, "proxy", 4, 3129, transparent=True):
        way.proxy.call("tproxy", **WEB, exclude_macs=[mac.upper()])
        way.expect(from_origin(4))
        way.proxy.call("tproxy", **WEB)
        way.expect(from_origin(4))
        way.proxy.call("tproxy", **WEB, exclude_macs=[])
        way.expect(from_proxy(4))


@BOTH
@pytest.mark.parametrize("options", [WEB, REDIRECT], ids=["tproxy", "redirect"])
def test_packets_for_excluded_destinations_go_on(way: Path, version: int, options: dict[str, Any]) -> None:
    deliver(way, "c0")
    others = ["169.254.0.0/16", "fe80::/10", "198.51.100.255"]
    with daemon(way.proxy, "proxy", version, 3129, transparent=options is WEB, asked_before=options is REDIRECT):
        for exclude, answer in (
            (["10.0.0.0/24", "2001:db8:a::/64", *others], from_origin(version)),
            (None, from_origin(version)),
            (others, from_proxy(version)),
            ([ORIGIN[version]], from_origin(version)),
            ([], from_proxy(version)),
        ):
            way.proxy.call("tproxy", **options, exclude=exclude)
            assert not way.proxy.call("tproxy", **options, exclude=exclude)["changed"]
            way.expect(answer, version)


def test_an_excluded_destination_leaves_open_connections_to_the_daemon(way: Path) -> None:
    """What the daemon asks in the client's name is found by its socket, whatever the client's address."""
    deliver(way, "c0", "o0")
    way.proxy.call("tproxy", **WEB, exclude=[f"{CLIENT[4]}/32"])
    with daemon(way.proxy, "proxy", 4, 3129, transparent=True):
        way.expect(from_proxy(4))


@BOTH
@pytest.mark.parametrize("options", [WEB, REDIRECT], ids=["tproxy", "redirect"])
def test_the_port_of_the_daemon_is_closed_to_those_who_ask_it_itself(
    way: Path, version: int, options: dict[str, Any]
) -> None:
    deliver(way, "c0")
    itself = {"version": version, "port": 3129, "address": PROXY[version]}
    with daemon(way.proxy, "proxy", version, 3129, transparent=options is WEB, asked_before=options is REDIRECT):
        for closes, answer in (
            (None, Answer("proxy", CLIENT[version], f"{PROXY[version]}/3129")),
            (True, NOTHING),
            (None, NOTHING),
            (False, Answer("proxy", CLIENT[version], f"{PROXY[version]}/3129")),
            (True, NOTHING),
        ):
            way.proxy.call("tproxy", **options, close_ports=closes)
            assert not way.proxy.call("tproxy", **options, close_ports=closes)["changed"]
            way.expect(answer, **itself)
            way.expect(from_proxy(version), version)
        with way.proxy.entered():
            socket.create_connection((LOOPBACK[version], 3129), timeout=5).close()
        # Excluded or not, and closed no more where the entry may be meant for this host itself.
        way.proxy.call("tproxy", **options, exclude=[PROXY[version]])
        way.expect(NOTHING, **itself)
        way.proxy.call("tproxy", **{**options, "own_addresses": True}, exclude=[])
        way.expect(Answer("proxy", CLIENT[version], f"{PROXY[version]}/3129"), **itself)


def test_ipv6_that_means_an_ipv4_address_is_never_taken(netns: Namespace) -> None:
    """Squid would ask the address inside, such as the host's own 127.0.0.1."""
    netns.call("tproxy", method="redirect", vips=["::/0"], ports=["udp/514"], to_port=4000, when_down="closed")
    netns.run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0", "net.ipv6.conf.all.forwarding=1")
    netns.run("nft", "add table inet probe; add counter inet probe taken")
    netns.run("nft", "add chain inet probe in { type filter hook input priority 0; }")
    netns.run("nft", "add rule inet probe in udp dport 4000 counter name taken")
    with wire(netns) as line:
        for address in ("::ffff:127.0.0.1", "::ffff:10.0.0.2", "::127.0.0.1", VIP[6]):
            line.send(packet(address, "udp", 514))
        ends = time.monotonic() + 10
        while "packets 0" in (told := netns.run("nft", "list", "counter", "inet", "probe", "taken")):
            assert time.monotonic() < ends
    # The last one came, so that the others would have.
    assert "packets 1 " in told


@BOTH
def test_redirection_rewrites_the_header(way: Path, version: int) -> None:
    way.proxy.call("tproxy", **REDIRECT)
    way.expect(REFUSED, version)
    with daemon(way.proxy, "proxy", version, 3129, asked_before=True):
        way.expect(from_proxy(version), version)
    with daemon(way.proxy, "proxy", version, 3129):
        way.expect(Answer("proxy", CLIENT[version], f"{PROXY[version]}/3129"), version)


def test_redirection_to_loopback_needs_route_localnet(way: Path) -> None:
    way.proxy.call("tproxy", **{**REDIRECT, "vips": ["0.0.0.0/0"]}, to_addresses=["127.0.0.1"])
    with daemon(way.proxy, "proxy", 4, 3129, "127.0.0.1", asked_before=True):
        way.expect(NOTHING)
        way.proxy.run("sysctl", "-qw", "net.ipv4.conf.c0.route_localnet=1")
        way.expect(from_proxy(4))


def test_changes_lose_no_request(way: Path) -> None:
    deliver(way, "c0")
    way.proxy.call("tproxy", **WEB)
    answers: list[Answer | str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answers.append(way.ask())

    with daemon(way.proxy, "proxy", 4, 3129, transparent=True):
        client = threading.Thread(target=ask)
        client.start()
        until = time.monotonic() + 3
        turns = 0
        while time.monotonic() < until:
            for change in (
                {"vips": ["10.0.0.0/8", "::/0"]},
                {"when_down": "open"},
                {"ports": ["tcp/80", "tcp/81"], "exclude_macs": ["02:00:00:00:00:01"]},
                {"own_addresses": True, "exclude_macs": []},
            ):
                options = {**WEB, **change}
                entry = {name: options.pop(name) for name in tproxy.OPTIONS if name in options}
                way.proxy.call("tproxy", **options, entries=[entry], purge=True)
            turns += 1
        over.set()
        client.join()
    assert turns > 3
    assert set(answers) == {from_proxy(4)}


# What force does is in test_lock_out.py.
@pytest.mark.parametrize("option", sorted(set(tproxy.SPEC.options) - {"force"}))
def test_every_option_changed_alone_is_a_change(netns: Namespace, tmp_path: File, option: str) -> None:
    changed: dict[str, Any] = {
        "ports": ["tcp/81"],
        "sources": ["198.51.100.0/24", "2001:db8:c::/64"],
        "iif": ["v0"],
        "to_port": 3130,
        "to_addresses": ["127.0.0.1", "::1"],
        "own_addresses": True,
        "when_down": "open",
        "mark": "0x40000/0x40000",
        "new_connections": False,
        "close_ports": True,
        "exclude": ["169.254.0.0/16", "2001:db8:b::1"],
        "exclude_macs": ["02:00:00:00:00:01"],
        "table": "other",
        "file": str(tmp_path / "tproxy.nft"),
        "state": "absent",
    }
    entry = {name: WEB[name] for name in tproxy.OPTIONS if name in WEB}
    whole = {"mark": MARK, "entries": [entry]}
    goal: dict[str, Any] = {**WEB, option: changed.get(option)}
    if option == "vips":
        goal, whole = WEB, {**whole, "entries": [{**entry, "vips": ["0.0.0.0/0"]}]}
    if option == "purge":
        whole, goal = {**whole, "entries": [entry, {**entry, "ports": ["tcp/81"]}]}, {**whole, "purge": True}
    if option == "entries":
        goal = {"mark": MARK, "entries": [{**entry, "ports": ["tcp/80", "tcp/81"]}]}
    if option == "method":
        goal = {**REDIRECT, "table": "other"}
    netns.call("tproxy", **whole)
    predicted = netns.call("tproxy", check=True, **goal)
    assert predicted["changed"]
    assert netns.call("tproxy", **goal) == predicted
    assert not netns.call("tproxy", **goal)["changed"]


def test_an_entry_comes_to_others_and_goes_again(netns: Namespace) -> None:
    netns.call("tproxy", **WEB, new_connections=False, exclude_macs=["02:00:00:00:00:01"])
    before = listed(netns)
    other = {**WEB, "vips": [VIP[4]], "ports": ["tcp/443"], "to_port": 3130}
    assert netns.call("tproxy", **other)["changes"] == [f"add ipv4 {VIP[4]} tcp/443 goto tproxy_v4_tcp_any_3130_closed"]
    assert netns.call("tproxy", vips=[VIP[4]], ports=["tcp/443"], state="absent")["changed"]
    assert sorted(map(str, listed(netns))) == sorted(map(str, before))
    assert netns.call("tproxy", entries=[], purge=True)["changed"]
    assert listed(netns) == []


@pytest.mark.parametrize("options", [WEB, REDIRECT, PLAIN], ids=["tproxy", "redirect", "plain"])
@pytest.mark.parametrize(
    "damage",
    [
        f"flush chain {TABLE} prerouting",
        f"flush chain {TABLE} lookups",
        f"insert rule {TABLE} prerouting accept",
        f"add rule {TABLE} lookups drop",
        f"flush chain {TABLE} CHAIN",
        f"insert rule {TABLE} CHAIN accept",
        f"add chain {TABLE} prerouting {{ policy drop; }}",
        f"delete element {TABLE} v4_ports {{ 0.0.0.0/0 . tcp . 80 }}",
        f"add chain {TABLE} tproxy_v4_udp_any_7_open",
        f"add set {TABLE} excluded_macs {{ type ether_addr; }}",
        f"delete chain {TABLE} prerouting",
    ],
)
def test_damage_is_repaired(netns: Namespace, options: dict[str, Any], damage: str) -> None:
    result = netns.call("tproxy", **options)
    chain = next(line for line in result["changes"] if " goto " in line).rpartition(" ")[2]
    sound = listed(netns)
    netns.run("nft", damage.replace("CHAIN", chain))
    assert listed(netns) != sound
    predicted = netns.call("tproxy", check=True, **options)
    assert predicted["changed"]
    assert netns.call("tproxy", **options) == predicted
    assert sorted(map(str, listed(netns))) == sorted(map(str, sound))
    assert not netns.call("tproxy", **options)["changed"]


@pytest.mark.parametrize(
    "foreign",
    [
        f"add chain {TABLE} mine",
        f"add chain {TABLE} output {{ type route hook output priority -150; }}",
        f"add set {TABLE} mine {{ type ipv4_addr; }}",
        f"add map {TABLE} saved_0x1 {{ type mark : verdict; }}",
        f"add map {TABLE} v4_ports {{ type ipv4_addr : verdict; }}",
        f"add chain {TABLE} prerouting {{ type filter hook prerouting priority -150; }}",
        f"add chain {TABLE} tproxy_v4_tcp_nowhere_7_open",
        f"add chain {TABLE} tproxy_v4_tcp_any_any_open",
    ],
)
def test_a_foreign_table_is_refused(netns: Namespace, foreign: str) -> None:
    netns.run("nft", "-f", "-", stdin=f"add table {TABLE}; {foreign}")
    before = listed(netns)
    for options in (WEB, {"entries": [], "purge": True}):
        with pytest.raises(Refused, match="so it is not of this module's making"):
            netns.call("tproxy", **options)
    assert listed(netns) == before
    assert netns.call("tproxy", **WEB, table="other")["changed"]


def test_a_table_of_marks_and_one_of_a_proxy_refuse_each_other(netns: Namespace) -> None:
    marks = {"vips": EVERYWHERE, "ports": ["tcp/80"], "mark": "1"}
    netns.call("tproxy", **WEB)
    with pytest.raises(Refused, match="a chain tproxy_v4_tcp_any_3129_closed, so it is not"):
        netns.call("fwmark", **marks, table="lvs_tproxy")
    netns.call("fwmark", **marks)
    with pytest.raises(Refused, match=r"an element 'ipv4 0\.0\.0\.0/0 tcp/80 mark 0x1', so it is not"):
        netns.call("tproxy", **WEB, table="lvs_vipless")


def test_another_method_is_refused(netns: Namespace) -> None:
    netns.call("tproxy", **WEB)
    before = listed(netns)
    with pytest.raises(Refused) as caught:
        netns.call("tproxy", **REDIRECT)
    assert str(caught.value) == (
        "method: 'redirect' refused: the table of this host is one of method tproxy. "
        "Remove it with state: absent first, or name another table."
    )
    assert listed(netns) == before
    netns.call("tproxy", **{**REDIRECT, "state": "absent"})
    assert netns.call("tproxy", **REDIRECT)["changed"]


def test_an_entry_that_overlaps_one_that_stays_is_refused(netns: Namespace) -> None:
    netns.call("tproxy", **WEB)
    with pytest.raises(Refused, match="which it overlaps"):
        netns.call("tproxy", **{**WEB, "vips": ["10.0.0.0/8"]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mark": None}, "mark is missing: say which mark packets get that stay on this host."),
        ({"mark": "0/1"}, "mark: '0/1' is no mark: packets have 0 without one."),
        ({"mark": "2/1"}, "mark: '2/1' has bits outside its mask"),
        ({"when_down": None}, "when_down is missing: say what becomes of packets while the daemon is down."),
        ({"vips": []}, "vips: [] is empty: name at least one VIP."),
        ({"vips": ["nope"]}, "vips[0]: 'nope' is not an IPv4 or IPv6 prefix or address."),
        ({"ports": ["icmp"], "vips": ["0.0.0.0/0"]}, "ports: 'icmp' has no socket to be given to: tcp and udp have."),
        ({"ports": ["any"]}, "ports: 'any' has no socket to be given to: tcp and udp have."),
        ({"ports": ["sctp/80"]}, "ports: 'sctp/80' has no socket to be given to: tcp and udp have."),
        ({"to_port": 0}, "to_port: 0 is not between 1 and 65535."),
        ({"to_port": 65536}, "to_port: 65536 is not between 1 and 65535."),
        ({"to_addresses": []}, "to_addresses: [] has no ipv"),
        ({"to_addresses": ["127.0.0.1"]}, "to_addresses: ['127.0.0.1'] has no ipv6 address, and the VIPs have."),
        ({"to_addresses": ["127.0.0.1", "127.0.0.2"]}, "to_addresses[1]: '127.0.0.2' is a second ipv4 address."),
        ({"to_addresses": ["localhost"]}, "to_addresses[0]: 'localhost' is not an IPv4 or IPv6 address."),
        (
            {"vips": ["0.0.0.0/0"], "to_addresses": ["::1"]},
            "to_addresses[0]: '::1' is of a family that none of the VIPs is of.",
        ),
        ({"exclude": ["10.0.0.0/8", "10.1"]}, "exclude[1]: '10.1' is not an IPv4 or IPv6 prefix or address."),
        ({"exclude_macs": ["nope"]}, "exclude_macs[0]: 'nope' is not a MAC address such as 52:54:00:12:34:56."),
        ({"table": "no table"}, "table: 'no table' is not a table's name"),
        ({"iif": ["far too long a name"]}, "iif[0]: 'far too long a name' is not an interface name"),
        ({"method": "redirect"}, f"mark: '{MARK}' goes with method tproxy."),
        (
            {"method": "redirect", "mark": None, "new_connections": True},
            "new_connections: True goes with method tproxy.",
        ),
        ({"method": "redirect", "mark": None, "to_port": None}, "to_port is missing: method redirect needs it."),
        (
            {"method": "redirect", "mark": None, "when_down": "open"},
            "when_down: 'open' is nothing that method redirect can do: the header is rewritten before anybody knows",
        ),
        (
            {"method": "redirect", "mark": None, "to_addresses": ["127.0.0.1", "::1"]},
            "to_addresses: '::1' takes no packet from another host: IPv6 has no route_localnet.",
        ),
        ({"vips": ["0.0.0.0/0", "10.0.0.0/8"]}, "vips[1]: 'ipv4 10.0.0.0/8 tcp/80 goto"),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("tproxy", **{name: value for name, value in {**WEB, **change}.items() if value is not None})
    assert str(caught.value).startswith(message)
    assert listed(netns) == []


def test_an_entry_of_a_list_is_named_in_its_error(netns: Namespace) -> None:
    entry = {name: WEB[name] for name in tproxy.OPTIONS if name in WEB}
    with pytest.raises(BadInput, match=r"^entries\[1\]\.to_port: 0 is not between 1 and 65535\.$"):
        netns.call("tproxy", mark=MARK, entries=[entry, {**entry, "ports": ["tcp/81"], "to_port": 0}])


def test_reading_needs_privilege_too(netns: Namespace) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(LvsError, match="CAP_NET_ADMIN"):
        call("tproxy", check=True, **WEB)


def test_ten_thousand_vips_are_no_more_rules(netns: Namespace) -> None:
    many = [f"198.{18 + place // 5000}.{place % 5000 // 250}.{place % 250}" for place in range(10_000)]
    netns.call("tproxy", **{**WEB, "vips": many[:1]})
    rules = sum("rule" in item for item in listed(netns))
    started = time.process_time()
    assert netns.call("tproxy", **{**WEB, "vips": many})["changed"]
    assert not netns.call("tproxy", **{**WEB, "vips": many})["changed"]
    assert time.process_time() - started < 10
    assert sum("rule" in item for item in listed(netns)) == rules
