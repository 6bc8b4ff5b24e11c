"""Addresses of devices: our bytes read by pyroute2 and by ourselves, and what the kernel ties together."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, inet
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import Devices
from ansible_collections.lvs.vipless.plugins.module_utils._model.address import Address, by_network, parse
from second_opinion import decoded, parts, written_again

PERMANENT = 0x80
OPTIONS = {"device": "lo", "scope": None, "protocol": 117}


@st.composite
def objects(draw: st.DrawFn) -> Address:
    family, version, longest = draw(st.sampled_from([(2, 4, 32), (10, 6, 128)]))
    written = st.ip_addresses(v=version).map(str)
    own = draw(written)
    return Address(
        family=family,
        address=own,
        length=draw(st.integers(1, longest)),
        device="lo",
        protocol=draw(st.integers(0, 255)),
        scope=draw(st.sampled_from([0, 253, 254])) if version == 4 else 0,
        nodad=draw(st.booleans()) if version == 6 else False,
        peer=draw(st.just("") | written.filter(lambda other: other != own)),
    )


@given(objects())
def test_bytes(address: Address) -> None:
    body = addresses.encode(address)
    seen = decoded(ifaddrmsg, body)
    assert (seen["family"], seen["prefixlen"], seen["scope"]) == (address.family, address.length, address.scope)
    assert (seen["index"], bool(seen["flags"] & 2)) == (1, address.nodad)
    assert inet.packed(seen.get_attr("IFA_LOCAL")) == inet.packed(address.address)
    assert inet.packed(seen.get_attr("IFA_ADDRESS")) == inet.packed(address.peer or address.address)
    assert written_again(ifaddrmsg, body) == parts(ifaddrmsg, body)
    # What the kernel sends back differs in one flag: it is there to stay.
    family, length, flags, rest = struct.unpack_from("=BBB5s", body)
    assert (
        addresses.decode(struct.pack("=BBB5s", family, length, flags | PERMANENT, rest) + body[8:], Devices())
        == address
    )


def address(text: str, device: str = "eth0") -> Address:
    ((_option, found),) = parse({**OPTIONS, "prefixes": [text], "device": device})
    return found


def test_a_bare_address_is_alone_in_its_prefix() -> None:
    assert address("203.0.113.10").prefix == "203.0.113.10/32"
    assert address("2001:DB8:0::1").prefix == "2001:db8::1/128"


def test_identity_is_the_kernels() -> None:
    assert address("203.0.113.10/24").key != address("203.0.113.10/32").key
    assert address("2001:db8::1/64").key == address("2001:db8::1/128").key
    assert address("2001:db8::1", "lo").key != address("2001:db8::1", "eth0").key


def test_ipv4_addresses_belong_together_by_network_length_and_device() -> None:
    pair = [address("198.51.100.1/24"), address("198.51.100.2/24")]
    alone = [
        address("198.51.100.2/25"),
        address("198.51.100.2/24", "eth1"),
        address("198.51.101.2/24"),
        address("198.51.100.2"),
    ]
    assert list(by_network([*pair, *alone, address("2001:db8::2/64")]).values()) == [pair, *([one] for one in alone)]
