"""The rules of silence on ARP and their listing, as nft 1.0.6 writes it with numbers and newer ones with names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import arp_layout as layout
from ansible_collections.lvs.vipless.plugins.module_utils._model.arp_silence import Source, Vip

NAMES = st.sampled_from(["all", "v0", "eth0.100"])
SILENT = st.sets(NAMES).map(lambda names: tuple(sorted(names)))
SOURCES = st.dictionaries(NAMES, st.sampled_from(["10.0.0.2", "10.0.0.3"])).map(
    lambda found: tuple(sorted(Source(*pair) for pair in found.items()))
)


@given(SILENT, SOURCES, st.sampled_from([{}, {"request": 1, "reply": 2}, {"request": 256, "reply": 512}]))
def test_rules(silent: tuple[str, ...], sources: tuple[Source, ...], numbers: dict[str, int]) -> None:
    rules = layout.rules(silent, sources)
    written = json.dumps([layout.encode(rule) for rule in rules])
    for name, number in numbers.items():
        written = written.replace(f'"right": "{name}"', f'"right": {number}')
    found = [layout.decode(rule.chain, body) for rule, body in zip(rules, json.loads(written), strict=True)]
    assert found == rules
    assert layout.told(found) == (silent, sources)


def _on_several(rule: layout.Rule) -> list[object]:
    """A rule for a set of interfaces, which this collection never writes."""
    first, *rest = layout.encode(rule)
    return [{"match": {**first["match"], "right": {"set": ["v0", "v1"]}}}, *rest]


@pytest.mark.parametrize("rule", layout.rules(["v0"], [Source("v0", "10.0.0.2")]), ids=str)
def test_a_rule_for_several_interfaces_is_not_ours(rule: layout.Rule) -> None:
    assert layout.decode(rule.chain, _on_several(rule)) is None


@pytest.mark.parametrize("chain", ["input", "output"])
@pytest.mark.parametrize("body", [[], [{"accept": None}], [{"drop": None}], [{"counter": {"packets": 0, "bytes": 0}}]])
def test_another_rule_is_not_ours(chain: str, body: list[object]) -> None:
    assert layout.decode(chain, body) is None


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("203.0.113.10", "203.0.113.10"),
        ({"prefix": {"addr": "203.0.113.64", "len": 26}}, "203.0.113.64/26"),
        ({"range": ["203.0.113.1", "203.0.113.6"]}, "203.0.113.1-203.0.113.6"),
    ],
)
def test_elements(element: object, text: str) -> None:
    assert layout.vip_of({"concat": [element, "ip"]}) == Vip(text)


@pytest.mark.parametrize(
    "element", ["203.0.113.10", 7, {"elem": {"val": 1}}, {"concat": ["a", "b", "c"]}, {"concat": [1, 2]}]
)
def test_another_element_is_not_ours(element: object) -> None:
    assert layout.vip_of(element) is None
