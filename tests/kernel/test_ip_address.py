"""The module ip_address against the kernel. The oracle is ``ip -j -d address``, and pyroute2 for the owner."""

from __future__ import annotations

import json
import shlex
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroute2 import IPRoute
from pyroute2.netlink import rtnl

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing, PartlyApplied, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses
from namespace import Namespace, call, without_net_admin

VIP4, VIP6 = "203.0.113.10", "2001:db8:f::10"
VIPS = {"prefixes": [VIP4, VIP6]}


def everything(netns: Namespace) -> dict[str, list[dict[str, Any]]]:
    """The addresses of each device, without those that the kernel puts there itself, sooner or later."""
    return {
        link["ifname"]: [
            one
            for one in link["addr_info"]
            if one["local"] not in {"127.0.0.1", "::1"} and not one["local"].startswith("fe80:")
        ]
        for link in netns.ip_json("address show")
    }


def shown(netns: Namespace, device: str = "lo") -> list[dict[str, Any]]:
    return everything(netns)[device]


def prefixes(netns: Namespace, device: str = "lo") -> list[str]:
    return sorted(f"{a['local']}/{a['prefixlen']}" for a in shown(netns, device))


def owners(netns: Namespace) -> dict[str, int | None]:
    """The protocol of every address of the namespace; ip(8) of Debian 12 does not show it."""
    with netns.entered(), IPRoute() as ipr:
        return {f"{a.get_attr('IFA_ADDRESS')}/{a['prefixlen']}": a.get_attr("IFA_PROTO") for a in ipr.get_addr()}


@contextmanager
def announced(netns: Namespace) -> Iterator[list[int]]:
    """The types of the messages by which the kernel tells of addresses that come and go, meanwhile."""
    seen: list[int] = []
    with netns.entered():
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    with listener:
        listener.bind((0, rtnl.RTMGRP_IPV4_IFADDR | rtnl.RTMGRP_IPV6_IFADDR))
        listener.setblocking(False)
        yield seen
        with suppress(BlockingIOError):
            while True:
                seen.append(struct.unpack_from("=IH", listener.recv(65536))[1])


def test_vips_on_lo(netns: Namespace) -> None:
    result = netns.call("ip_address", **VIPS)
    assert result["changes"] == [
        "add ipv4 203.0.113.10/32 dev lo scope global proto 117",
        "add ipv6 2001:db8:f::10/128 dev lo nodad proto 117",
    ]
    vip4, vip6 = shown(netns)
    assert (vip4["local"], vip4["prefixlen"], vip4["scope"]) == (VIP4, 32, "global")
    assert (vip6["local"], vip6["prefixlen"], vip6["scope"], vip6["nodad"]) == (VIP6, 128, "global", True)
    assert owners(netns)["203.0.113.10/32"] == owners(netns)["2001:db8:f::10/128"] == 117
    again = netns.call("ip_address", **VIPS)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"] != ""


def test_a_vip_is_local(netns: Namespace) -> None:
    netns.call("ip_address", **VIPS)
    for family, vip in (("-4", VIP4), ("-6", VIP6)):
        (answer,) = netns.ip_json(f"{family} route get {vip}")
        assert answer["type"] == "local"


def test_a_short_prefix_on_lo_is_local_as_a_whole(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=["203.0.113.10/24"])
    (answer,) = netns.ip_json("route get 203.0.113.99")
    assert answer["type"] == "local"


def test_check_mode_predicts_and_changes_nothing(netns: Namespace) -> None:
    netns.ip("address add 198.51.100.1/32 dev lo")
    netns.call("ip_address", prefixes=["198.51.100.2", "2001:db8:f::10/64"])
    before = everything(netns)
    wanted = [VIPS, {"prefixes": ["198.51.100.1"]}, {"prefixes": ["198.51.100.9/24"], "device": "v1"}]
    predicted = netns.call("ip_address", check=True, addresses=wanted, purge=True)
    assert everything(netns) == before
    assert predicted == netns.call("ip_address", addresses=wanted, purge=True)
    assert sorted(change.split()[0] for change in predicted["changes"]) == ["add", "add", "change", "change", "remove"]


