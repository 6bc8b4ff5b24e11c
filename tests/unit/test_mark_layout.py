"""Marks in nft's words: where each lies, what is written for it, and what is read in every wording that nft has."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_rules as rules
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark

META: dict[str, Any] = {"meta": {"key": "mark"}}
# Python writes the IPv4 address inside from 3.13 on.
MAPPED = str(ip_address("::ffff:1.2.3.4"))
MASKS = st.integers(1, 0xFFFFFFFF)


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    network = draw(st.ip_addresses().map(str))
    mask = draw(MASKS)
    low = draw(st.integers(1, 65535))
    port = draw(st.sampled_from(["any", f"tcp/{low}", f"udp/{low}", f"sctp/{low}-65535"]))
    options = {"vips": [network], "ports": [port], "mark": f"{draw(MASKS) & mask:#x}/{mask:#x}"}
    ((_option, found),) = mark_options.parse(options)
    return found


@pytest.mark.parametrize(
    ("one", "name", "element"),
    [
        (Mark(2, "10.0.0.1", "tcp/80", 1), "v4_ports_exact", "10.0.0.1 . 6 . 80 : goto mark_0x1"),
        (Mark(2, "10.0.0.0/8", "tcp/80", 1), "v4_ports", "10.0.0.0/8 . 6 . 80 : goto mark_0x1"),
        (Mark(2, "10.0.0.1", "udp/1-9", 1, 3), "v4_ports", "10.0.0.1 . 17 . 1-9 : goto mark_0x1_0x3"),
        (Mark(2, "10.0.0.1", "icmp", 1), "v4_protocol_exact", "10.0.0.1 . 1 : goto mark_0x1"),
        (Mark(10, "2001:db8::1", "any", 1), "v6_any_exact", "2001:db8::1 . 10 : goto mark_0x1"),
        (
            Mark(10, "2001:db8::1", "89", 1, iif="eth0", source="2001:db8:1::/48"),
            "v6_iif_source_protocol",
            '"eth0" . 2001:db8:1::/48 . 2001:db8::1 . 89 : goto mark_0x1',
        ),
    ],
)
def test_element(one: Mark, name: str, element: str) -> None:
    assert layout.map_of(one) == name
    assert layout.encode(one) == element


def test_what_says_more_is_looked_up_first() -> None:
    names = list(layout.MAPS)
    for first, second in (
        ("v4_iif_any", "v4_source_ports"),
        ("v4_source_any", "v4_ports_exact"),
        ("v4_ports", "v4_protocol_exact"),
        ("v4_protocol", "v4_any_exact"),
    ):
        assert names.index(first) < names.index(second)


@given(marks(), st.booleans())
def test_chain(one: Mark, save: bool) -> None:
    assert layout.mark_of(layout.target(one)) == (one.mark, one.mask)
    kept = "mark set" if one.mask == 0xFFFFFFFF else f"& {~one.mask & 0xFFFFFFFF:#x} |"
    assert rules.marking(one.mark, one.mask, save).count(kept) == 1 + save


@pytest.mark.parametrize(
    ("value", "mark_and_mask"),
    [
        (65537, (65537, 0xFFFFFFFF)),
        ({"|": [META, 255]}, (255, 255)),
        ({"&": [META, 0xFFFFFF00]}, (0, 0xFF)),
        ({"|": [{"&": [META, 0xFFFFFF00]}, 1]}, (1, 0xFF)),
        ({"|": [{"&": [META, 0xFFFFFF01]}, 1]}, (1, 0xFF)),
        ({"^": [{"&": [META, 0xFFFFFF00]}, 1]}, (1, 0xFF)),
        ({"|": [{"&": [META, 0xFFFFFF0F, 0xFFFFFFF0]}, 1]}, (1, 0xFF)),
    ],
)
def test_wordings_of_one_rule(value: Any, mark_and_mask: tuple[int, int]) -> None:
    assert rules.is_marking([{"mangle": {"key": META, "value": value}}], *mark_and_mask, save=False)


@pytest.mark.parametrize(
    "rule",
    [
        [],
        [{"accept": None}],
        [{"counter": {"packets": 0, "bytes": 0}}, {"mangle": {"key": META, "value": 1}}],
        [{"mangle": {"key": {"meta": {"key": "priority"}}, "value": 1}}],
        [{"mangle": {"key": META, "value": {"meta": {"key": "priority"}}}}],
        [{"mangle": {"key": META, "value": {"|": [{"meta": {"key": "priority"}}, 1]}}}],
        [{"mangle": {"key": META, "value": {"<<": [META, 1]}}}],
        [{"mangle": {"key": META, "value": {"^": [META, 1]}}}],
        [{"mangle": {"key": META, "value": 2}}],
    ],
)
def test_other_rules(rule: list[Any]) -> None:
    assert not rules.is_marking(rule, 1, 0xFFFFFFFF, save=False)
    assert not rules.is_marking(rule, 1, 0xFFFFFFFF, save=True)


@pytest.mark.parametrize(
    "name", ["mark_1", "mark_0x01", "mark_0x1_0xffffffff", "mark_0x3_0x1", "mark_0xA", "mark_0x1_", "web", "mark_0x1\n"]
)
def test_names_that_are_not_ours(name: str) -> None:
    assert layout.mark_of(name) is None


GOTO = {"goto": {"target": "mark_0x1"}}


@pytest.mark.parametrize(
    ("name", "key", "verdict", "found"),
    [
        ("v4_ports", {"concat": ["10.0.0.1", 6, 80]}, GOTO, Mark(2, "10.0.0.1", "tcp/80", 1)),
        ("v4_any", {"elem": {"val": {"concat": ["10.0.0.1", 2]}, "comment": "x"}}, GOTO, Mark(2, "10.0.0.1", "any", 1)),
        ("v4_any", {"concat": [{"range": ["10.0.0.0", "10.0.0.7"]}, 2]}, GOTO, Mark(2, "10.0.0.0/29", "any", 1)),
        (
            "v4_any",
            {"concat": [{"range": ["10.0.0.1", "10.0.0.6"]}, 2]},
            GOTO,
            Mark(2, "10.0.0.1-10.0.0.6", "any", 1),
        ),
        ("v6_any", {"concat": ["::ffff:1.2.3.4", 10]}, GOTO, Mark(10, MAPPED, "any", 1)),
        ("v4_protocol", {"concat": ["10.0.0.1", 1]}, GOTO, Mark(2, "10.0.0.1", "icmp", 1)),
        ("v4_ports", {"concat": ["10.0.0.1", 1, {"range": [0, 9]}]}, GOTO, Mark(2, "10.0.0.1", "icmp/0-9", 1)),
        ("v4_ports", {"concat": ["10.0.0.1", 6, 80]}, {"drop": None}, Mark(2, "10.0.0.1", "tcp/80", verdict="drop")),
        (
            "v4_ports",
            {"concat": ["10.0.0.1", {"range": [6, 17]}, 80]},
            {"jump": {"target": "mark_0x1"}},
            Mark(2, "10.0.0.1", "6-17/80", verdict="jump mark_0x1"),
        ),
        (
            "v4_iif_source_any",
            {"concat": ["eth0", {"prefix": {"addr": "10.0.0.0", "len": 8}}, "10.0.0.1", 2]},
            GOTO,
            Mark(2, "10.0.0.1", "any", 1, iif="eth0", source="10.0.0.0/8"),
        ),
    ],
)
def test_what_others_may_have_put_there(name: str, key: Any, verdict: Any, found: Mark) -> None:
    assert layout.decode(layout.MAPS[name], [key, verdict]) == found


@pytest.mark.parametrize(
    "key", ["*", {"concat": ["10.0.0.1", 10]}, {"concat": ["10.0.0.1", {"range": [0, 9]}]}, {"concat": ["10.0.0.1"]}]
)
def test_what_no_mark_is_found_by(key: Any) -> None:
    assert layout.decode(layout.MAPS["v4_any"], [key, GOTO]) is None


@pytest.mark.parametrize(
    ("change", "ours"),
    [
        ({}, True),
        ({"flags": "interval"}, True),
        ({"flags": ["interval", "timeout"]}, False),
        ({"flags": []}, False),
        ({"name": "v4_any_exact"}, False),
        ({"name": "v4_any_exact", "flags": []}, True),
        ({"type": ["ipv4_addr", "inet_service"]}, False),
        ({"map": "mark"}, False),
        ({"name": "v4_other"}, False),
    ],
)
def test_maps(change: dict[str, Any], ours: bool) -> None:
    listed = {"name": "v4_any", "type": ["ipv4_addr", "nf_proto"], "map": "verdict", "flags": ["interval"], **change}
    assert layout.is_map(listed) == ours
