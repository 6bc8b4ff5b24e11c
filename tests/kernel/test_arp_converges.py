"""Silence on ARP, from any state to any other in one run, by both methods; /proc/sys and nft are the oracle."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from namespace import Namespace


def _within(one: str, other: str) -> bool:
    return ipaddress.ip_network(one).subnet_of(ipaddress.ip_network(other))  # type: ignore[arg-type]


EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# Prefixes side by side and one in another, since the kernel keeps intervals.
VIPS = st.lists(
    st.sampled_from(
        ["203.0.113.0/25", "203.0.113.64/26", "203.0.113.64", "203.0.113.65", "203.0.113.128", "192.0.2.9"]
    ),
    unique=True,
).filter(lambda vips: not any(_within(one, other) for one in vips for other in vips if one != other))
STATES = st.fixed_dictionaries(
    {
        "vips": VIPS,
        "interfaces": st.sampled_from([["all"], ["v0"], ["v0", "v1"]]),
        "source": st.sampled_from([None, "10.0.0.2", "10.0.0.3"]),
    }
)
DAMAGE = st.sampled_from(["", "flush chain arp lvs_vipless input", "add rule arp lvs_vipless output accept"])
LEVELS = st.fixed_dictionaries(
    {
        "interfaces": st.lists(st.sampled_from(["all", "v0", "v1"]), min_size=1, unique=True),
        "arp_ignore": st.sampled_from([0, 1, 2, 3, 8]),
        "arp_announce": st.sampled_from([0, 1, 2]),
        "state": st.sampled_from(["present", "present", "absent"]),
    }
)


def shown(netns: Namespace) -> list[Any]:
    """The table as nft lists it, but for handles and the order of elements, which is that of their coming."""
    if "lvs_vipless" not in netns.run("nft", "list", "tables", "arp"):
        return []
    found = json.loads(netns.run("nft", "-j", "list", "table", "arp", "lvs_vipless"))["nftables"][1:]
    bodies = [(kind, body) for item in found for kind, body in item.items()]
    for _kind, body in bodies:
        body.pop("handle", None)
        body.get("elem", []).sort(key=json.dumps)
    return sorted(map(json.dumps, bodies))


def lines(target: list[str]) -> list[str]:
    """What nft lists, in the words of the diff. Every silent interface drops questions on input, and one that asks in
    another's name has its address written on output."""
    found, silent, sources = [], set(), set()
    for kind, body in map(json.loads, target):
        if kind == "set":
            vips = [element["concat"][0] for element in body["elem"]]
            found += [f"vip {_prefix(vip)}" for vip in vips]
        elif kind == "rule":
            matches = [expression["match"] for expression in body["expr"] if "match" in expression]
            devices = [one["right"] for one in matches if "meta" in one["left"]] or ["all"]
            silent |= set(devices) if body["chain"] == "input" else set()
            sources |= {(devices[0], one["mangle"]["value"]) for one in body["expr"] if "mangle" in one}
    words = [f"silent on {name}" for name in sorted(silent)]
    words += [f"asks on {name} as {address}" for name, address in sorted(sources)]
    return sorted([*found, "; ".join(["table arp lvs_vipless", *words])]) if target else []


def _prefix(vip: Any) -> str:
    return vip if isinstance(vip, str) else f"{vip['prefix']['addr']}/{vip['prefix']['len']}"


def held(netns: Namespace) -> dict[str, str]:
    """The levels of the running kernel."""
    names = [
        f"net.ipv4.conf.{name}.{key}" for name in ("all", "v0", "v1", "lo") for key in ("arp_ignore", "arp_announce")
    ]
    return dict(zip(names, netns.run("sysctl", "-n", *names).split(), strict=True))


def test_one_run_converges_by_nftables(netns: Namespace) -> None:
    netns.ip("address add 10.0.0.3/24 dev v0")

    def run(options: dict[str, Any], check: bool = False) -> dict[str, Any]:
        return netns.call("arp_suppress", check=check, method="nftables", **options)

    @EXAMPLES
    @given(STATES, DAMAGE, STATES)
    def converges(start: dict[str, Any], damage: str, goal: dict[str, Any]) -> None:
        run(goal)
        target = shown(netns)
        run(start)
        if damage and start["vips"]:
            netns.run("nft", damage)
        before = shown(netns)
        predicted = run(goal, check=True)
        assert shown(netns) == before
        assert run(goal) == predicted
        assert shown(netns) == target
        assert predicted["changed"] == (before != target)
        assert bool(target) == bool(goal["vips"])
        assert sorted(predicted["diff"]["after"].splitlines()) == lines(target)
        assert not run(goal)["changed"]

    converges()


def test_one_run_converges_by_sysctl(netns: Namespace) -> None:
    @EXAMPLES
    @given(LEVELS, LEVELS)
    def converges(start: dict[str, Any], goal: dict[str, Any]) -> None:
        netns.call("arp_suppress", **start)
        before = held(netns)
        predicted = netns.call("arp_suppress", check=True, **goal)
        assert held(netns) == before
        assert netns.call("arp_suppress", **goal) == predicted
        meant = {
            f"net.ipv4.conf.{name}.{key}": str(goal[key] if goal["state"] == "present" else 0)
            for name in goal["interfaces"]
            for key in ("arp_ignore", "arp_announce")
        }
        assert held(netns) == {**before, **meant}
        after = [f"runtime {name} = {level}" for name, level in held(netns).items() if name in meant]
        assert sorted(predicted["diff"]["after"].splitlines()) == sorted(after)
        assert predicted["changed"] == (held(netns) != before)
        assert not netns.call("arp_suppress", **goal)["changed"]

    converges()
