"""Marks in nft's JSON: what is written is read back the same, in every wording that nft has for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import mark_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark

META: dict[str, Any] = {"meta": {"key": "mark"}}
MASKS = st.integers(1, 0xFFFFFFFF)


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    network = draw(st.ip_addresses().map(str))
    mask = draw(MASKS)
    low = draw(st.integers(1, 65535))
    port = draw(st.sampled_from(["any", f"tcp/{low}", f"udp/{low}", f"sctp/{low}-65535"]))
    options = {"vips": [network], "ports": [port], "mark": f"{draw(MASKS) & mask:#x}/{mask:#x}"}
    ((_option, found),) = mark.parse(options)
    return found


@given(marks())
def test_element(one: Mark) -> None:
    assert layout.decode(one.family, layout.encode(one)) == one
    assert layout.MAPS[layout.map_of(one)].family == one.family


@given(marks())
def test_chain(one: Mark) -> None:
    assert layout.mark_of(layout.target(one)) == (one.mark, one.mask)
    assert layout.is_marking(layout.marking(one.mark, one.mask), one.mark, one.mask)
    assert not layout.is_marking(layout.marking(one.mark, one.mask), one.mark ^ 1, one.mask | 1)


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
    assert layout.is_marking([{"mangle": {"key": META, "value": value}}], *mark_and_mask)


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
    assert not layout.is_marking(rule, 1, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "name", ["mark_1", "mark_0x01", "mark_0x1_0xffffffff", "mark_0x3_0x1", "mark_0xA", "mark_0x1_", "web", "mark_0x1\n"]
)
def test_names_that_are_not_ours(name: str) -> None:
    assert layout.mark_of(name) is None


GOTO = {"goto": {"target": "mark_0x1"}}


@pytest.mark.parametrize(
    ("family", "key", "verdict", "found"),
    [
        (2, {"concat": ["10.0.0.1", 6, 80]}, GOTO, Mark(2, "10.0.0.1", "tcp/80", 1)),
        (2, {"elem": {"val": {"concat": ["10.0.0.1", 2]}, "comment": "x"}}, GOTO, Mark(2, "10.0.0.1", "any", 1)),
        (2, {"concat": [{"range": ["10.0.0.0", "10.0.0.7"]}, 2]}, GOTO, Mark(2, "10.0.0.0/29", "any", 1)),
        (2, {"concat": [{"range": ["10.0.0.1", "10.0.0.6"]}, 2]}, GOTO, Mark(2, "10.0.0.1-10.0.0.6", "any", 1)),
        (10, {"concat": ["::ffff:1.2.3.4", 10]}, GOTO, Mark(10, "::ffff:102:304", "any", 1)),
        (2, {"concat": ["10.0.0.1", 1, {"range": [0, 9]}]}, GOTO, Mark(2, "10.0.0.1", "1/0-9", 1)),
        (2, {"concat": ["10.0.0.1", 6, 80]}, {"drop": None}, Mark(2, "10.0.0.1", "tcp/80", verdict="drop")),
        (
            2,
            {"concat": ["10.0.0.1", {"range": [6, 17]}, 80]},
            {"jump": {"target": "mark_0x1"}},
            Mark(2, "10.0.0.1", "6-17/80", verdict="jump mark_0x1"),
        ),
    ],
)
def test_what_others_may_have_put_there(family: int, key: Any, verdict: Any, found: Mark) -> None:
    assert layout.decode(family, [key, verdict]) == found


@pytest.mark.parametrize("key", ["*", {"concat": ["10.0.0.1", 10]}, {"concat": ["10.0.0.1", {"range": [0, 9]}]}])
def test_what_no_mark_is_found_by(key: Any) -> None:
    assert layout.decode(2, [key, GOTO]) is None


@pytest.mark.parametrize(
    ("change", "ours"),
    [
        ({}, True),
        ({"flags": "interval"}, True),
        ({"flags": ["interval", "timeout"]}, False),
        ({"flags": None}, False),
        ({"type": ["ipv4_addr", "inet_service"]}, False),
        ({"map": "mark"}, False),
        ({"name": "v4_other"}, False),
    ],
)
def test_maps(change: dict[str, Any], ours: bool) -> None:
    listed = {"name": "v4_any", "type": ["ipv4_addr", "nf_proto"], "map": "verdict", "flags": ["interval"], **change}
    assert layout.is_map(listed) == ours
