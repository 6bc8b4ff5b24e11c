"""Targets of a transparent proxy by the names of their chains, and the rules as nft 1.0.6 and newer ones list them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import proxy_rules
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import Target, target_of
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6

FAMILIES = [(IPV4, st.ip_addresses(v=4)), (IPV6, st.ip_addresses(v=6))]
BOUND = st.one_of(
    st.builds(
        Target,
        st.sampled_from(["tproxy", "redirect"]),
        st.just(family),
        st.sampled_from(["tcp", "udp"]),
        st.just("") | addresses.map(str),
        st.integers(1, 65535),
        st.booleans(),
        st.booleans(),
    )
    for family, addresses in FAMILIES
)
DELIVERED = st.tuples(st.sampled_from([IPV4, IPV6]), st.booleans(), st.booleans()).map(
    lambda one: Target("deliver", one[0], closed=one[1], own=one[2])
)


@given(BOUND | DELIVERED)
def test_a_chain_tells_its_target(target: Target) -> None:
    assert target_of(target.chain) == target
    assert len(target.chain) < 128
    assert ":" not in target.chain


@pytest.mark.parametrize(
    "name",
    [
        "",
        "prerouting",
        "mark_0x1",
        "tproxy",
        "tproxy_v4_tcp_any_3129",
        "tproxy_v5_tcp_any_3129_open",
        "tproxy_v4_icmp_any_3129_open",
        "tproxy_v4_tcp_any_any_open",
        "tproxy_v4_tcp_nowhere_3129_open",
        "tproxy_v4_tcp_::1_3129_open",
        "tproxy_v4_tcp_--1_3129_open",
        "tproxy_v4_tcp_any_03129_open",
        "tproxy_v4_tcp_any_3129_ajar",
        "tproxy_v4_tcp_any_3129_open_own_own",
        "redirect_v4_tcp_127.0.0.1_any_closed",
        "deliver_v4_tcp_any_any_open",
        "other_v4_tcp_any_3129_open",
    ],
)
def test_another_name_is_no_target(name: str) -> None:
    assert target_of(name) is None


@pytest.mark.parametrize(
    "listed", [[1, 2, 4, 16], {"|": [1, 2, 4, 16]}, {"|": [{"|": [1, 2]}, {"|": [4, 16]}]}, 0x17], ids=str
)
def test_flags_are_one_number(listed: Any) -> None:
    flags = {"payload": {"protocol": "tcp", "field": "flags"}}
    rule = [{"match": {"op": "==", "left": {"&": [flags, listed]}, "right": 2}}, {"goto": {"target": "lookups"}}]
    entrance = proxy_rules.entrance("tproxy", "mark_0x1", exclude_macs=False)
    assert proxy_rules.folded(rule) == entrance[0][1]


def test_flags_by_name_are_left_alone() -> None:
    rule = [{"match": {"op": "==", "left": {"&": [1, ["fin", "syn"]]}, "right": 2}}]
    assert proxy_rules.folded(rule) == rule