@pytest.mark.parametrize(
    ("option", "value", "left"),
    [
        ("prefixes", ["203.0.113.11"], ["203.0.113.10/32", "203.0.113.11/32"]),
        ("prefixes", ["203.0.113.10/31"], ["203.0.113.10/31", "203.0.113.10/32"]),
        ("device", "v0", ["203.0.113.10/32"]),
        ("scope", "host", ["203.0.113.10/32"]),
        ("scope", "link", ["203.0.113.10/32"]),
        ("protocol", 118, ["203.0.113.10/32"]),
    ],
)
def test_every_option_changed_alone_is_a_change(netns: Namespace, option: str, value: object, left: list[str]) -> None:
    start: dict[str, Any] = {"prefixes": [VIP4]}
    netns.call("ip_address", **start)
    changed = {**start, option: value}
    assert netns.call("ip_address", **changed)["changed"]
    assert not netns.call("ip_address", **changed)["changed"]
    assert prefixes(netns) == left
    if option == "device":
        assert prefixes(netns, "v0") == ["10.0.0.2/24", "2001:db8:a::2/64", "203.0.113.10/32"]
    if option == "scope":
        assert shown(netns)[0]["scope"] == value
    if option == "protocol":
        assert owners(netns)["203.0.113.10/32"] == 118


def test_the_length_of_an_ipv6_address_changes(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=["2001:db8:f::10/64"])
    result = netns.call("ip_address", prefixes=["2001:db8:f::10"])
    assert result["changes"] == [
        "change ipv6 2001:db8:f::10/64 dev lo nodad proto 117 to ipv6 2001:db8:f::10/128 dev lo nodad proto 117"
    ]
    assert prefixes(netns) == ["2001:db8:f::10/128"]
    assert not netns.call("ip_address", prefixes=["2001:db8:f::10"])["changed"]


def test_the_kernels_default_scope_for_a_loopback_address(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=["127.0.0.5"])
    netns.ip("address add 127.0.0.6/32 dev lo")
    assert {a["local"]: a["scope"] for a in shown(netns)} == {"127.0.0.5": "host", "127.0.0.6": "host"}


def test_an_address_that_is_there_is_taken_over_in_place(netns: Namespace) -> None:
    netns.ip("address add 203.0.113.10/32 dev lo label lo:0 valid_lft 500 preferred_lft 400")
    netns.ip("address add 2001:db8:f::10/128 dev lo valid_lft 500 preferred_lft 400")
    with announced(netns) as events:
        result = netns.call("ip_address", **VIPS)
    assert result["changes"] == [
        "change ipv4 203.0.113.10/32 dev lo scope global dynamic to ipv4 203.0.113.10/32 dev lo scope global proto 117",
        "change ipv6 2001:db8:f::10/128 dev lo dynamic to ipv6 2001:db8:f::10/128 dev lo nodad proto 117",
    ]
    vip4, vip6 = shown(netns)
    assert vip4["label"] == "lo:0"
    assert vip4["valid_life_time"] == vip6["valid_life_time"] == 0xFFFFFFFF
    assert owners(netns)["203.0.113.10/32"] == owners(netns)["2001:db8:f::10/128"] == 117
    assert set(events) == {rtnl.RTM_NEWADDR}
    assert not netns.call("ip_address", **VIPS)["changed"]


def test_foreign_addresses_stay(netns: Namespace) -> None:
    netns.ip("address add 203.0.113.10/24 dev v1")
    netns.ip("address add 203.0.113.10/31 dev lo")
    netns.ip("address add 203.0.113.10 peer 203.0.113.99/32 dev lo")
    before = everything(netns)
    netns.call("ip_address", prefixes=[VIP4])
    netns.call("ip_address", state="absent", prefixes=[VIP4])
    assert everything(netns) == before


def test_purge_takes_ours_alone_from_every_device(netns: Namespace) -> None:
    netns.ip("address add 198.51.100.1/32 dev lo")
    netns.call("ip_address", prefixes=["198.51.100.2"], protocol=118)
    before = everything(netns)
    netns.call("ip_address", **VIPS)
    netns.call("ip_address", prefixes=["198.51.100.3/24", "2001:db8:e::3/64"], device="v1")
    result = netns.call("ip_address", addresses=[], purge=True)
    assert len(result["changes"]) == 4
    assert everything(netns) == before
    assert netns.call("ip_address", addresses=[], purge=True, purge_protocol=118)["changed"]
    assert prefixes(netns) == ["198.51.100.1/32"]


def test_absent(netns: Namespace) -> None:
    netns.call("ip_address", **VIPS)
    netns.call("ip_address", prefixes=["198.51.100.2"])
    assert netns.call("ip_address", state="absent", **VIPS)["changed"]
    assert prefixes(netns) == ["198.51.100.2/32"]
    assert not netns.call("ip_address", state="absent", **VIPS)["changed"]
    assert not netns.call("ip_address", state="absent", device="gone0", **VIPS)["changed"]


