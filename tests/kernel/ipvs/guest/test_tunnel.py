"""The module ip_tunnel, and what a realserver needs beside it to answer what comes through a tunnel or with its own
address. The kernel of the machine that runs the tests may have no tunnels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import far_realservers as far
import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model.tunnel import FALLBACKS as FALLBACKS_OF
from ansible_collections.lvs.vipless.plugins.modules import ip_tunnel
from namespace import Namespace

FALLBACKS = [{"name": "tunl0"}, {"name": "ip6tnl0", "type": "ip6tnl"}]
NAMED = [
    {"name": "from4", "local": "10.0.0.2", "remote": "10.0.0.9"},
    {"name": "from6", "type": "ip6tnl", "local": "2001:db8:a::2"},
    {"name": "gre4", "type": "gre", "local": "10.0.0.2"},
    {"name": "gre6", "type": "ip6gre", "remote": "2001:db8:a::9"},
]
BIG = 200_000


@pytest.fixture(scope="module")
def host() -> Iterator[Namespace]:
    with Namespace() as made:
        made.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        yield made


@pytest.fixture
def bare(host: Namespace) -> Namespace:
    """One namespace for all, without tunnels."""
    for link in host.ip_json("link show"):
        name, kind = link["ifname"], link.get("linkinfo", {}).get("info_kind")
        if name == FALLBACKS_OF.get(kind):
            host.run("ip", "link", "set", name, "down", "alias", "")
        elif kind in FALLBACKS_OF:
            host.ip(f"link delete {name}")
    return host


def shown(netns: Namespace) -> dict[str, tuple[str, str, str, str]]:
    """Type, ends and alias of each tunnel that is up, as ip shows them."""
    found = {}
    for link in netns.ip_json("link show up"):
        info = link.get("linkinfo", {})
        if info.get("info_kind") in FALLBACKS_OF:
            ends = [str(info["info_data"][end]).replace("any", "") for end in ("local", "remote")]
            found[link["ifname"]] = (info["info_kind"], *ends, link.get("ifalias", ""))
    return found


def test_fallbacks_come_up_and_go_down(bare: Namespace) -> None:
    predicted = bare.call("ip_tunnel", check=True, tunnels=FALLBACKS)
    assert shown(bare) == {}
    assert bare.call("ip_tunnel", tunnels=FALLBACKS) == predicted
    assert predicted["changes"] == [
        "add tunl0 type ipip local any remote any up alias lvs.vipless",
        "add ip6tnl0 type ip6tnl local any remote any up alias lvs.vipless",
    ]
    assert sorted(shown(bare)) == ["ip6tnl0", "tunl0"]
    assert not bare.call("ip_tunnel", tunnels=FALLBACKS)["changed"]
    bare.ip("link set tunl0 down")
    assert [line.split()[0] for line in bare.call("ip_tunnel", tunnels=FALLBACKS)["changes"]] == ["change"]
    gone = bare.call("ip_tunnel", check=True, tunnels=FALLBACKS, state="absent")
    assert bare.call("ip_tunnel", tunnels=FALLBACKS, state="absent") == gone
    assert shown(bare) == {}
    assert not bare.call("ip_tunnel", tunnels=FALLBACKS, state="absent")["changed"]


def test_named_ones_are_as_they_are_asked_for(bare: Namespace) -> None:
    predicted = bare.call("ip_tunnel", check=True, tunnels=NAMED)
    assert bare.call("ip_tunnel", tunnels=NAMED) == predicted
    assert shown(bare) == {
        one["name"]: (one.get("type", "ipip"), one.get("local", ""), one.get("remote", ""), "lvs.vipless")
        for one in NAMED
    }
    assert not bare.call("ip_tunnel", tunnels=NAMED)["changed"]
    changes = bare.call("ip_tunnel", tunnels=NAMED[:1], purge=True)["changes"]
    assert [line.split()[:2] for line in changes] == [["remove", name] for name in ("from6", "gre4", "gre6")]
    assert sorted(shown(bare)) == ["from4"]


@pytest.mark.parametrize(
    ("change", "does"),
    [
        ({"local": "10.0.0.3"}, ["change"]),
        ({"remote": "10.0.0.8"}, ["change"]),
        ({"name": "gre6"}, ["add", "remove"]),
        ({"name": "gre4", "type": "gre"}, ["add", "remove"]),
    ],
    ids=str,
)
def test_each_option_changed_alone(bare: Namespace, change: dict[str, Any], does: list[str]) -> None:
    bare.call("ip_tunnel", tunnels=NAMED[:1])
    number = bare.ip_json("link show from4")[0]["ifindex"]
    changed = {"tunnels": [{**NAMED[0], **change}], "purge": True}
    predicted = bare.call("ip_tunnel", check=True, **changed)
    assert bare.call("ip_tunnel", **changed) == predicted
    assert [line.split()[0] for line in predicted["changes"]] == does
    assert not bare.call("ip_tunnel", **changed)["changed"]
    if does == ["change"]:
        assert bare.ip_json("link show from4")[0]["ifindex"] == number


def test_every_option_is_tried() -> None:
    assert set(ip_tunnel.OPTIONS) == {"name", "type", "local", "remote"}


def test_the_file_brings_them_back(bare: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "tunnels.ip"
    tunnels = [*FALLBACKS, *NAMED]
    bare.call("ip_tunnel", tunnels=tunnels, file=str(file))
    with Namespace() as other:
        other.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        lines = "".join(f"{line[3:]}\n" for line in file.read_text().splitlines() if line.startswith("-4"))
        # ip ends with 1 as the fallbacks are there already, which the unit's script passes by.
        other.run("sh", "-c", "ip -4 -force -batch - 2>/dev/null || test $? = 1", stdin=lines)
        assert shown(other) == shown(bare)
        assert not other.call("ip_tunnel", tunnels=tunnels, file=str(file))["changed"]


def test_those_of_others_are_left_alone(bare: Namespace) -> None:
    bare.ip("link set tunl0 up")
    bare.ip("link add from4 type ipip local 10.0.0.2 remote 10.0.0.9")
    bare.ip("link set from4 up")
    assert not bare.call("ip_tunnel", tunnels=[FALLBACKS[0], NAMED[0]])["changed"]
    with pytest.raises(Refused, match=r"name: 'from4' refused: this host has 'from4 type ipip local 10\.0\.0\.2"):
        bare.call("ip_tunnel", name="from4", local="10.0.0.3")
    with pytest.raises(Refused, match="name: 'v0' refused: this host has 'v0 type veth"):
        bare.call("ip_tunnel", name="v0", local="10.0.0.3")
    assert not bare.call("ip_tunnel", tunnels=[FALLBACKS[0], NAMED[0]], state="absent")["changed"]
    assert not bare.call("ip_tunnel", tunnels=[], purge=True)["changed"]
    assert sorted(shown(bare)) == ["from4", "tunl0"]
    bare.ip("link set tunl0 down")


def test_a_filter_that_would_drop_all_is_refused(bare: Namespace) -> None:
    file = Path("/etc/sysctl.d/70-lvstest.conf")
    file.write_text("net.ipv4.conf.*.rp_filter = 2\nnet.ipv4.conf.all.rp_filter = 1\n")
    bare.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
    try:
        with pytest.raises(Refused) as caught:
            bare.call("ip_tunnel", name="tunl0")
        assert str(caught.value).startswith(
            f"name: 'tunl0' refused: net.ipv4.conf.all.rp_filter is 1 (set by {file}), and the larger of it"
        )
        assert shown(bare) == {}
        assert bare.call("ip_tunnel", check=True, name="ip6tnl0", type="ip6tnl")["changed"]
        assert bare.call("ip_tunnel", check=True, name="tunl0", force=True)["changed"]
    finally:
        bare.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        file.unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b", "local": "10.0.0.2"}, "name: 'a/b' is not an interface name"),
        ({"name": "from4"}, "name: 'from4' needs local or remote: the kernel keeps tunl0 for any to any."),
        (
            {"name": "tunl0", "local": "10.0.0.2"},
            "name: 'tunl0' is the interface of type ipip from any address to any. Choose another.",
        ),
        (
            {"name": "tunl0", "type": "gre"},
            "name: 'tunl0' is the interface of type ipip from any address to any. Choose another.",
        ),
        ({"name": "from4", "local": "::1"}, "local: '::1' is not ipv4, as type ipip needs."),
        ({"name": "from6", "type": "ip6tnl", "remote": "10.0.0.9"}, "remote: '10.0.0.9' is not ipv6, as type ip6tnl"),
        ({"name": "from4", "local": "there"}, "local: 'there' is not an IPv4 or IPv6 address."),
        ({"name": "tunl0", "owner": "a b"}, "owner: 'a b' is not a name of letters, digits and . _ : -, at most 64."),
        ({"tunnels": [*FALLBACKS, FALLBACKS[0]]}, "tunnels[2].name: 'tunl0 type ipip local any remote any up alias"),
    ],
)
def test_bad_input_is_one_clear_error(bare: Namespace, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        bare.call("ip_tunnel", **options)
    assert str(caught.value).startswith(message)
    assert shown(bare) == {}


def redirects(netns: Namespace) -> int:
    """ICMP redirects that were sent. IPv6 sends none where the next hop is no link-local address."""
    names, figures = (line.split() for line in netns.run("grep", "^Icmp:", "/proc/net/snmp").splitlines())
    return int(dict(zip(names, figures, strict=False))["OutRedirects"])


@pytest.fixture(scope="module")
def link() -> Iterator[far.Link]:
    with far.linked() as made:
        yield made


def test_tunnels_are_taken_apart_and_answered(link: far.Link) -> None:
    """Small requests and big ones. The director cannot tell anybody that a packet is too big for a tunnel."""
    far.balance(link.director, "tunnel")
    realserver = link.realserver
    accept = {"routes": [{"prefixes": list(far.VIPS), "metric": 1024, "protocol": "118"}]}
    realserver.call("ip_local_route", **accept)
    hops = {"prefixes": ["0.0.0.0/0", "::/0"], "gateways": list(far.GATEWAY), "device": "v0", "table": "120"}
    with far.answering(realserver):
        assert [far.request(link.client, vip) for vip in far.VIPS] == ["TimeoutError"] * 2
        realserver.call("ip_tunnel", tunnels=FALLBACKS)
        realserver.call("sysctl", values={"net.ipv4.conf.tunl0.rp_filter": 1})
        assert [far.request(link.client, vip) for vip in far.VIPS] == ["TimeoutError", "10"]
        # Neither does the loose filter accept them, as the tunnel has no address.
        realserver.call("sysctl", values={"net.ipv4.conf.tunl0.rp_filter": 2})
        assert far.request(link.client, far.VIPS[0]) == "TimeoutError"
        realserver.call("sysctl", values={"net.ipv4.conf.tunl0.rp_filter": 0})
        assert [far.request(link.client, vip) for vip in far.VIPS] == ["10", "10"]
        big = [far.request(link.client, vip, BIG) for vip in far.VIPS]
        # IPv6's ICMP errors are sent from the director's own address, IPv4's would be from the VIP.
        assert big == ["TimeoutError", str(BIG)]
        realserver.call("ip_route", **hops, advmss=1400)
        realserver.call("ip_rule", rules=[{"priority": 1182, "from": list(far.VIPS), "table": "120"}])
        assert [far.request(link.client, vip, BIG) for vip in far.VIPS] == [str(BIG)] * 2
    realserver.call("ip_rule", rules=[], purge=True)
    realserver.call("ip_route", routes=[], purge=True)
    realserver.call("ip_local_route", **accept, state="absent")
    realserver.call("ip_tunnel", tunnels=FALLBACKS, state="absent")


def test_answers_of_masqueraded_services_go_back_by_the_director(link: far.Link) -> None:
    far.balance(link.director, "masquerade")
    realserver = link.realserver
    with far.answering(realserver):
        assert [far.request(link.client, vip) for vip in far.VIPS] == ["TimeoutError"] * 2
        realserver.call(
            "ip_route", prefixes=["0.0.0.0/0", "::/0"], gateways=list(far.DIRECTOR), device="v0", table="119"
        )
        back = {"priority": 1181, "from": list(far.RIP), "ipproto": "tcp", "sport": str(far.PORT), "table": "119"}
        realserver.call("ip_rule", rules=[back])
        # The director says that there is a shorter way, which these answers must not take.
        before = redirects(link.director)
        assert [far.request(link.client, vip, BIG) for vip in far.VIPS * 3] == [str(BIG)] * 6
        assert redirects(link.director) > before
        # All else of the host goes its own way.
        found = realserver.ip(f"route get {far.CLIENT[0]} from {far.RIP[0]} ipproto tcp sport 22")
        assert f"via {far.GATEWAY[0]} " in found
