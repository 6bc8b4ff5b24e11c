"""The module vip_guard: nft is the oracle, and a client that knocks is the judge."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from frames import hiding_fragments, wire
from namespace import Namespace
from traffic import connect, serving

EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NAME = "lvs_vipless_guard"
VIPS = ["203.0.113.0/24", "2001:db8:f::/64"]
PLACES = ["203.0.113.10", "2001:db8:f::10"]
OWN = ["10.0.0.2", "2001:db8:a::2"]
GOOD: dict[str, Any] = {"vips": VIPS}
CHANGES: dict[str, dict[str, Any]] = {
    "vips": {"vips": VIPS[:1]},
    "mask": {"mask": "0x20000"},
    "table": {"table": "other_guard"},
    "state": {"state": "absent"},
}


def shown(netns: Namespace, name: str = NAME) -> list[str]:
    """The table as nft lists it, but for handles and the order of elements, which is that of their coming."""
    if name not in netns.run("nft", "list", "tables", "inet").split():
        return []
    found = json.loads(netns.run("nft", "-j", "list", "table", "inet", name))["nftables"][1:]
    bodies = [(kind, body) for item in found for kind, body in item.items()]
    for _kind, body in bodies:
        body.pop("handle", None)
        body.get("elem", []).sort(key=json.dumps)
    return sorted(map(json.dumps, bodies))


def knock(client: Namespace, place: str) -> str:
    with client.entered():
        try:
            with socket.create_connection((place, 80), timeout=2) as connection:
                return connection.recv(16).decode()
        except OSError as error:
            return type(error).__name__


def test_only_what_is_balanced_is_answered(netns: Namespace) -> None:
    for vip in VIPS:
        netns.ip(f"route add local {vip} dev lo table local")
    with Namespace() as client:
        connect(netns, client)
        with serving(netns):
            assert [knock(client, place) for place in PLACES] == ["here", "here"]
            netns.call("vip_guard", **GOOD)
            assert [knock(client, place) for place in PLACES] == ["ConnectionRefusedError"] * 2
            assert [knock(client, place) for place in OWN] == ["here", "here"]
            for place in PLACES:
                client.run("ping", "-c1", "-W2", place)
            netns.call("fwmark", vips=PLACES, ports=["tcp/80"], mark="0x10001")
            assert [knock(client, place) for place in PLACES] == ["here", "here"]
            netns.call("vip_guard", **GOOD, state="absent")
            netns.call("fwmark", vips=PLACES, ports=["tcp/80"], state="absent")
            assert [knock(client, place) for place in PLACES] == ["here", "here"]


def test_fragments_whose_headers_go_on_in_the_next_one_are_refused(netns: Namespace) -> None:
    """What each holds is unknown, and so is what it does not hold."""
    vip, port = PLACES[1], 514
    netns.ip(f"route add local {vip} dev lo table local")
    with wire(netns) as way, netns.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("::", port))
        daemon.settimeout(2)

        def send() -> None:
            for fragment in hiding_fragments(vip, port, b"hello"):
                way.send(fragment)

        send()
        assert daemon.recv(16) == b"hello"
        netns.call("vip_guard", **GOOD)
        send()
        with pytest.raises(TimeoutError):
            daemon.recv(16)
        # Marked, they are IPVS's.
        netns.call("fwmark", vips=[vip], ports=["any"], mark="0x10001")
        send()
        assert daemon.recv(16) == b"hello"


def test_each_option_alone_is_a_change(netns: Namespace) -> None:
    for option, change in CHANGES.items():
        netns.call("vip_guard", **GOOD)
        predicted = netns.call("vip_guard", check=True, **{**GOOD, **change})
        assert netns.call("vip_guard", **{**GOOD, **change}) == predicted, option
        assert predicted["changed"], option
    assert not shown(netns)
    assert shown(netns, "other_guard")


STATES = st.fixed_dictionaries(
    {
        "vips": st.lists(
            st.sampled_from(
                ["203.0.113.0/25", "203.0.113.64", "203.0.113.128", "192.0.2.9", "2001:db8::/64", "2001:db8::7"]
            ),
            unique=True,
        ),
        "mask": st.sampled_from(["0x10000", "1", "0xffffffff"]),
    }
)
DAMAGE = st.sampled_from(
    [
        "",
        f"flush chain inet {NAME} input",
        f"add rule inet {NAME} input accept",
        f"delete table inet {NAME}",
        f"flush set inet {NAME} vips_v4",
        f"flush chain inet {NAME} input; delete set inet {NAME} vips_v6",
        f"flush chain inet {NAME} input; delete chain inet {NAME} input",
    ]
)


def test_one_run_converges(netns: Namespace) -> None:
    netns.run("nft", "add table inet lvs_other; add chain inet lvs_other c; add rule inet lvs_other c counter")
    foreign = shown(netns, "lvs_other")

    @EXAMPLES
    @given(STATES, DAMAGE, STATES)
    def converges(start: dict[str, Any], damage: str, goal: dict[str, Any]) -> None:
        netns.call("vip_guard", **goal)
        target = shown(netns)
        netns.call("vip_guard", **start)
        if damage and start["vips"]:
            netns.run("nft", damage)
        before = shown(netns)
        predicted = netns.call("vip_guard", check=True, **goal)
        assert shown(netns) == before
        assert netns.call("vip_guard", **goal) == predicted
        assert shown(netns) == target
        assert predicted["changed"] == (before != target)
        assert bool(target) == bool(goal["vips"])
        assert not netns.call("vip_guard", **goal)["changed"]

    converges()
    assert shown(netns, "lvs_other") == foreign


def test_the_file_makes_the_same_table(netns: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "guard.nft"
    predicted = netns.call("vip_guard", check=True, **GOOD, file=str(path))
    assert not path.exists()
    assert netns.call("vip_guard", **GOOD, file=str(path)) == predicted
    made = shown(netns)
    netns.run("nft", f"delete table inet {NAME}")
    netns.run("nft", "-f", str(path))
    assert shown(netns) == made
    assert not netns.call("vip_guard", **GOOD, file=str(path))["changed"]
    assert netns.call("vip_guard", state="absent", file=str(path))["changed"]
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vips": None}, "vips is missing"),
        ({"vips": ["203.0.113.300"]}, "vips[0]: '203.0.113.300' is not an IPv4 or IPv6"),
        ({"vips": ["203.0.113.0/24", "203.0.113.1/24"]}, "vips[1]: '203.0.113.1/24' has host bits set"),
        ({"vips": ["0.0.0.0/0"]}, "vips[0]: '0.0.0.0/0' is every address"),
        ({"vips": ["::/0"]}, "vips[0]: '::/0' is every address"),
        ({"mask": "0"}, "mask: '0' is not between 1 and"),
        ({"mask": "0x1ffffffff"}, "is not between 1 and"),
        ({"mask": "bit"}, "mask: 'bit' is not a whole number"),
        ({"table": "1 guard"}, "table: '1 guard' is not a table's name"),
        ({"file": "guard.nft"}, "file: 'guard.nft' is not the absolute path of a file"),
    ],
)
def test_bad_input_changes_nothing(netns: Namespace, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        netns.call("vip_guard", **{**GOOD, **change})
    assert message in str(refused.value)
    assert not shown(netns)


@pytest.mark.parametrize("alien", ["chain inet {} mine", "set inet {} vips_v4 {{ type ipv4_addr; }}"])
def test_a_table_of_others_is_refused(netns: Namespace, alien: str) -> None:
    netns.run("nft", f"add table inet {NAME}; add {alien.format(NAME)}")
    before = shown(netns)
    with pytest.raises(Refused, match="which this module did not make"):
        netns.call("vip_guard", **GOOD)
    assert shown(netns) == before
