"""Which addresses can be a neighbour's: those that ``ipaddress`` says belong to one host."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import neighbor

OPTIONS: dict[str, Any] = {"device": "v0", "mac": None, "proxy": True, "protocol": "117"}
EDGES = ["0.0.0.0", "127.0.0.1", "223.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.1", "255.255.255.255"]
EDGES6 = ["::", "::1", "::2", "fe80::1", "ff02::1", "ff00::", "ff:1::2", "fff:1::2"]


@given(st.ip_addresses().map(str) | st.sampled_from(EDGES + EDGES6))
def test_addresses(text: str) -> None:
    found = ipaddress.ip_address(text)
    # Network 0 is 'this network' as a whole (RFC 1122).
    nobody = found.is_unspecified or (found.version == 4 and int(found) >> 24 == 0)
    if nobody or found.is_loopback or found.is_multicast or text == "255.255.255.255":
        with pytest.raises(BadInput, match="is not the address of one host"):
            neighbor.parse({**OPTIONS, "address": [text]}, "", True)
    else:
        ((_label, entry),) = neighbor.parse({**OPTIONS, "address": [text]}, "", True)
        assert entry.address == str(found)
