"""An interface's alternative name is refused with its own: rules and nftables would never match it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace

ALIAS = "enp9s0f1np0"
MARK = {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1"}
PROXIED = {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "to_port": 3129, "when_down": "closed"}


@pytest.mark.parametrize(
    ("module", "options", "option"),
    [
        ("ip_rule", {"priority": 100, "family": "ipv4", "iif": ALIAS, "table": "100"}, "iif"),
        ("ip_local_route", {"prefixes": ["203.0.113.10"], "device": ALIAS}, "device"),
        ("fwmark", {"marks": [{**MARK, "iif": ["v0", ALIAS]}]}, "iif"),
        ("fwmark", {**MARK, "iif": [ALIAS]}, "iif"),
        ("tproxy", {"method": "redirect", "entries": [{**PROXIED, "iif": [ALIAS]}]}, "iif"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_its_own_name_is_told(netns: Namespace, module: str, options: dict[str, Any], option: str, check: bool) -> None:
    netns.ip(f"link property add dev v0 altname {ALIAS}")
    with pytest.raises(BadInput) as caught:
        netns.call(module, check=check, **options)
    assert str(caught.value) == f"{option}: '{ALIAS}' is an alternative name of v0: give that."
    assert "lvs_" not in netns.run("nft", "list", "tables")
