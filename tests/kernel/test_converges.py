"""From any state to any other in one run, whatever belongs to others; the kernel's tools are the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namespace import Namespace

EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

TABLES = st.sampled_from(["100", "101", "300"])
V4 = st.sampled_from(["203.0.113.0/24", "203.0.113.10", "192.0.2.0/28", "198.18.0.0/15"])
V6 = st.sampled_from(["2001:db8:f::/64", "2001:db8:f::10", "2001:db8:e::/56"])
PORTS = st.sampled_from(["80", "4000-4999"])


def optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({}) | values.map(lambda value: {name: value})


ACTIONS = st.one_of(
    st.fixed_dictionaries(
        {"table": TABLES},
        optional={"suppress_prefixlength": st.sampled_from([0, 24]), "suppress_ifgroup": st.sampled_from([0, 7])},
    ),
    st.just({"l3mdev": True}),
    st.sampled_from([200, 300]).map(lambda target: {"goto": target}),
    st.sampled_from(["nop", "blackhole", "unreachable", "prohibit"]).map(lambda action: {"action": action}),
)


@st.composite
def rule_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules of both families that a person might write; those without a selector are left to other tests, and dscp too,
    which this ip(8) does not show."""
    family, prefixes = draw(st.sampled_from([("ipv4", V4), ("ipv6", V6)]))
    selectors = st.fixed_dictionaries(
        {"priority": st.integers(90, 93), "family": st.just(family), "to": prefixes},
        optional={
            "from": prefixes,
            "iif": st.sampled_from(["v0", "v1"]),
            "oif": st.sampled_from(["v0", "v1"]),
            "fwmark": st.sampled_from(["1", "0x10000/0x10000", "0/0xff"]),
            "tos": st.sampled_from(["0x10", "0x08"]),
            "ipproto": st.sampled_from(["tcp", "udp"]),
            "sport": PORTS,
            "dport": PORTS,
            "uidrange": st.sampled_from(["0", "5-7"]),
            "not": st.just(True),
        },
    )
    rules = draw(st.lists(selectors, max_size=5, unique_by=lambda rule: json.dumps(rule, sort_keys=True)))
    return [rule | draw(ACTIONS) for rule in rules]


FOREIGN_RULES = st.lists(
    st.builds(
        "{} rule add priority {} {} {} {}".format,
        st.sampled_from(["-4", "-6"]),
        st.integers(90, 93),
        st.sampled_from(["", "not", "iif v0", "uidrange 5-7 sport 80 ipproto tcp", "oif v1 fwmark 1 tos 0x10"]),
        st.sampled_from(["table 100", "goto 200", "nop", "table 100 realms 5/6", "table 101 suppress_prefixlength 0"]),
        st.sampled_from(["", "protocol 0", "protocol 99", "protocol 117"]),
    ),
    max_size=3,
    unique=True,
)


@st.composite
def route_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    routes: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _place in range(draw(st.integers(0, 5))):
        prefix, table, metric = draw(V4 | V6), draw(TABLES), draw(st.sampled_from([None, 7]))
        kind = draw(st.sampled_from(["local", "unreachable", "blackhole", "prohibit"]))
        entry = {"prefixes": [prefix], "table": table, "type": kind}
        entry |= {"metric": metric} if metric else {}
        entry |= draw(optional("device", st.sampled_from(["lo", "v0"]))) if kind == "local" else {}
        entry |= draw(optional("source", st.just("2001:db8:a::2" if ":" in prefix else "10.0.0.2")))
        routes[prefix, table, metric] = entry
    return list(routes.values())


FOREIGN_ROUTES = st.lists(
    st.builds(
        "route add {} table {} {}".format,
        st.sampled_from(["local 192.0.2.9 dev lo", "unreachable 198.51.100.0/24", "local 2001:db8:f::77 dev lo"]),
        TABLES,
        st.sampled_from(["", "protocol 0", "protocol 99", "protocol 117", "protocol 117 metric 9"]),
    ),
    max_size=3,
    unique_by=lambda command: command.partition(" protocol")[0].rstrip(),
)


@st.composite
def hop_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    routes: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _place in range(draw(st.integers(0, 5))):
        prefix, table, metric = draw(V4 | V6), draw(TABLES), draw(st.sampled_from([None, 7]))
        hops = ["10.0.0.8", "10.0.0.9"] if "." in prefix else ["2001:db8:a::8", "2001:db8:a::9"]
        # v1 has no address, so that no next hop is on its link.
        way = draw(st.sampled_from([("v0", hops[0]), ("v0", hops[1]), ("v0", ""), ("v1", "")]))
        entry = {"prefixes": [prefix], "table": table, "device": way[0]}
        entry |= {"metric": metric} if metric else {}
        entry |= {"gateways": [way[1]]} if way[1] else {}
        routes[prefix, table, metric] = entry
    return list(routes.values())


FOREIGN_HOPS = st.lists(
    st.one_of(
        st.builds(
            "route add {} table {} {}".format,
            st.sampled_from(
                ["192.0.2.9 via 10.0.0.9", "198.51.100.0/24 dev v1", "2001:db8:f::77 via 2001:db8:a::9 dev v0"]
            ),
            TABLES,
            st.sampled_from(["", "protocol 0", "protocol 99", "protocol 117", "protocol 117 metric 9"]),
        ),
        # What is there already at the place of one that may be wanted is left to other tests.
        st.builds("route add 203.0.113.10 dev v0 metric 9 table {} protocol 99".format, TABLES),
        st.just("route add local 192.0.2.10 dev lo table 101 protocol 99"),
    ),
    max_size=3,
    unique_by=lambda command: command.partition(" protocol")[0].rstrip(),
)


