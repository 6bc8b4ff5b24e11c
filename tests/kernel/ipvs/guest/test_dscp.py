"""Rules by DSCP, which a kernel has or ignores: the guest's releases are on both sides of Linux 6.12."""

from __future__ import annotations

import platform
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace

RULE: dict[str, Any] = {"priority": 100, "family": "both", "iif": "v0", "dscp": 46, "table": "100"}
# No address of the namespace: that one would be local by itself.
ASKED = "route get 203.0.113.77 from 198.51.100.7 iif v0 dsfield"


def test_takes_what_has_it_or_is_refused(netns: Namespace) -> None:
    if platform.release().startswith("6.1."):
        with pytest.raises(BadInput, match=r"^dscp: 46 needs Linux 6\.12 or newer, and this is 6\.1\."):
            netns.call("ip_rule", **RULE)
        assert not netns.ip("rule show priority 100")
        return
    netns.call("sysctl", values={"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0})
    predicted = netns.call("ip_rule", check=True, **RULE)
    assert netns.call("ip_rule", **RULE) == predicted
    netns.call("ip_local_route", prefixes=["0.0.0.0/0"], table="100")
    for family in ("-4", "-6"):
        assert "dscp EF" in netns.ip(f"{family} rule show priority 100")
    # EF with the bits of congestion, which are no part of it, and another DSCP that a type of service would mistake.
    assert [netns.ip(f"{ASKED} {field}").startswith("local ") for field in ("0xb8", "0xbb", "0x18")] == [
        True,
        True,
        False,
    ]
    assert netns.call("ip_rule", **RULE, state="absent")["changed"]
    assert not netns.ip("rule show priority 100")