@pytest.mark.parametrize("prefix", [VIP4, VIP6, "2001:db8:f::10/64"])
def test_absent_leaves_what_another_owner_put_there(netns: Namespace, prefix: str) -> None:
    netns.ip("address add 203.0.113.10/32 dev lo")
    netns.ip("address add 2001:db8:f::10/128 dev lo")
    assert not netns.call("ip_address", state="absent", prefixes=[prefix])["changed"]
    assert prefixes(netns) == ["2001:db8:f::10/128", "203.0.113.10/32"]


@pytest.fixture
def without_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before 5.18, where the kernel ignores IFA_PROTO and shows none: this one treats a number it has not so."""
    monkeypatch.setattr(addresses, "_PROTOCOL", 200)
    monkeypatch.setattr(addresses.platform, "release", lambda: "5.10.0-30-amd64")


@pytest.mark.usefixtures("without_owners")
def test_a_kernel_that_keeps_no_owner(netns: Namespace) -> None:
    result = netns.call("ip_address", **VIPS)
    assert result["changes"] == [
        "add ipv4 203.0.113.10/32 dev lo scope global",
        "add ipv6 2001:db8:f::10/128 dev lo nodad",
    ]
    assert owners(netns)["203.0.113.10/32"] is owners(netns)["2001:db8:f::10/128"] is None
    assert not netns.call("ip_address", **VIPS)["changed"]
    assert not netns.call("ip_address", addresses=[], purge=True)["changed"]
    assert netns.call("ip_address", state="absent", **VIPS)["changed"]
    assert prefixes(netns) == []


def test_an_older_kernel_that_shows_an_owner_keeps_them(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses.platform, "release", lambda: "5.14.0-427.el9.x86_64")
    netns.call("ip_address", **VIPS)
    assert owners(netns)["203.0.113.10/32"] == 117


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefixes": []}, "prefixes: [] is empty: name at least one address."),
        ({"prefixes": ["foo"]}, "prefixes[0]: 'foo' is not an IPv4 or IPv6 address, with or without a prefix length."),
        (
            {"prefixes": [VIP4, "203.0.113.10/33"]},
            "prefixes[1]: '203.0.113.10/33' is not an IPv4 or IPv6 address, with or without a prefix length.",
        ),
        (
            {"prefixes": ["fe80::1%v0/64"]},
            "prefixes[0]: 'fe80::1%v0/64' has a zone; name the device in its own option.",
        ),
        ({"prefixes": ["224.0.0.9"]}, "prefixes[0]: '224.0.0.9' is not an address that a device can have."),
        ({"prefixes": ["::"]}, "prefixes[0]: '::' is not an address that a device can have."),
        ({"prefixes": ["255.255.255.255"]}, "prefixes[0]: '255.255.255.255' is not an address that a device can have."),
        (
            {"prefixes": ["203.0.113.10/0"]},
            "prefixes[0]: '203.0.113.10/0' would take every address there is onto the device: give a longer prefix.",
        ),
        ({"device": "nope0"}, "device: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"device": "a name"}, "device: 'a name' is not an interface name (1 to 15 characters, no space, no slash)."),
        (
            {"protocol": "3"},
            "protocol: '3' is ip(8)'s own number, and what carries it would be taken for this collection's. "
            "Choose a number that nobody has on this host, such as 117.",
        ),
        ({"purge_protocol": "256"}, "purge_protocol: '256' is not between 1 and 255."),
        (
            {"scope": "host"},
            "scope: 'host' cannot be set for 2001:db8:f::10: an IPv6 address has its scope in itself.",
        ),
        ({"purge": True}, "purge: True goes with the list addresses and state: present only."),
        (
            {"prefixes": [VIP4, "203.0.113.10/32"]},
            "prefixes[1]: 'ipv4 203.0.113.10/32 dev lo scope global proto 117' names the same object as prefixes[0].",
        ),
        (
            {"prefixes": [VIP6, "2001:db8:f::10/64"]},
            "prefixes[1]: 'ipv6 2001:db8:f::10/64 dev lo nodad proto 117' names the same object as prefixes[0].",
        ),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    before = everything(netns)
    with pytest.raises(BadInput) as caught:
        netns.call("ip_address", **{**VIPS, **change})
    assert str(caught.value) == message
    assert everything(netns) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prefixes": ["10.0.0.1"]}, "'10.0.0.1/32' refused: it is the next hop of 0.0.0.0/0."),
        ({"prefixes": ["10.0.0.1/24"], "device": "v1"}, "it is the next hop of 0.0.0.0/0."),
        ({"prefixes": ["10.0.0.77/24"]}, "'10.0.0.0/24' refused: it holds 10.0.0.2, an address of v0."),
        ({"prefixes": ["2001:db8:a::77/64"]}, "it holds 2001:db8:a::2, an address of v0."),
        ({"prefixes": ["::1"]}, "'::1/128' refused: the kernel itself put it on lo."),
    ],
)
def test_refuses_what_would_cut_the_host_off(netns: Namespace, options: dict[str, Any], reason: str) -> None:
    before = everything(netns)
    with pytest.raises(Refused) as caught:
        netns.call("ip_address", **options)
    assert reason in str(caught.value)
    assert everything(netns) == before
    assert netns.call("ip_address", force=True, **options)["changed"]


def test_an_address_of_another_device_may_also_be_on_lo(netns: Namespace) -> None:
    assert netns.call("ip_address", prefixes=["10.0.0.2", "2001:db8:a::2"])["changed"]


def test_refuses_to_remove_an_address_that_takes_others_along(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=["198.51.100.1/24"], device="v1")
    netns.ip("address add 198.51.100.2/24 dev v1")
    gone = {"prefixes": ["198.51.100.1/24"], "device": "v1", "state": "absent"}
    with pytest.raises(Refused, match=r"198\.51\.100\.2/24 would go with it, because promote_secondaries is 0 on v1"):
        netns.call("ip_address", **gone)
    assert prefixes(netns, "v1") == ["198.51.100.1/24", "198.51.100.2/24"]
    netns.run("sysctl", "-qw", "net.ipv4.conf.v1.promote_secondaries=1")
    assert netns.call("ip_address", **gone)["changed"]
    assert prefixes(netns, "v1") == ["198.51.100.2/24"]


@pytest.mark.parametrize("force", [False, True])
def test_refuses_a_scope_that_the_network_has_not(netns: Namespace, force: bool) -> None:
    pair = ["198.51.100.1/24", "198.51.100.2/24"]
    netns.call("ip_address", prefixes=pair, device="v1")
    for prefix in pair:
        with pytest.raises(
            Refused, match=r"^scope: 'link' refused: 198.* is of the network of ipv4 198.*, which has one"
        ):
            netns.call("ip_address", prefixes=[prefix], device="v1", scope="link", force=force)
    assert prefixes(netns, "v1") == pair
    assert netns.call("ip_address", prefixes=pair, device="v1", scope="link")["changed"]
    assert [a["scope"] for a in shown(netns, "v1")] == ["link", "link"]


@pytest.mark.parametrize("check", [False, True])
def test_refuses_two_scopes_in_one_network_before_it_changes_anything(netns: Namespace, check: bool) -> None:
    pair = [{"prefixes": [f"198.51.100.{i}/24"], "device": "v1", "scope": s} for i, s in ((1, "link"), (2, "global"))]
    with pytest.raises(Refused, match=r"^scope: 'global' refused: .* of the network of ipv4 198\.51\.100\.1/24 dev v1"):
        netns.call("ip_address", check=check, addresses=pair)
    assert prefixes(netns, "v1") == []
    netns.ip("address add 198.51.100.9/24 dev v1")
    with pytest.raises(Refused, match=r"^scope: 'link' refused: .* of the network of ipv4 198\.51\.100\.9/24 dev v1"):
        netns.call("ip_address", check=check, addresses=pair[:1])


def test_removes_a_whole_network_of_ours(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=[f"198.51.100.{i}/24" for i in range(1, 5)], device="v1")
    assert len(netns.call("ip_address", addresses=[], purge=True)["changes"]) == 4
    assert prefixes(netns, "v1") == []


def test_refuses_to_remove_the_address_that_the_controller_is_connected_to(
    netns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The module looks at its ancestors' environment, as sudo drops the variable from its own.
    netns.call("ip_address", prefixes=["192.0.2.2/24"], device="v1")
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from namespace import call; "
        "call('ip_address', addresses=[], purge=True)"
    )
    command = shlex.join([sys.executable, "-c", script, json.dumps(sys.path)])
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50000 192.0.2.2 22")
    with pytest.raises(RuntimeError, match=r"'192\.0\.2\.2/24' refused: the controller is connected to it"):
        netns.run("sh", "-c", f"env -u SSH_CONNECTION {command}; exit $?")
    assert prefixes(netns, "v1") == ["192.0.2.2/24"]
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50000 10.0.0.2 22")
    netns.run("sh", "-c", f"env -u SSH_CONNECTION {command}; exit $?")
    assert prefixes(netns, "v1") == []


V4 = [f"198.51.100.{host}/{length}" for host in (1, 2, 3) for length in (24, 25, 32)] + ["203.0.113.10/32"]
V6 = [f"2001:db8:f::{host}" for host in (1, 2)]


@st.composite
def lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Addresses as a person might list them: any order, one scope, an IPv6 address once for each device."""
    scope = draw(st.sampled_from(["global", "link"]))
    devices = st.sampled_from(["lo", "v1"])
    v4 = draw(st.lists(st.tuples(st.sampled_from(V4), devices), max_size=6, unique=True))
    v6 = draw(st.dictionaries(st.tuples(st.sampled_from(V6), devices), st.sampled_from([64, 128]), max_size=3))
    return [{"prefixes": [prefix], "device": device, "scope": scope} for prefix, device in v4] + [
        {"prefixes": [f"{address}/{length}"], "device": device} for (address, device), length in v6.items()
    ]