def rule_line(rule: dict[str, Any], family: str) -> str:
    """A rule of ip(8) in the words of the diff, written down once more."""

    def prefix(name: str) -> str:
        length = rule.get(f"{name}len", {"ipv4": 32, "ipv6": 128}[family])
        return f"{rule[name]}/{length}" if rule.get(name, "all") != "all" else ""

    def span(name: str, low: str, high: str) -> str:
        return str(rule.get(name, "")) or (f"{rule[low]}-{rule[high]}" if low in rule else "")

    users = sorted({rule["uid_start"], rule["uid_end"]}) if "uid_start" in rule else []
    mask = f"/{rule['fwmask']}" if "fwmask" in rule else ""
    words = [f"{family} {rule['priority']}:", "not" if "not" in rule else "", "from", prefix("src") or "all"]
    for name, value in (
        ("to", prefix("dst")),
        ("tos", f"{int(rule['tos'], 0):#04x}" if "tos" in rule else ""),
        ("fwmark", f"{int(rule['fwmark'], 0):#x}{mask}" if "fwmark" in rule else ""),
        ("iif", rule.get("iif", "")),
        ("oif", rule.get("oif", "")),
        ("uidrange", "-".join(map(str, users))),
        ("ipproto", rule.get("ipproto", "")),
        ("sport", span("sport", "sport_start", "sport_end")),
        ("dport", span("dport", "dport_start", "dport_end")),
        ("lookup", "[l3mdev-table]" if "l3mdev" in rule else rule.get("table", "")),
        ("goto", str(rule.get("goto", ""))),
        ("suppress_prefixlength", str(rule.get("suppress_prefixlen", ""))),
        ("suppress_ifgroup", "0" if rule.get("suppress_ifgroup") == "default" else rule.get("suppress_ifgroup", "")),
    ):
        words += [name, value] if value else []
    words += [name for name in ("nop",) if name in rule]
    return " ".join(word for word in [*words, rule.get("action", ""), "proto", rule["protocol"]] if word)


def route_line(route: dict[str, Any], family: str) -> str:
    """The same for a route."""
    prefix = route["dst"] if route["dst"] == "default" or "/" in route["dst"] else ip_network(route["dst"])
    device = f" via {route['gateway']}" if "gateway" in route else ""
    device += f" dev {route['dev']}" if route["type"] in ("local", "unicast") else ""
    rest = f" metric {route['metric']}" if route.get("metric") else ""
    rest += f" src {route['prefsrc']}" if "prefsrc" in route else ""
    return f"{family} {route['type']} {prefix}{device} table {route['table']} proto {route['protocol']}{rest}"


class Case(NamedTuple):
    """A module, its list of objects, what others may have made before, how all that goes again, and the oracle: what
    the namespace holds, and each object as a line of the diff."""

    module: str
    option: str
    lists: st.SearchStrategy[list[dict[str, Any]]]
    foreign: st.SearchStrategy[list[str]]
    clear: Callable[[Namespace], None]
    shown: Callable[[Namespace, str], list[dict[str, Any]]]
    line: Callable[[dict[str, Any], str], str]


def clear_rules(netns: Namespace) -> None:
    for family in ("-4", "-6"):
        for rule in netns.ip_json(f"{family} rule show"):
            if rule["priority"] in range(90, 94):
                netns.ip(f"{family} rule delete priority {rule['priority']}")


def clear_routes(netns: Namespace) -> None:
    for family in ("-4", "-6"):
        for route in netns.ip_json(f"{family} route show table all"):
            if route.get("table") in {"100", "101", "300"}:
                netns.ip(f"{family} route flush table {route['table']}")


CASES = {
    "rules": Case(
        "ip_rule",
        "rules",
        rule_lists(),
        FOREIGN_RULES,
        clear_rules,
        lambda netns, family: netns.ip_json(f"{family} rule show"),
        rule_line,
    ),
    "routes": Case(
        "ip_local_route",
        "routes",
        route_lists(),
        FOREIGN_ROUTES,
        clear_routes,
        lambda netns, family: netns.ip_json(f"{family} route show table all"),
        route_line,
    ),
    "hops": Case(
        "ip_route",
        "routes",
        hop_lists(),
        FOREIGN_HOPS,
        clear_routes,
        lambda netns, family: netns.ip_json(f"{family} route show table all"),
        route_line,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_run_converges(netns: Namespace, case: Case) -> None:
    def held() -> tuple[list[str], list[str]]:
        """Our objects as lines, and the others whole."""
        ours, others = [], []
        for option, family in (("-4", "ipv4"), ("-6", "ipv6")):
            for one in case.shown(netns, option):
                if one.get("protocol") == "117":
                    ours.append(case.line(one, family))
                else:
                    others.append(f"{family} {json.dumps(one, sort_keys=True)}")
        return sorted(ours), sorted(others)

    def run(entries: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call(case.module, check=check, purge=True, force=True, **{case.option: entries})

    @EXAMPLES
    @given(case.lists, case.foreign, case.lists)
    def converges(start: list[dict[str, Any]], foreign: list[str], wanted: list[dict[str, Any]]) -> None:
        run(start)
        for command in foreign:
            # What is there already is not added again.
            with suppress(RuntimeError):
                netns.ip(command)
        before, others = held()
        predicted = run(wanted, check=True)
        assert held() == (before, others)
        assert run(wanted) == predicted
        after, others_after = held()
        assert predicted["changed"] == (after != before)
        assert len(after) == len(wanted)
        assert sorted(predicted["diff"]["after"].splitlines()) == after
        assert others_after == others
        assert not run(wanted)["changed"]
        run([])
        case.clear(netns)

    bare = held()
    converges()
    assert held() == bare
