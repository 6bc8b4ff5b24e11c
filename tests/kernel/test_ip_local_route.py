"""The module ip_local_route against the kernel. ``ip -j -d route`` is the oracle."""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Refused
from ansible_collections.lvs.vipless.plugins.modules import ip_local_route
from namespace import Namespace

DELIVERY = {"prefixes": ["0.0.0.0/0", "::/0"], "table": "100"}
GUARD = {"prefixes": ["203.0.113.0/24", "2001:db8:f::/64"], "table": "main", "type": "unreachable"}

# What each option is changed to, from the IPv4 route of DELIVERY to a network.
VALUES = {
    "prefixes": ["203.0.113.0/25"],
    "table": "101",
    "type": "blackhole",
    "device": "v0",
    "metric": 7,
    "source": "10.0.0.2",
    "protocol": "118",
}


def shown(netns: Namespace, family: str, table: str) -> list[tuple[str, str, str]]:
    """Type, prefix and device of our routes in a table."""
    return sorted(
        (r["type"], r["dst"], r.get("dev", "")) for r in netns.ip_json(f"{family} route show table {table} proto 117")
    )


def everything(netns: Namespace) -> list[Any]:
    return [netns.ip_json(f"{family} route show table all") for family in ("-4", "-6")]


def test_delivery_routes(netns: Namespace) -> None:
    assert netns.call("ip_local_route", **DELIVERY)["changed"]
    for family in ("-4", "-6"):
        assert shown(netns, family, "100") == [("local", "default", "lo")]
    assert not netns.call("ip_local_route", **DELIVERY)["changed"]


def test_guard_routes(netns: Namespace) -> None:
    assert netns.call("ip_local_route", **GUARD)["changed"]
    assert shown(netns, "-4", "main") == [("unreachable", "203.0.113.0/24", "")]
    # IPv6 hangs a refusal on lo.
    assert shown(netns, "-6", "main") == [("unreachable", "2001:db8:f::/64", "lo")]
    assert not netns.call("ip_local_route", **GUARD)["changed"]


def test_anyip_prefix_is_local(netns: Namespace) -> None:
    netns.call("ip_local_route", prefixes=["203.0.113.0/24", "2001:db8:f::/64"])
    for family, vip in (("-4", "203.0.113.77"), ("-6", "2001:db8:f::77")):
        (answer,) = netns.ip_json(f"{family} route get {vip}")
        assert answer["type"] == "local"


def test_check_mode_predicts_and_changes_nothing(netns: Namespace) -> None:
    before = everything(netns)
    predicted = netns.call("ip_local_route", check=True, routes=[DELIVERY, GUARD], purge=True)
    assert everything(netns) == before
    assert predicted == netns.call("ip_local_route", routes=[DELIVERY, GUARD], purge=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, VALUES[option]) for option in ip_local_route.OPTIONS],
)
def test_every_option_changed_alone_is_a_change(netns: Namespace, option: str, value: object) -> None:
    start = {**DELIVERY, "prefixes": ["203.0.113.0/24"]}
    netns.call("ip_local_route", **start)
    changed = {**start, option: value}
    assert netns.call("ip_local_route", **changed)["changed"]
    assert not netns.call("ip_local_route", **changed)["changed"]


@pytest.mark.parametrize(
    ("prefix", "sources"),
    [("203.0.113.0/24", ["10.0.0.2", "198.18.0.7"]), ("2001:db8:f::/64", ["2001:db8:a::2", "2001:db8:a::3"])],
)
def test_source_is_set_changed_and_taken_away(netns: Namespace, prefix: str, sources: list[str]) -> None:
    netns.ip("route add local 198.18.0.0/24 dev lo")
    netns.ip("address add 2001:db8:a::3/64 dev v0 nodad")
    family = "-6" if ":" in prefix else "-4"
    for source in (*sources, None):
        options = {"prefixes": [prefix], "table": "100", "source": source}
        predicted = netns.call("ip_local_route", check=True, **options)
        assert predicted["changed"]
        assert netns.call("ip_local_route", **options) == predicted
        assert not netns.call("ip_local_route", **options)["changed"]
        (found,) = netns.ip_json(f"{family} route show table 100")
        assert found.get("prefsrc") == source


def test_source_is_what_the_host_sends_from(netns: Namespace) -> None:
    netns.ip("address add 10.0.0.3/24 dev v0")
    netns.call("ip_local_route", prefixes=["203.0.113.0/24"], source="10.0.0.3")
    (answer,) = netns.ip_json("-4 route get 203.0.113.77")
    assert answer["prefsrc"] == "10.0.0.3"


def test_ten_thousand_prefixes_beside_a_hundred_addresses_are_quick(netns: Namespace) -> None:
    protect = [f"198.18.{place}.1" for place in range(100)]
    prefixes = [f"10.{100 + place // 250}.{place % 250}.{place % 200}" for place in range(10_000)]
    started = time.process_time()
    assert netns.call("ip_local_route", prefixes=prefixes, protect=protect)["changed"]
    # A tenth of what comparing each prefix with each address takes.
    assert time.process_time() - started < 3


def test_edit_is_in_place(netns: Namespace) -> None:
    netns.call("ip_local_route", **GUARD)
    netns.call("ip_local_route", **{**GUARD, "type": "prohibit"})
    assert shown(netns, "-4", "main") == [("prohibit", "203.0.113.0/24", "")]
    assert shown(netns, "-6", "main") == [("prohibit", "2001:db8:f::/64", "lo")]


