"""What ipvs_service refuses because of this kernel, and that nothing of a list is made then.

What it refuses whatever the kernel: tests/kernel/test_ipvs_bad_input.py.
"""

from __future__ import annotations

import pytest
from oracle import SCHEDULERS, listed, meant

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace

MARKED = {"fwmark": "0x10001", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]}
WEB = {"vip": "203.0.113.10", "protocol": "tcp", "port": 80, "destinations": [{"address": "10.0.0.11"}]}


# The second is a module of IPVS, and no scheduler.
@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("scheduler", "foo", f"is not a scheduler of this kernel; it has {SCHEDULERS}."),
        ("scheduler", "ftp", f"is not a scheduler of this kernel; it has {SCHEDULERS}."),
        ("persistence_engine", "sap", "is not a persistence engine of this kernel; it has sip."),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_this_kernel_has_not(netns: Namespace, option: str, value: str, reason: str, check: bool) -> None:
    with pytest.raises(BadInput) as caught:
        netns.call("ipvs_service", check=check, services=[{**WEB, "persistent": 1, option: value}])
    assert str(caught.value) == f"services[0].{option}: '{value}' {reason}"
    assert listed(netns) == {}


def test_what_stands_before_the_bad_entry_is_not_made_either(netns: Namespace) -> None:
    netns.call("ipvs_service", **MARKED)
    with pytest.raises(BadInput, match=r"^services\[1\]\.scheduler: 'foo' "):
        netns.call("ipvs_service", services=[WEB, {**MARKED, "scheduler": "foo"}], purge=True)
    assert listed(netns) == meant([MARKED])
