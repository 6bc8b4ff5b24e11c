"""Neighbour entries from any state to any other in one run, whatever the kernel learned and others entered."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namespace import Namespace

EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

ADDRESSES = ["10.0.0.8", "10.0.0.9", "198.51.100.9", "2001:db8:a::9", "2001:db8:b::9"]
MACS = st.sampled_from(["02:00:5e:10:00:01", "02:00:5e:10:00:02"])
PLACES = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(["v0", "v1"]), st.booleans())
LISTS = st.dictionaries(PLACES, MACS, max_size=6)
LEARNED = st.dictionaries(
    st.sampled_from([(address, device) for address in ADDRESSES for device in ("v0", "v1")]),
    st.sampled_from(["reachable", "stale", "noarp", "failed"]),
    max_size=4,
)


def entries(drawn: dict[tuple[str, str, bool], str]) -> list[dict[str, Any]]:
    return [
        {"address": address, "device": device, "proxy": proxy, **({} if proxy else {"mac": mac})}
        for (address, device, proxy), mac in drawn.items()
    ]


def shown(netns: Namespace) -> list[str]:
    """Permanent entries and proxies, with owner."""
    found = netns.ip_json("neigh show nud permanent") + netns.ip_json("neigh show proxy")
    return sorted(json.dumps(entry, sort_keys=True) for entry in found)


def lines(held: list[str]) -> list[str]:
    """What ip shows, in the words of the diff."""
    found = []
    for entry in map(json.loads, held):
        kind = "ipv6" if ":" in entry["dst"] else "ipv4"
        words = [kind, *(["proxy"] if "proxy" in entry else []), entry["dst"], "dev", entry["dev"]]
        words += [] if "proxy" in entry else ["lladdr", entry["lladdr"], "permanent"]
        found.append(" ".join([*words, "proto", entry["protocol"]]))
    return sorted(found)


def meant(wanted: list[dict[str, Any]]) -> list[str]:
    """How ip shows what is wanted."""
    return sorted(
        json.dumps(
            {"dst": e["address"], "dev": e["device"], "protocol": "117"}
            | ({"proxy": None} if e["proxy"] else {"lladdr": e["mac"], "state": ["PERMANENT"]}),
            sort_keys=True,
        )
        for e in wanted
    )


def test_one_run_converges(netns: Namespace) -> None:
    netns.ip("neigh add 10.0.0.77 lladdr 02:00:5e:10:00:77 dev v0 nud permanent proto 118")
    netns.ip("neigh add proxy 2001:db8:b::77 dev v0")
    others = shown(netns)

    def run(wanted: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call("static_neighbor", check=check, purge=True, neighbors=wanted)

    @EXAMPLES
    @given(LISTS, LEARNED, LISTS)
    def converges(
        start: dict[tuple[str, str, bool], str],
        learned: dict[tuple[str, str], str],
        goal: dict[tuple[str, str, bool], str],
    ) -> None:
        run(entries(start))
        for (address, device), state in learned.items():
            netns.ip(f"neigh replace {address} lladdr 02:00:5e:10:00:99 dev {device} nud {state}")
        before, wanted = shown(netns), entries(goal)
        predicted = run(wanted, check=True)
        assert shown(netns) == before
        assert run(wanted) == predicted
        assert shown(netns) == sorted(others + meant(wanted))
        assert sorted(predicted["diff"]["after"].splitlines()) == lines(meant(wanted))
        assert predicted["changed"] or shown(netns) == before
        assert not run(wanted)["changed"]

    converges()
    run([])
    assert shown(netns) == others
