"""Our bytes, read and written again by pyroute2's message classes, which are somebody else's; and read by our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet, routes, rule_codec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import attributes
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import ACTIONS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import range_text
from second_opinion import decoded, parts, written_again

FRA_DSCP = 25
U32 = st.integers(1, 0xFFFFFFFF)
PREFIXES = {
    2: st.ip_addresses(v=4).map(lambda a: f"{a}/32"),
    10: st.ip_addresses(v=6).map(lambda a: f"{a}/128"),
}
NAMES = st.text("abcdefgh0123456789.-", min_size=1, max_size=15)


def ranges(highest: int) -> st.SearchStrategy[str]:
    pairs = st.tuples(st.integers(1, highest), st.integers(1, highest)).map(sorted)
    return st.just("") | pairs.map(lambda pair: range_text(*pair))


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
        oif=draw(st.just("") | NAMES),
        mark=draw(st.integers(0, 0xFFFFFFFF)) if marked else None,
        mask=draw(U32) if marked else 0,
        inverted=draw(st.booleans()),
        tos=draw(st.integers(0, 63)) << 2,
        dscp=draw(st.none() | st.integers(0, 63)),
        ipproto=draw(st.integers(0, 255)),
        sport=draw(ranges(65535)),
        dport=draw(ranges(65535)),
        uidrange=draw(ranges(0xFFFFFFFE)),
        action=draw(st.sampled_from(sorted(ACTIONS.values()))),
        table=draw(U32),
        l3mdev=draw(st.booleans()),
        target=draw(st.just(0) | U32),
        suppress_prefixlength=draw(st.none() | st.integers(0, 128)),
        suppress_ifgroup=draw(st.none() | st.integers(0, 0x7FFFFFFF)),
    )


@given(rule_objects())
def test_rule(rule: Rule) -> None:
    body = rule_codec.encode(rule)
    assert rule_codec.decode(body) == rule
    seen = decoded(fibmsg, body)
    assert seen["family"] == rule.family
    assert seen["action"] == rule.action
    assert bool(seen["flags"] & 2) == rule.inverted
    assert seen["tos"] == rule.tos
    for name, value in (
        ("PRIORITY", rule.priority),
        ("TABLE", rule.table),
        ("PROTOCOL", rule.protocol),
        ("IIFNAME", rule.iif),
        ("OIFNAME", rule.oif),
        ("FWMARK", rule.mark),
        ("IP_PROTO", rule.ipproto),
        ("L3MDEV", rule.l3mdev),
        ("GOTO", rule.target),
        ("SUPPRESS_PREFIXLEN", rule.suppress_prefixlength),
        ("SUPPRESS_IFGROUP", rule.suppress_ifgroup),
        ("UID_RANGE", rule.uidrange),
        ("SPORT_RANGE", rule.sport),
        ("DPORT_RANGE", rule.dport),
    ):
        shown = seen.get_attr(f"FRA_{name}")
        if name.endswith("RANGE") and shown:
            shown = range_text(*(shown[end] for end in ("start", "end"))) if isinstance(shown, dict) else shown
            shown = range_text(*map(int, shown.split(":"))) if ":" in shown else shown
        assert shown == value or not (shown or value), name
    assert (seen.get_attr("FRA_FWMASK") or 0) == rule.mask
    for name, length, prefix in (("FRA_SRC", "src_len", rule.source), ("FRA_DST", "dst_len", rule.destination)):
        shown = f"{seen.get_attr(name)}/{seen[length]}" if seen.get_attr(name) else ""
        assert _packed(shown) == _packed(prefix)
    fields, ours = parts(fibmsg, body)
    # The one that it does not know.
    ours.pop(FRA_DSCP, None)
    assert written_again(fibmsg, body) == (fields, ours)


@given(st.lists(rule_objects(), max_size=6))
def test_a_dump_of_rules(rules: list[Rule]) -> None:
    # The same rule to other destinations is read by what the first of them left.
    others = [rule._replace(destination="8.0.1.0/32") for rule in rules if rule.family == 2 and rule.destination]
    found = [*rules, *others, *rules]
    assert list(rule_codec.decode_all(map(rule_codec.encode, found))) == found


def test_bytes_that_look_like_a_destination() -> None:
    # 0x10008 is the header of the attribute, in the priority and in the source.
    rule = Rule(2, 0x10008, 117, source="8.0.1.0/32", destination="203.0.113.10/32", table=7)
    rules = [rule, rule._replace(destination="203.0.113.11/32"), rule._replace(destination="")]
    assert list(rule_codec.decode_all(map(rule_codec.encode, rules))) == rules


@st.composite
def route_objects(draw: st.DrawFn) -> Route:
    family = draw(st.sampled_from([2, 10]))
    kind = draw(st.sampled_from([2, 6, 7, 8]))
    prefix = draw(PREFIXES[family] | st.just({2: "0.0.0.0/0", 10: "::/0"}[family]))
    source = draw(st.just("") | PREFIXES[family].map(lambda text: text.partition("/")[0]))
    device, protocol = "lo" if kind == 2 else "", draw(st.integers(1, 255))
    return Route(family, prefix, draw(U32), draw(U32 | st.just(0)), kind, device, protocol, source=source)


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
    assert _packed(seen.get_attr("RTA_PREFSRC") or "") == _packed(route.source)
    assert f"{seen['dst_len']}" == route.prefix.rpartition("/")[2]
    assert _packed(f"{seen.get_attr('RTA_DST')}/0" if seen["dst_len"] else "") == (
        _packed(route.prefix) if seen["dst_len"] else b""
    )
    assert written_again(rtmsg, body) == parts(rtmsg, body)


@pytest.mark.parametrize("body", [b"", b"\0" * 3])
def test_short_attributes_are_the_end(body: bytes) -> None:
    assert attributes(body) == []


def _packed(prefix: str) -> bytes:
    return inet.packed(prefix.partition("/")[0]) if prefix else b""
