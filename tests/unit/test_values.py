"""Checked values: what is taken and what each refusal says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import special, values


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", (1, 0xFFFFFFFF)), ("0x10000/0x10000", (65536, 65536)), ("0/0xff", (0, 255)), ("0xff/0xff", (255, 255))],
)
def test_marks(text: str, found: tuple[int, int]) -> None:
    assert values.mark_and_mask("fwmark", text) == found


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (values.mark_and_mask, "0x101/0xff", "x: '0x101/0xff' has bits outside its mask (mark 0x101, mask 0xff)."),
        (values.mark_and_mask, "1/0", "x: '1/0' is not MARK/MASK, numbers up to 0xffffffff with a mask above 0."),
        (values.mark_and_mask, "0x100000000", "x: '0x100000000' is not between 0 and 4294967295."),
        (values.mark_and_mask, "", "x: '' is not a whole number."),
        (values.single_bit, "0x30000", "x: '0x30000' has more than one bit set."),
        (values.single_bit, "0", "x: '0' is not between 1 and 4294967295."),
        (values.network, "203.0.113.1/24", "x: '203.0.113.1/24' has host bits set; the prefix is 203.0.113.0/24."),
        (values.network, "203.0.113.1/33", "x: '203.0.113.1/33' is not an IPv4 or IPv6 prefix or address."),
        (values.address, "fe80::1%eth0", "x: 'fe80::1%eth0' has a zone; give the address alone."),
        (values.address, "", "x: '' is not an IPv4 or IPv6 address."),
        (values.table, "unspec", "x: 'unspec' is not a whole number."),
        (values.table, "4294967296", "x: '4294967296' is not between 1 and 4294967295."),
        (values.protocol, "0", "x: '0' is not between 1 and 255."),
        (values.interface, "sixteen-letters!", "x: 'sixteen-letters!' is not an interface name"),
        (values.interface, "", "x: '' is not an interface name"),
        (values.interface, "a/b", "x: 'a/b' is not an interface name"),
        # To ip -batch a comment begins; to nft it is every name, or the name ends.
        *((values.interface, name, f"x: {name!r} is not an interface name") for name in ("lan#1", "x*", 'a"b', "ü0")),
        (values.network, "fe80::1%v0", "x: 'fe80::1%v0' has a zone; give the prefix alone."),
        (values.network, "10.0.0.0/8%; flush", "x: '10.0.0.0/8%; flush' has a zone; give the prefix alone."),
    ],
)
def test_refusals_name_option_and_value(check: Callable[[str, Any], Any], value: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        check("x", value)
    assert str(caught.value).startswith(message)


def test_texts_of_special_prefixes_are_known_by_their_beginning() -> None:
    for prefix, what in special.PREFIXES.items():
        network = ipaddress.ip_network(prefix)
        for address in {network[0], network[1 % network.num_addresses], network[-1]}:
            assert special.meaning(str(address)) == what
        assert special.meaning(prefix) == what
    assert not any(map(special.meaning, ("0.0.0.0/0", "::/0", "10.0.0.1", "128.0.0.0/1", "2001:db8::1", "1::")))


def test_names_of_tables_and_protocols() -> None:
    assert values.table("x", "local") == 255
    assert values.protocol("x", "boot") == 3
    assert values.name_of(values.TABLES, 254) == "main"
    assert values.name_of(values.TABLES, 100) == "100"
