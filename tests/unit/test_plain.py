"""Plainly written addresses: what needs no ``ipaddress`` must mean and read what ``ipaddress`` says."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain

# Texts near to addresses: many are, many are not, and many are not canonical.
NEARLY = st.text("01289af:.", max_size=24) | st.lists(
    st.sampled_from(["", "0", "1", "f", "00", "2001", "255", "256", ":", "::", ".", "db8"]), max_size=12
).map("".join)


@given(NEARLY | st.ip_addresses().map(str))
def test_an_address_taken_as_plain_is_canonical(text: str) -> None:
    family = plain.family_of(text)
    if family:
        found = ipaddress.ip_address(text)
        assert str(found) == text
        assert family == {4: 2, 6: 10}[found.version]


@given(st.ip_addresses())
def test_addresses_and_their_prefixes(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    family = {4: 2, 6: 10}[address.version]
    assert plain.address("x", address.exploded) == (family, str(address))
    assert plain.prefix("x", address.exploded) == (family, str(ipaddress.ip_network(address)))


@pytest.mark.parametrize("text", ["203.0.113.10", "2001:db8::10", "2001:db8:f::", "fe80::1:2:3:4:5"])
def test_what_people_write_is_plain(text: str) -> None:
    assert plain.family_of(text)


@pytest.mark.parametrize("text", ["", "1.2.3", "01.2.3.4", "1.2.3.4.5", "::1", "1::2::3", "1:2:3:4:5:6:7::", "1::g"])
def test_other_texts_are_not(text: str) -> None:
    assert not plain.family_of(text)


def test_errors_are_those_of_addresses() -> None:
    with pytest.raises(BadInput, match="host bits"):
        plain.prefix("x", "10.0.0.1/24")
    with pytest.raises(BadInput, match="has a zone"):
        plain.address("x", "fe80::1%eth0")
