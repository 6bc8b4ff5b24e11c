"""From any services to any others in one run, whatever belongs to others; ipvsadm is the oracle."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import listed, meant

from namespace import Namespace

FOREIGN = {"fwmark": "0x20001", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]}
BITS = "0x10000/0x30000"


@st.composite
def destinations(draw: st.DrawFn, family: str) -> list[dict[str, Any]]:
    prefix = {"ipv4": "10.0.0.", "ipv6": "2001:db8:a::"}[family]
    return [
        {
            "address": f"{prefix}{number}",
            "forwarding": draw(st.sampled_from(["direct", "tunnel", "masquerade"])),
            "weight": draw(st.sampled_from([0, 1, 7, 65535])),
        }
        for number in draw(st.lists(st.integers(11, 14), unique=True, max_size=4))
    ]


@st.composite
def service_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Services whose marks carry the bit, of both families."""
    keys = st.tuples(st.integers(0x10001, 0x10003), st.sampled_from(["ipv4", "ipv6"]))
    found = []
    for mark, family in draw(st.lists(keys, unique=True, max_size=4)):
        service = {"fwmark": hex(mark), "family": family, "destinations": draw(destinations(family))}
        service["scheduler"] = draw(st.sampled_from(["rr", "wlc", "sh"]))
        if draw(st.booleans()):
            service |= {
                "persistent": draw(st.integers(1, 500)),
                "persistent_netmask": draw(st.sampled_from(["32", "8"])),
            }
        found.append(service)
    return found


def test_one_run_converges(netns: Namespace) -> None:
    netns.call("ipvs_service", **FOREIGN)

    def run(services: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        return netns.call("ipvs_service", check=check, services=services, purge=True, purge_fwmarks=BITS)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(service_lists(), service_lists())
    def converges(start: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
        run(start)
        before = listed(netns)
        assert before == meant([FOREIGN, *start])
        predicted = run(wanted, check=True)
        assert listed(netns) == before
        assert run(wanted) == predicted
        assert listed(netns) == meant([FOREIGN, *wanted])
        assert predicted["changed"] == (meant(start) != meant(wanted))
        assert not run(wanted)["changed"]

    converges()
    run([])
    assert listed(netns) == meant([FOREIGN])
