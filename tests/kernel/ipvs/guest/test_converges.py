"""From any services to any others in one run, whatever belongs to others; ipvsadm is the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import lines, listed, meant

from namespace import Namespace

FOREIGN: list[dict[str, Any]] = [
    {"fwmark": "0x20001", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]},
    {"vip": "203.0.113.99", "protocol": "tcp", "port": 80, "destinations": [{"address": "10.0.0.11"}]},
]
BITS = "0x10000/0x30000"
ENDPOINTS = {"ipv4": "203.0.113.10", "ipv6": "2001:db8:f::10"}
SERVERS = {"ipv4": "10.0.0.", "ipv6": "2001:db8:a::"}
TUNNELS: list[dict[str, Any]] = [
    {},
    {"tunnel_type": "ipip"},
    {"tunnel_type": "gre", "tunnel_checksum": "csum"},
    {"tunnel_type": "gue", "tunnel_port": 6080},
    {"tunnel_type": "gue", "tunnel_port": 6081, "tunnel_checksum": "remcsum"},
]
SCHEDULERS: list[dict[str, Any]] = [
    {"scheduler": "rr"},
    {},
    {"scheduler": "sh", "flags": ["sh-port"]},
    {"scheduler": "mh", "flags": ["mh-fallback", "mh-port"]},
]


@st.composite
def destinations(draw: st.DrawFn, family: str) -> list[dict[str, Any]]:
    found = []
    for number in draw(st.lists(st.integers(11, 13), unique=True, max_size=3)):
        forwarding = draw(st.sampled_from(["direct", "tunnel", "masquerade"]))
        # A tunnel can lead to the other family.
        its = draw(st.sampled_from(["ipv4", "ipv6"])) if forwarding == "tunnel" else family
        one = {"address": f"{SERVERS[its]}{number}", "forwarding": forwarding}
        one |= draw(st.sampled_from([{}, {"weight": 0}, {"weight": 7}, {"weight": 65535}]))
        one |= draw(st.sampled_from([{}, {"upper_threshold": 9}, {"upper_threshold": 9, "lower_threshold": 3}]))
        found.append(one | (draw(st.sampled_from(TUNNELS)) if forwarding == "tunnel" else {}))
    return found


@st.composite
def service_lists(draw: st.DrawFn, kinds: list[str]) -> list[dict[str, Any]]:
    """Services by marks, which carry the bit, or by VIP and protocol, of both families."""
    keys = st.tuples(st.sampled_from(kinds), st.sampled_from(["ipv4", "ipv6"]))
    found = []
    for kind, family in draw(st.lists(keys, unique=True, max_size=4)):
        service: dict[str, Any] = {"fwmark": kind, "family": family}
        if not kind.startswith("0x"):
            service = {"vip": ENDPOINTS[family], "protocol": kind, "port": draw(st.sampled_from([53, 80]))}
        service |= {"destinations": draw(destinations(family)), **draw(st.sampled_from(SCHEDULERS))}
        if draw(st.booleans()):
            service["persistent"] = draw(st.integers(1, 500))
            service["persistent_netmask"] = draw(st.sampled_from(["32", "8"]))
            service |= draw(st.sampled_from([{}, {"persistence_engine": "sip"}])) if kind == "udp" else {}
        elif kind not in {"tcp", "sctp"} and draw(st.booleans()):
            service["flags"] = [*service.get("flags", []), "one-packet"]
        found.append(service)
    return found


def whole(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With all that would stay as it is if it were not given."""
    return [
        {
            "flags": [],
            "persistence_engine": "",
            **service,
            "destinations": [
                {"upper_threshold": 0, "lower_threshold": 0, **({"tunnel_type": "ipip"} if tunnel(one) else {}), **one}
                for one in service["destinations"]
            ],
        }
        for service in services
    ]


def tunnel(destination: dict[str, Any]) -> bool:
    return bool(destination["forwarding"] == "tunnel")


MARKS, VIPS = ["0x10001", "0x10002"], ["tcp", "udp", "sctp"]


# Purging marks by their bits leaves everything else; without bits, every service is ours.
@pytest.mark.parametrize(("kinds", "purge", "foreign"), [(MARKS, {"purge_fwmarks": BITS}, FOREIGN), (VIPS, {}, [])])
def test_one_run_converges(
    netns: Namespace, kinds: list[str], purge: dict[str, str], foreign: list[dict[str, Any]]
) -> None:
    netns.call("ipvs_service", services=foreign)

    def run(services: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call("ipvs_service", check=check, services=whole(services), purge=True, **purge)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(service_lists(kinds), service_lists(kinds))
    def converges(start: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
        run(start)
        before = listed(netns)
        assert before == meant([*foreign, *start])
        predicted = run(wanted, check=True)
        assert listed(netns) == before
        assert run(wanted) == predicted
        assert listed(netns) == meant([*foreign, *wanted])
        assert predicted["changed"] == (meant(start) != meant(wanted))
        others = meant(foreign)
        ours = {key: service for key, service in listed(netns).items() if key not in others}
        assert sorted(sorted(line.split()) for line in predicted["diff"]["after"].splitlines()) == lines(ours)
        assert not run(wanted)["changed"]

    converges()
    run([])
    assert listed(netns) == meant(foreign)
