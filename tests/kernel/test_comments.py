"""A comment that somebody puts on an element of our tables is his: the element counts as it would without."""

from __future__ import annotations

from typing import Any

import pytest

from namespace import Namespace

MAC = "02:00:00:00:00:01"
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "excluded MAC of marks": (
        "fwmark",
        {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1", "exclude_macs": [MAC]},
        f"inet lvs_vipless excluded_macs {MAC}",
    ),
    "mark": (
        "fwmark",
        {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1"},
        "inet lvs_vipless v4_ports_exact 203.0.113.10 . tcp . 80 : goto mark_0x1",
    ),
    "excluded MAC of a proxy": (
        "tproxy",
        {
            "vips": ["203.0.113.10"],
            "ports": ["tcp/80"],
            "mark": "1",
            "exclude_macs": [MAC],
            "to_port": 3129,
            "when_down": "closed",
        },
        f"inet lvs_tproxy excluded_macs {MAC}",
    ),
    "guarded VIP": (
        "vip_guard",
        {"vips": ["203.0.113.10", "2001:db8:f::/64"]},
        "inet lvs_vipless_guard vips_v6 2001:db8:f::/64 . ipv6",
    ),
    "silent VIP": (
        "arp_suppress",
        {"method": "nftables", "vips": ["203.0.113.0/24"]},
        "arp lvs_vipless vips 203.0.113.0/24 . ip",
    ),
}


@pytest.mark.parametrize(("module", "options", "element"), CASES.values(), ids=CASES)
def test_a_commented_element_is_the_element(
    netns: Namespace, module: str, options: dict[str, Any], element: str
) -> None:
    netns.call(module, **options)
    family, table, name, whole = element.split(" ", 3)
    key, colon, verdict = whole.partition(" : ")
    place = f"element {family} {table} {name}"
    netns.run("nft", f'delete {place} {{ {key} }}; add {place} {{ {key} comment "mine"{colon}{verdict} }}')
    assert 'comment "mine"' in netns.run("nft", "list", "table", family, table)
    assert not netns.call(module, **options)["changed"]
    assert 'comment "mine"' in netns.run("nft", "list", "table", family, table)
    assert netns.call(module, **options, state="absent")["changed"]
    assert table not in netns.run("nft", "list", "tables").split()