def test_what_others_added_is_seen_and_taken_back(netns: Namespace) -> None:
    netns.call("ip_local_route", **DELIVERY)
    before = everything(netns)
    netns.ip("route change local default dev lo table 100 proto 117 mtu lock 68")
    netns.ip("-6 route change local default dev lo table 100 proto 117 hoplimit 3 pref high")
    predicted = netns.call("ip_local_route", check=True, **DELIVERY)
    assert predicted["changes"] == [
        "change ipv4 local default dev lo table 100 proto 117 lock 4 mtu 68 to "
        "ipv4 local default dev lo table 100 proto 117",
        "change ipv6 local default dev lo table 100 proto 117 metric 1024 hoplimit 3 attribute 20 01 to "
        "ipv6 local default dev lo table 100 proto 117 metric 1024",
    ]
    assert netns.call("ip_local_route", **DELIVERY) == predicted
    assert everything(netns) == before
    assert not netns.call("ip_local_route", **DELIVERY)["changed"]


def test_purge_takes_ours_alone(netns: Namespace) -> None:
    netns.call("ip_local_route", routes=[DELIVERY, GUARD])
    netns.ip("route add local 192.0.2.0/24 dev lo table 100")
    netns.ip("route add local 192.0.2.0/24 dev lo table 101 proto 118")
    kept = netns.ip_json("-4 route show table all")
    netns.call("ip_local_route", routes=[], purge=True)
    ours = [r for r in kept if r.get("protocol") == "117"]
    assert len(ours) == 2
    assert netns.ip_json("-4 route show table all") == [r for r in kept if r not in ours]


def test_absent_leaves_what_another_owner_put_there(netns: Namespace) -> None:
    netns.ip("route add local default dev lo table 100 proto 118")
    assert not netns.call("ip_local_route", state="absent", **DELIVERY)["changed"]
    assert netns.call("ip_local_route", state="absent", protocol="118", **DELIVERY)["changed"]
    assert not shown(netns, "-4", "100")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefixes": ["foo"]}, "prefixes[0]: 'foo' is not an IPv4 or IPv6 prefix or address."),
        ({"prefixes": ["10.8.0.1/24"]}, "prefixes[0]: '10.8.0.1/24' has host bits set; the prefix is 10.8.0.0/24."),
        ({"prefixes": []}, "prefixes: [] is empty: name at least one prefix."),
        ({"device": "nope0"}, "device: 'nope0' is not an interface of this host; it has lo, v0, v1."),
        ({"type": "blackhole", "device": "lo"}, "device: 'lo' cannot go with type blackhole, which has none."),
        ({"table": "nowhere"}, "table: 'nowhere' is not a whole number."),
        ({"metric": -1}, "metric: -1 is not between 0 and 4294967295."),
        ({"protect": ["10.0.0.0/8"]}, "protect[0]: '10.0.0.0/8' is not an IPv4 or IPv6 address."),
        ({"source": "nope"}, "source: 'nope' is not an IPv4 or IPv6 address."),
        ({"source": "10.0.0.2"}, "source: '10.0.0.2' is not of the family of the prefix ::/0."),
        (
            {"source": "10.0.0.99", "prefixes": ["0.0.0.0/0"]},
            "source: '10.0.0.99' is not an address of this host.",
        ),
        (
            {"source": "2001:db8:a::99", "prefixes": ["::/0"]},
            "source: '2001:db8:a::99' is not an address of this host.",
        ),
        *(
            (
                {"table": name},
                f"prefixes[0]: '0.0.0.0/0' in table {name} would end all traffic of this host; use a table of its own.",
            )
            for name in ("local", "main", "default")
        ),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, change: dict[str, Any], message: str) -> None:
    before = everything(netns)
    with pytest.raises(BadInput) as caught:
        netns.call("ip_local_route", **{**DELIVERY, **change})
    assert str(caught.value) == message
    assert everything(netns) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prefixes": ["10.0.0.0/25"]}, "it holds 10.0.0.2, an address of v0."),
        ({"prefixes": ["10.0.0.1"]}, "it holds 10.0.0.1, the next hop of 0.0.0.0/0."),
        ({"prefixes": ["2001:db8:a::/64"]}, "it holds 2001:db8:a::2, an address of v0."),
        ({"prefixes": ["10.9.0.0/24"], "protect": ["10.9.0.7"]}, "it holds 10.9.0.7, which protect names."),
        ({"prefixes": ["10.0.0.0/25"], "type": "unreachable", "table": "main"}, "it holds 10.0.0.2, an address of v0."),
    ],
)
def test_refuses_to_cover_what_the_host_needs(netns: Namespace, options: dict[str, Any], reason: str) -> None:
    before = everything(netns)
    with pytest.raises(Refused) as caught:
        netns.call("ip_local_route", **options)
    assert reason in str(caught.value)
    assert everything(netns) == before
    assert netns.call("ip_local_route", force=True, **options)["changed"]


def test_refuses_the_controllers_address(netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    # The module looks at its ancestors' environment, as sudo drops the variable from its own.
    netns.ip("route add 192.0.2.0/24 via 10.0.0.1")
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from namespace import call; "
        "call('ip_local_route', prefixes=['192.0.2.0/28'])"
    )
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50000 10.0.0.2 22")
    with pytest.raises(RuntimeError, match=r"it holds 192\.0\.2\.9, the address the controller came from"):
        netns.run("sh", "-c", f"env -u SSH_CONNECTION {_python(script)}; exit $?")


def test_refuses_to_replace_a_route_that_leads_somewhere(netns: Namespace) -> None:
    netns.ip("route add 203.0.113.0/24 via 10.0.0.1")
    with pytest.raises(Refused, match=r"this host has 'ipv4 unicast 203\.0\.113\.0/24 via 10\.0\.0\.1"):
        netns.call("ip_local_route", **GUARD)


def _python(script: str) -> str:
    return shlex.join([sys.executable, "-c", script, json.dumps(sys.path)])
