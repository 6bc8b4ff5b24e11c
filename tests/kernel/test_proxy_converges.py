"""The table of a transparent proxy, from any state to any other in one run; nft is the oracle."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namespace import Namespace

EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# Each is of a map of its own, so that no two of them overlap.
SELECTED = [
    {"vips": ["0.0.0.0/0", "::/0"], "ports": ["tcp/80"]},
    {"vips": ["203.0.113.10"], "ports": ["tcp/443", "udp/443"], "iif": ["v0"]},
    {"vips": ["2001:db8:f::/64"], "ports": ["tcp"], "sources": ["2001:db8:c::/64"]},
    {"vips": ["203.0.113.0/24"], "ports": ["udp"]},
]
TARGETS = st.fixed_dictionaries(
    {
        "to_port": st.sampled_from([3129, 3130]),
        "own_addresses": st.booleans(),
        "when_down": st.sampled_from(["open", "closed"]),
    }
)
ENTRIES = st.lists(st.none() | TARGETS, min_size=len(SELECTED), max_size=len(SELECTED)).map(
    lambda targets: [{**one, **target} for one, target in zip(SELECTED, targets, strict=True) if target]
)
STATES = st.fixed_dictionaries(
    {
        "entries": ENTRIES,
        "mark": st.sampled_from(["0x20000/0x20000", "0x40000/0x40000", "7"]),
        "new_connections": st.booleans(),
        "exclude": st.lists(st.sampled_from(["10.0.0.0/8", "10.0.0.0/9", "169.254.1.1", "fe80::/10", "2001:db8::1"])),
        "close_ports": st.booleans(),
        "exclude_macs": st.sampled_from([[], ["02:00:00:00:00:01"], ["02:00:00:00:00:01", "02:00:00:00:00:02"]]),
        "purge": st.just(True),
    }
)
TABLE = "inet lvs_tproxy"
DAMAGE = st.sampled_from(
    [
        "",
        f"flush chain {TABLE} prerouting",
        f"flush chain {TABLE} lookups",
        f"add chain {TABLE} tproxy_v4_tcp_any_7_open",
        f"insert rule {TABLE} lookups accept",
        f"insert rule {TABLE} lookups ip daddr 203.0.113.0/24 return",
        f"insert rule {TABLE} lookups ip6 daddr ::1 drop",
        f"add chain {TABLE} closed_ports; add rule {TABLE} closed_ports tcp dport 22 drop",
        f"add chain {TABLE} closed_ports; insert rule {TABLE} lookups jump closed_ports",
    ]
)


def shown(netns: Namespace) -> list[str]:
    """The table as nft lists it, but for handles and the order of its parts."""
    if "lvs_tproxy" not in netns.run("nft", "list", "tables"):
        return []
    found = json.loads(netns.run("nft", "-j", "list", "table", *TABLE.split()))["nftables"][1:]
    rules: dict[str, list[Any]] = {}
    for item in found:
        for kind, body in item.items():
            body.pop("handle", None)
            body.get("elem", []).sort(key=json.dumps)
            if kind == "rule":
                rules.setdefault(body["chain"], []).append(body["expr"])
    return sorted(map(json.dumps, [*(item for item in found if "rule" not in item), *sorted(rules.items())]))


def test_one_run_converges(netns: Namespace) -> None:
    @EXAMPLES
    @given(STATES, DAMAGE, STATES)
    def converges(start: dict[str, Any], damage: str, goal: dict[str, Any]) -> None:
        netns.call("tproxy", **goal)
        target = shown(netns)
        netns.call("tproxy", **start)
        if damage and start["entries"]:
            netns.run("nft", damage)
        before = shown(netns)
        predicted = netns.call("tproxy", check=True, **goal)
        assert shown(netns) == before
        assert netns.call("tproxy", **goal) == predicted
        assert shown(netns) == target
        assert predicted["changed"] == (before != target)
        assert bool(target) == bool(goal["entries"])
        assert not netns.call("tproxy", **goal)["changed"]

    converges()