FOREIGN = st.lists(
    st.tuples(
        st.sampled_from(["198.51.100.9/24", "198.51.100.9/32", "203.0.113.9/32", "2001:db8:f::9/64"]),
        st.sampled_from(["lo", "v1"]),
    ),
    max_size=2,
    unique=True,
)


def held(netns: Namespace) -> dict[tuple[str, str], str]:
    """Device and prefix of each address, and how the diff writes it. Ours carry the number, others none."""
    found, numbers = {}, owners(netns)
    for device in ("lo", "v1"):
        for one in shown(netns, device):
            prefix = f"{one['local']}/{one['prefixlen']}"
            line = f"ipv4 {prefix} dev {device} scope {one['scope']}"
            if one["family"] == "inet6":
                line = f"ipv6 {prefix} dev {device} nodad"
            found[device, prefix] = f"{line} proto {numbers[prefix]}" if numbers[prefix] else line
    return found


@pytest.mark.parametrize("promote", [0, 1])
def test_one_run_converges(netns: Namespace, promote: int) -> None:
    netns.run("sysctl", "-qw", f"net.ipv4.conf.all.promote_secondaries={promote}")
    netns.ip("address add 192.0.2.9/32 dev lo")

    def run(entries: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call("ip_address", check=check, purge=True, addresses=entries)

    bare, refusals = everything(netns), []

    def clear() -> None:
        for device, prefix in sorted(held(netns)):
            if prefix != "192.0.2.9/32":
                # One may have gone with the first of its network.
                with suppress(RuntimeError):
                    netns.ip(f"address delete {prefix} dev {device}")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(lists(), FOREIGN, lists())
    def converges(start: list[dict[str, Any]], foreign: list[tuple[str, str]], wanted: list[dict[str, Any]]) -> None:
        clear()
        run(start)
        others = {("lo", "192.0.2.9/32")}
        for prefix, device in foreign:
            # The kernel has one scope for a network, be it ours that is there first.
            with suppress(RuntimeError):
                netns.ip(f"address add {prefix} dev {device}" + (" nodad" if ":" in prefix else ""))
                others.add((device, prefix))
        before = everything(netns)
        try:
            predicted = run(wanted, check=True)
        except Refused:
            # Each refusal has its test; here it counts that it comes before any change.
            with pytest.raises(Refused):
                run(wanted)
            assert everything(netns) == before
            refusals.append(wanted)
            return
        assert everything(netns) == before
        assert run(wanted) == predicted
        assert predicted["changed"] == (everything(netns) != before)
        assert not run(wanted)["changed"]
        ours = {(entry["device"], entry["prefixes"][0]) for entry in wanted}
        after = held(netns)
        assert after.keys() == others | ours
        assert sorted(predicted["diff"]["after"].splitlines()) == sorted(after[one] for one in ours)

    converges()
    print(f"{len(refusals)} refused")
    clear()
    assert everything(netns) == bare


def test_what_the_kernel_refuses_is_told_in_its_words(netns: Namespace) -> None:
    # IPv6 leaves an interface of less than 1280 bytes (RFC 8200).
    netns.ip("link set v1 mtu 1000")
    with pytest.raises(
        PartlyApplied, match=r"1 of 2 changes were made, 1 failed: add ipv6 .* on this device|add ipv6 .*: "
    ):
        netns.call("ip_address", device="v1", **VIPS)
    assert prefixes(netns, "v1") == ["203.0.113.10/32"]


def test_an_unprivileged_run_says_what_it_lacks(netns: Namespace) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match="CAP_NET_ADMIN"):
        call("ip_address", **VIPS)
    assert prefixes(netns) == []
