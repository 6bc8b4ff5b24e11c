"""Our bytes, read by pyroute2's message classes, which are somebody else's; and read back by our own."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet, routes, rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import attributes
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule

U32 = st.integers(1, 0xFFFFFFFF)
PREFIXES = {
    2: st.ip_addresses(v=4).map(lambda a: f"{a}/32"),
    10: st.ip_addresses(v=6).map(lambda a: f"{a}/128"),
}
NAMES = st.text("abcdefgh0123456789.-", min_size=1, max_size=15)


def decoded(kind: Any, body: bytes) -> Any:
    message = kind(struct.pack("=IHHII", 16 + len(body), 0, 0, 0, 0) + body)
    message.decode()
    return message


@st.composite
def rule_objects(draw: st.DrawFn) -> Rule:
    family = draw(st.sampled_from([2, 10]))
    marked = draw(st.booleans())
    return Rule(
        family=family,
        priority=draw(U32),
        protocol=draw(st.integers(1, 255)),
        source=draw(st.just("") | PREFIXES[family]),
        destination=draw(st.just("") | PREFIXES[family]),
        iif=draw(st.just("") | NAMES),
        mark=draw(U32) if marked else None,
        mask=draw(U32) if marked else 0,
        inverted=draw(st.booleans()),
        table=draw(U32),
    )


@given(rule_objects())
def test_rule(rule: Rule) -> None:
    body = rules.encode(rule)
    assert rules.decode(body) == rule
    seen = decoded(fibmsg, body)
    assert seen["family"] == rule.family
    assert seen["action"] == rule.action
    assert bool(seen["flags"] & 2) == rule.inverted
    assert seen.get_attr("FRA_PRIORITY") == rule.priority
    assert seen.get_attr("FRA_TABLE") == rule.table
    assert seen.get_attr("FRA_PROTOCOL") == rule.protocol
    assert (seen.get_attr("FRA_IIFNAME") or "") == rule.iif
    assert seen.get_attr("FRA_FWMARK") == rule.mark
    assert (seen.get_attr("FRA_FWMASK") or 0) == rule.mask
    for name, length, prefix in (("FRA_SRC", "src_len", rule.source), ("FRA_DST", "dst_len", rule.destination)):
        shown = f"{seen.get_attr(name)}/{seen[length]}" if seen.get_attr(name) else ""
        assert _packed(shown) == _packed(prefix)


@st.composite
def route_objects(draw: st.DrawFn) -> Route:
    family = draw(st.sampled_from([2, 10]))
    kind = draw(st.sampled_from([2, 6, 7, 8]))
    prefix = draw(PREFIXES[family] | st.just({2: "0.0.0.0/0", 10: "::/0"}[family]))
    return Route(
        family, prefix, draw(U32), draw(U32 | st.just(0)), kind, "lo" if kind == 2 else "", draw(st.integers(1, 255))
    )


@given(route_objects())
def test_route(route: Route) -> None:
    body = routes.Encoder().encode(route)
    assert routes.decode(body, routes.Devices()) == route
    seen = decoded(rtmsg, body)
    assert seen["family"] == route.family
    assert seen["type"] == route.kind
    assert seen["proto"] == route.protocol
    # RT_SCOPE_HOST: without it the kernel refuses an IPv4 local route.
    assert seen["scope"] == (254 if route.family == 2 and route.kind == 2 else 0)
    assert seen.get_attr("RTA_TABLE") == route.table
    assert (seen.get_attr("RTA_PRIORITY") or 0) == route.metric
    assert seen.get_attr("RTA_OIF") == (1 if route.device else None)
    assert f"{seen['dst_len']}" == route.prefix.rpartition("/")[2]
    assert _packed(f"{seen.get_attr('RTA_DST')}/0" if seen["dst_len"] else "") == (
        _packed(route.prefix) if seen["dst_len"] else b""
    )


@pytest.mark.parametrize("body", [b"", b"\0" * 3])
def test_short_attributes_are_the_end(body: bytes) -> None:
    assert list(attributes(body)) == []


def _packed(prefix: str) -> bytes:
    return inet.packed(prefix.partition("/")[0]) if prefix else b""
