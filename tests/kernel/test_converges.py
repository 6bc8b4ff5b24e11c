"""From any state to any other in one run, whatever belongs to others; the kernel's tools are the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namespace import Namespace

EXAMPLES = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

TABLES = st.sampled_from(["100", "101", "300"])
V4 = st.sampled_from(["203.0.113.0/24", "203.0.113.10", "192.0.2.0/28", "198.18.0.0/15"])
V6 = st.sampled_from(["2001:db8:f::/64", "2001:db8:f::10", "2001:db8:e::/56"])


def optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({}) | values.map(lambda value: {name: value})


@st.composite
def rule_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules of both families that a person might write; those without a selector are left to other tests."""
    family, prefixes = draw(st.sampled_from([("ipv4", V4), ("ipv6", V6)]))
    rules: dict[str, dict[str, Any]] = {}
    for _place in range(draw(st.integers(0, 5))):
        entry = {"priority": draw(st.integers(90, 95)), "family": family, "to": draw(prefixes)}
        for extra in (
            optional("from", prefixes),
            optional("iif", st.sampled_from(["v0", "v1"])),
            optional("fwmark", st.sampled_from(["1", "0x10000/0x10000", "0/0xff"])),
        ):
            entry |= draw(extra)
        rules[json.dumps(entry, sort_keys=True)] = entry | {"table": draw(TABLES)}
    return list(rules.values())


@st.composite
def route_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    routes: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _place in range(draw(st.integers(0, 5))):
        prefix, table, metric = draw(V4 | V6), draw(TABLES), draw(st.sampled_from([None, 7]))
        kind = draw(st.sampled_from(["local", "unreachable", "blackhole", "prohibit"]))
        entry = {"prefixes": [prefix], "table": table, "type": kind}
        entry |= {"metric": metric} if metric else {}
        entry |= draw(optional("device", st.sampled_from(["lo", "v0"]))) if kind == "local" else {}
        routes[prefix, table, metric] = entry
    return list(routes.values())


def shown_rules(netns: Namespace) -> list[Any]:
    return [rule for family in ("-4", "-6") for rule in netns.ip_json(f"{family} rule show")]


def shown_routes(netns: Namespace) -> list[Any]:
    return [route for family in ("-4", "-6") for route in netns.ip_json(f"{family} route show table all")]


CASES = [
    pytest.param(
        "ip_rule", "rules", rule_lists(), shown_rules, "rule add priority 93 to 203.0.113.10 table 100", id="rules"
    ),
    pytest.param(
        "ip_local_route",
        "routes",
        route_lists(),
        shown_routes,
        "route add local 192.0.2.9 dev lo table 100",
        id="routes",
    ),
]


@pytest.mark.parametrize(("module", "option", "lists", "shown", "foreign"), CASES)
def test_one_run_converges(
    netns: Namespace,
    module: str,
    option: str,
    lists: st.SearchStrategy[list[dict[str, Any]]],
    shown: Callable[[Namespace], list[Any]],
    foreign: str,
) -> None:
    bare = _sorted(shown(netns))
    netns.ip(foreign)
    others = _sorted(shown(netns))

    def run(entries: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call(module, check=check, purge=True, **{option: entries})

    @EXAMPLES
    @given(lists, lists)
    def converges(start: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
        run(start)
        before = _sorted(shown(netns))
        predicted = run(wanted, check=True)
        assert _sorted(shown(netns)) == before
        assert run(wanted) == predicted
        after = _sorted(shown(netns))
        assert predicted["changed"] == (after != before)
        assert not run(wanted)["changed"]
        ours = [one for one in map(json.loads, after) if one.get("protocol") == "117"]
        assert len(ours) == len(wanted) == len(predicted["diff"]["after"].splitlines())
        assert [one for one in after if json.loads(one) not in ours] == others

    converges()
    run([])
    assert _sorted(shown(netns)) == others != bare


def _sorted(objects: list[Any]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in objects)
