"""The module static_neighbor against the kernel. ``ip -j -d neighbour`` is the oracle, and for proxies a neighbour that
asks."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, LvsError, Refused
from ansible_collections.lvs.vipless.plugins.modules import static_neighbor
from far_end import Neighbour
from namespace import Namespace, call, without_net_admin

MAC, OTHER_MAC = "02:00:5e:10:00:01", "02:00:5e:10:00:02"
ONE = {"address": "10.0.0.9", "device": "v0", "mac": MAC}
BOTH = [ONE, {"address": "2001:db8:a::9", "device": "v0", "mac": MAC}]
# The last three bytes are those of the host's own address, so that the question arrives.
PROXIED4, PROXIED6 = "198.51.100.9", "2001:db8:b::2"
PROXIES = [{"address": address, "device": "v0", "proxy": True} for address in (PROXIED4, PROXIED6)]

# What each option of ONE is changed to.
CHANGES: dict[str, dict[str, Any]] = {
    "address": {"address": "10.0.0.10"},
    "device": {"device": "v1"},
    "mac": {"mac": OTHER_MAC},
    "proxy": {"proxy": True, "mac": None},
    "protocol": {"protocol": "118"},
}


def shown(netns: Namespace, listing: str = "nud all") -> list[dict[str, Any]]:
    """Permanent and proxy entries."""
    found = netns.ip_json(f"neigh show {listing}") + netns.ip_json("neigh show proxy")
    return sorted((e for e in found if e.get("state") == ["PERMANENT"] or "proxy" in e), key=str)


def test_permanent_entries(netns: Namespace) -> None:
    assert netns.call("static_neighbor", neighbors=BOTH)["changed"]
    assert shown(netns) == [
        {"dst": e["address"], "dev": "v0", "lladdr": MAC, "state": ["PERMANENT"], "protocol": "117"} for e in BOTH
    ]
    assert not netns.call("static_neighbor", neighbors=BOTH, purge=True)["changed"]


def test_proxy_entries(netns: Namespace) -> None:
    assert netns.call("static_neighbor", neighbors=PROXIES)["changed"]
    assert shown(netns) == [{"dst": e["address"], "dev": "v0", "proxy": None, "protocol": "117"} for e in PROXIES]
    assert not netns.call("static_neighbor", neighbors=PROXIES, purge=True)["changed"]


def test_permanent_and_proxy_are_two_entries(netns: Namespace) -> None:
    both = [ONE, {"address": ONE["address"], "device": "v0", "proxy": True}]
    netns.call("static_neighbor", neighbors=both)
    assert len(shown(netns)) == 2
    netns.call("static_neighbor", state="absent", address=ONE["address"], device="v0")
    assert (
        [entry["dst"] for entry in netns.ip_json("neigh show proxy")]
        == [ONE["address"]]
        == [entry["dst"] for entry in shown(netns)]
    )


@pytest.mark.parametrize("option", static_neighbor.OPTIONS)
def test_every_option_changed_alone_is_a_change(netns: Namespace, option: str) -> None:
    netns.call("static_neighbor", **ONE)
    changed = {**ONE, **CHANGES[option]}
    predicted = netns.call("static_neighbor", check=True, **changed)
    assert predicted["changed"]
    assert netns.call("static_neighbor", **changed) == predicted
    assert not netns.call("static_neighbor", **changed)["changed"]


@pytest.mark.parametrize("state", ["reachable", "stale", "delay", "noarp"])
def test_what_was_learned_becomes_permanent_in_place(netns: Namespace, state: str) -> None:
    for entry in BOTH:
        netns.ip(f"neigh add {entry['address']} lladdr {OTHER_MAC} dev v0 nud {state}")
    result = netns.call("static_neighbor", neighbors=BOTH)
    assert [line.split()[0] for line in result["changes"]] == ["change", "change"]
    assert [(e["lladdr"], e["protocol"]) for e in shown(netns)] == [(MAC, "117")] * 2


def test_what_was_asked_for_in_vain_is_an_addition(netns: Namespace) -> None:
    netns.ip("neigh add 10.0.0.9 dev v0 nud failed")
    assert netns.call("static_neighbor", **ONE)["changes"] == [
        f"add ipv4 10.0.0.9 dev v0 lladdr {MAC} permanent proto 117"
    ]
    assert [e["dst"] for e in shown(netns)] == ["10.0.0.9"]


def test_purge_takes_ours_alone(netns: Namespace) -> None:
    netns.ip(f"neigh add 10.0.0.20 lladdr {MAC} dev v0 nud permanent")
    netns.ip(f"neigh add 10.0.0.21 lladdr {MAC} dev v0 nud permanent proto 118")
    netns.ip("neigh add proxy 198.51.100.20 dev v0")
    netns.ip("neigh add proxy 198.51.100.21 dev v0 proto 118")
    others = shown(netns)
    netns.call("static_neighbor", neighbors=BOTH + PROXIES)
    result = netns.call("static_neighbor", neighbors=[], purge=True)
    assert len(result["changes"]) == 4
    assert shown(netns) == others
    assert netns.call("static_neighbor", neighbors=[], purge=True, purge_protocol="118")["changed"]
    assert len(shown(netns)) == 2


def test_absent_leaves_what_another_owner_put_there(netns: Namespace) -> None:
    netns.ip(f"neigh add 10.0.0.9 lladdr {MAC} dev v0 nud permanent proto 118")
    gone = {"state": "absent", "address": "10.0.0.9", "device": "v0"}
    assert not netns.call("static_neighbor", **gone)["changed"]
    assert netns.call("static_neighbor", protocol="118", **gone)["changed"]
    assert shown(netns) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"address": "10.0.0.0/24"}, "address: '10.0.0.0/24' is not an IPv4 or IPv6 address."),
        ({"address": "224.0.0.1"}, "address: '224.0.0.1' is not the address of one host on a link."),
        ({"address": "ff02::1"}, "address: 'ff02::1' is not the address of one host on a link."),
        ({"address": "255.255.255.255"}, "address: '255.255.255.255' is not the address of one host on a link."),
        ({"address": "127.0.0.1"}, "address: '127.0.0.1' is not the address of one host on a link."),
        ({"device": "nope0"}, "device: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"device": "lo"}, "device: 'lo' has no neighbours."),
        ({"device": None}, "device is missing: name the interface."),
        ({"mac": None}, "mac is missing: give the neighbour's MAC, or proxy: true."),
        ({"mac": "02:00:5e:10:00"}, "mac: '02:00:5e:10:00' is not a MAC of six bytes such as 02:00:5e:10:00:01."),
        ({"mac": "02-00:5e:10:00:01"}, "mac: '02-00:5e:10:00:01' is not a MAC of six bytes such as 02:00:5e:10:00:01."),
        *(
            ({"mac": mac}, f"mac: '{mac}' is the MAC of nobody or of a group, not of one network card.")
            for mac in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01")
        ),
        ({"proxy": True}, f"mac: '{MAC}' cannot go with proxy: the host answers with its own."),
        ({"purge": True}, "purge: True goes with the list neighbors and state: present only."),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("static_neighbor", **{**ONE, **change})
    assert str(caught.value) == message
    assert shown(netns) == []


def test_an_entry_named_twice_is_an_error(netns: Namespace) -> None:
    with pytest.raises(BadInput, match=r"neighbors\[1\].* names the same object as neighbors\[0\]"):
        netns.call("static_neighbor", neighbors=[ONE, {**ONE, "mac": OTHER_MAC}])
    with pytest.raises(BadInput, match=r"^address\[2\]: .* names the same object as address\[0\]"):
        netns.call("static_neighbor", **{**ONE, "address": ["10.0.0.9", "10.0.0.8", "10.0.0.9"]})


def test_many_addresses_have_one_mac(netns: Namespace) -> None:
    many = {"address": ["10.0.0.8", "2001:db8:a::8", "198.51.100.8"], "device": "v0", "mac": MAC}
    predicted = netns.call("static_neighbor", check=True, **many)
    assert netns.call("static_neighbor", **many) == predicted
    assert {entry["dst"]: entry["lladdr"] for entry in shown(netns)} == dict.fromkeys(many["address"], MAC)
    assert not netns.call("static_neighbor", **many)["changed"]
    netns.call("static_neighbor", **{**many, "address": ["10.0.0.8"]}, state="absent")
    assert {entry["dst"] for entry in shown(netns)} == {"2001:db8:a::8", "198.51.100.8"}


@pytest.mark.parametrize("address", ["10.0.0.2", "2001:db8:a::2"])
@pytest.mark.parametrize("kind", [{"mac": MAC}, {"proxy": True}])
def test_refuses_the_hosts_own_address(netns: Namespace, address: str, kind: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="it is an address of this host, on v0"):
        netns.call("static_neighbor", address=address, device="v0", **kind)
    assert shown(netns) == []


@pytest.mark.parametrize("written", ["02-00-5E-10-00-01", "02:00:5E:10:00:01"])
def test_a_mac_is_read_in_every_notation(netns: Namespace, written: str) -> None:
    netns.call("static_neighbor", **ONE)
    assert not netns.call("static_neighbor", **{**ONE, "mac": written})["changed"]


def test_check_mode_needs_no_privilege_and_a_change_does(netns: Namespace) -> None:
    with netns.entered(), without_net_admin():
        assert call("static_neighbor", check=True, **ONE)["changed"]
        with pytest.raises(LvsError, match="CAP_NET_ADMIN"):
            call("static_neighbor", **ONE)


def test_ten_thousand_entries_pass_the_limit_of_the_table_quickly(netns: Namespace) -> None:
    entries = [{**ONE, "address": f"10.{50 + place // 250}.{place % 250}.1"} for place in range(10_000)]
    started = time.process_time()
    assert netns.call("static_neighbor", neighbors=entries, purge=True)["changed"]
    assert not netns.call("static_neighbor", neighbors=entries, purge=True)["changed"]
    assert netns.call("static_neighbor", neighbors=[], purge=True)["changed"]
    assert time.process_time() - started < 5
    assert shown(netns) == []


def test_entries_outlive_the_carrier_and_not_the_interface(netns: Namespace) -> None:
    netns.call("static_neighbor", neighbors=BOTH + PROXIES)
    netns.ip("link set v1 down")
    assert len(shown(netns)) == 4
    netns.ip("link set v0 down")
    assert shown(netns) == []


def test_a_packet_goes_to_the_mac_without_a_question(netns: Namespace, neighbour: Neighbour) -> None:
    netns.call("static_neighbor", **ONE)
    with netns.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("10.0.0.9", 9))
    assert neighbour.destination_of("10.0.0.9") == MAC


def _write(netns: Namespace, **values: int) -> None:
    netns.run("sysctl", "-qw", *(f"{name.replace('__', '.')}={value}" for name, value in values.items()))


def test_ipv4_proxy_answers_where_the_host_forwards(netns: Namespace, neighbour: Neighbour) -> None:
    netns.ip("link add d0 type veth peer name d1")
    netns.ip("link set d1 up")
    netns.ip("link set d0 up")
    netns.ip("route add 198.51.100.0/24 dev d0")
    _write(netns, net__ipv4__neigh__v0__proxy_delay=0)
    (warning,) = netns.call("static_neighbor", **PROXIES[0])["warnings"]
    assert warning == (
        "v0: the ipv4 proxy entries are not answered for, because net.ipv4.conf.v0.forwarding is 0 in effect. "
        "Set net.ipv4.conf.v0.forwarding to 1."
    )
    assert neighbour.arp_answers(PROXIED4, "10.0.0.2") == {"10.0.0.2"}
    _write(netns, net__ipv4__conf__v0__forwarding=1)
    assert netns.call("static_neighbor", **PROXIES[0])["warnings"] == []
    assert neighbour.arp_answers(PROXIED4, "198.51.100.10", "10.0.0.2") == {PROXIED4, "10.0.0.2"}
    # Not where the route leads back through the device that was asked on.
    netns.ip("route replace 198.51.100.0/24 via 10.0.0.1 dev v0")
    assert neighbour.arp_answers(PROXIED4, "10.0.0.2") == {"10.0.0.2"}


@pytest.mark.parametrize("where", ["all", "v0"])
def test_ipv6_proxy_answers_where_the_host_forwards_and_proxies(
    netns: Namespace, neighbour: Neighbour, where: str
) -> None:
    own = "2001:db8:a::2"
    _write(netns, net__ipv6__neigh__v0__proxy_delay=0)
    warnings = netns.call("static_neighbor", **PROXIES[1])["warnings"]
    assert [warning.rpartition("Set ")[2] for warning in warnings] == [
        "net.ipv6.conf.v0.forwarding to 1.",
        "net.ipv6.conf.v0.proxy_ndp to 1.",
    ]
    assert neighbour.neighbour_answers(PROXIED6, own) == {own}
    _write(netns, net__ipv6__conf__v0__forwarding=1)
    assert len(netns.call("static_neighbor", **PROXIES[1])["warnings"]) == 1
    assert neighbour.neighbour_answers(PROXIED6, own) == {own}
    _write(netns, **{f"net__ipv6__conf__{where}__proxy_ndp": 1})
    assert netns.call("static_neighbor", **PROXIES[1])["warnings"] == []
    assert neighbour.neighbour_answers(PROXIED6, own) == {PROXIED6, own}


def test_another_process_with_proxies_of_its_own_is_not_in_the_way(netns: Namespace, tmp_path: Path) -> None:
    ours = [{"address": f"2001:db8:e::{place:x}", "device": "v0", "proxy": True} for place in range(1, 1001)]
    netns.call("static_neighbor", neighbors=ours)
    for verb in ("add", "del"):
        lines = [f"neigh {verb} proxy 2001:db8:c::{place:x} dev v0" for place in range(1, 1001)]
        (tmp_path / verb).write_text("\n".join(lines) + "\n")
    running = tmp_path / "running"
    running.touch()
    loop = 'while test -e "$0"; do ip -batch "${0%/*}/add" && ip -batch "${0%/*}/del" || exit 1; done'
    with subprocess.Popen(["ip", "netns", "exec", netns.name, "sh", "-c", loop, str(running)]) as other:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert not netns.call("static_neighbor", check=True, neighbors=ours, purge=True)["changed"]
        running.unlink()
    assert other.returncode == 0
