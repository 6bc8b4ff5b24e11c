"""IPVS records, read and written again by pyroute2's message class, which is somebody else's; and read by our own."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.generic.ipvs import ipvsmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_codec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import contents, request
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import attribute, attributes
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, Service, ServiceId
from second_opinion import decoded, parts, written_again

SERVICE, DESTINATION = 1, 2
U32 = st.integers(0, 0xFFFFFFFF)
PORTS = st.integers(0, 0xFFFF)
ADDRESSES = {2: st.ip_addresses(v=4).map(str), 10: st.ip_addresses(v=6).map(str)}
NETMASKS = {
    2: st.integers(0, 32).map(str) | st.sampled_from(["255.0.255.0", "0.0.0.1"]),
    10: st.integers(1, 128).map(str),
}
NAMES = st.text("abcdefgh_", min_size=1, max_size=15)
FAMILIES = st.sampled_from([2, 10])


def seen(number: int, data: bytes) -> Any:
    """An attribute as pyroute2 decodes it."""
    message = decoded(ipvsmsg, request(1, 1, attribute(number, data)))
    return message.get_attr({SERVICE: "IPVS_CMD_ATTR_SERVICE", DESTINATION: "IPVS_CMD_ATTR_DEST"}[number])


def assert_written_alike(number: int, data: bytes) -> None:
    """By pyroute2, but for the address: it writes the 4 bytes of IPv4 where ipvsadm(8) and we write 16."""
    body = request(1, 1, attribute(number, data))
    fields, written = written_again(ipvsmsg, body)
    address = {SERVICE: 3, DESTINATION: 1}[number]
    found = {name: value.ljust(16 if name == address else 0, b"\0") for name, value in attributes(written[number])}
    assert (fields, found) == (parts(ipvsmsg, body)[0], dict(attributes(data)))


@st.composite
def identities(draw: st.DrawFn) -> ServiceId:
    family = draw(FAMILIES)
    if draw(st.booleans()):
        return ServiceId(family, fwmark=draw(st.integers(1, 0xFFFFFFFF)))
    return ServiceId(family, 0, draw(st.sampled_from([6, 17, 132])), draw(ADDRESSES[family]), draw(PORTS))


@st.composite
def services(draw: st.DrawFn) -> Service:
    identity = draw(identities())
    persistent = draw(st.none() | U32)
    alone = {2: "32", 10: "128"}[identity.family]
    netmask = alone if persistent is None else draw(NETMASKS[identity.family])
    return Service(identity, draw(NAMES), persistent, netmask, draw(st.integers(0, 7)) << 2, draw(st.just("") | NAMES))


@st.composite
def destinations(draw: st.DrawFn) -> Destination:
    return Destination(
        service=draw(identities()),
        address=draw(FAMILIES.flatmap(ADDRESSES.__getitem__)),
        port=draw(PORTS),
        forwarding=draw(st.integers(0, 4)),
        weight=draw(U32),
        upper_threshold=draw(U32),
        lower_threshold=draw(U32),
        tunnel_type=draw(st.integers(0, 2)),
        tunnel_port=draw(PORTS),
        tunnel_flags=draw(st.integers(0, 3)),
    )


@given(services())
def test_service(service: Service) -> None:
    data = ipvs_codec.encode_service(service)
    assert ipvs_codec.decode_service(data) == service
    shown = seen(SERVICE, data)
    assert shown.get_attr("IPVS_SVC_ATTR_AF") == service.id.family
    assert (shown.get_attr("IPVS_SVC_ATTR_FWMARK") or 0) == service.id.fwmark
    assert (shown.get_attr("IPVS_SVC_ATTR_PROTOCOL") or 0) == service.id.protocol
    assert (shown.get_attr("IPVS_SVC_ATTR_PORT") or 0) == service.id.port
    assert shown.get_attr("IPVS_SVC_ATTR_SCHED_NAME") == service.scheduler
    assert (shown.get_attr("IPVS_SVC_ATTR_PE_NAME") or "") == service.engine
    flags = shown.get_attr("IPVS_SVC_ATTR_FLAGS")
    # Every bit is set as the record says; the first is persistence.
    assert flags["mask"] == 0xFFFFFFFF
    assert flags["flags"] == service.flags | (service.persistent is not None)
    assert shown.get_attr("IPVS_SVC_ATTR_TIMEOUT") == (service.persistent or 0)
    assert_written_alike(SERVICE, data)


@given(destinations())
def test_destination(destination: Destination) -> None:
    data = ipvs_codec.encode_destination(destination)
    assert ipvs_codec.decode_destination(destination.service, data) == destination.sound()
    shown = seen(DESTINATION, data)
    assert shown.get_attr("IPVS_DEST_ATTR_ADDR_FAMILY") == (10 if ":" in destination.address else 2)
    assert shown.get_attr("IPVS_DEST_ATTR_PORT") == destination.port
    assert shown.get_attr("IPVS_DEST_ATTR_FWD_METHOD") == destination.forwarding
    assert shown.get_attr("IPVS_DEST_ATTR_WEIGHT") == destination.weight
    assert shown.get_attr("IPVS_DEST_ATTR_U_THRESH") == destination.upper_threshold
    assert shown.get_attr("IPVS_DEST_ATTR_L_THRESH") == destination.lower_threshold
    assert shown.get_attr("IPVS_DEST_ATTR_TUN_TYPE") == destination.tunnel_type
    # pyroute2 takes this one for a number in the host's byte order.
    assert struct.pack("=H", shown.get_attr("IPVS_DEST_ATTR_TUN_PORT")) == struct.pack("!H", destination.tunnel_port)
    assert shown.get_attr("IPVS_DEST_ATTR_TUN_FLAGS") == destination.tunnel_flags
    assert_written_alike(DESTINATION, data)


@given(st.lists(destinations(), max_size=6), st.lists(U32, min_size=3, max_size=3))
def test_destinations_of_a_dump(listed: list[Destination], counts: list[int]) -> None:
    """What many have in common is read once; their connections and statistics tell nothing apart."""
    decoder = ipvs_codec.Destinations()
    for destination in [*listed, *listed]:
        counts = [count ^ 1 for count in counts]
        asked, family = ipvs_codec.encode_destination(destination), 10 if ":" in destination.address else 2
        connections = b"".join(attribute(7 + place, struct.pack("=I", count)) for place, count in enumerate(counts))
        # In the kernel's order the family follows the connections.
        rest = attribute(11, struct.pack("=H", family)) + attribute(12, struct.pack("=I", counts[0]))
        data = b"".join(attribute(*one) for one in attributes(asked) if one[0] != 11) + connections + rest
        assert decoder.decode(destination.service, data) == destination.sound()


@given(services(), destinations())
def test_identity_is_the_beginning_of_the_record(service: Service, destination: Destination) -> None:
    assert ipvs_codec.encode_service(service).startswith(ipvs_codec.encode_id(service.id))
    assert ipvs_codec.encode_destination(destination).startswith(ipvs_codec.encode_destination_id(destination))


def test_bytes_as_ipvsadm_sends_them() -> None:
    """The byte orders that pyroute2 does not decode: IPv4 in the network's, an IPv6 prefix length in the host's."""
    netmask = 9
    v4 = Service(ServiceId(2, fwmark=1), "rr", 5, "24")
    v6 = Service(ServiceId(10, fwmark=1), "rr", 5, "64")
    assert dict(attributes(ipvs_codec.encode_service(v4)))[netmask] == bytes([255, 255, 255, 0])
    assert dict(attributes(ipvs_codec.encode_service(v6)))[netmask] == struct.pack("=I", 64)
    web = dict(attributes(ipvs_codec.encode_id(ServiceId(2, 0, 6, "203.0.113.10", 80))))
    assert web[3] == bytes([203, 0, 113, 10]) + bytes(12)
    assert web[4] == bytes([0, 80])


def test_noise_of_the_kernel_is_left_out() -> None:
    """The flag that every listed service has, and the timeout and netmask of one that is not persistent."""
    identity = ServiceId(2, fwmark=1)
    data = ipvs_codec.encode_id(identity) + b"".join(
        (
            attribute(6, b"rr\0"),
            attribute(7, struct.pack("=II", 0x2 | 0x4, 0xFFFFFFFF)),
            attribute(8, struct.pack("=I", 99)),
            attribute(9, bytes([255, 0, 0, 0])),
        )
    )
    assert ipvs_codec.decode_service(data) == Service(identity, "rr", None, "32", 0x4, "")


def test_old_kernels_name_no_family_and_no_tunnel() -> None:
    identity = ServiceId(10, fwmark=1)
    destination = Destination(identity, "2001:db8:a::11", 80, 2, 1, *[0] * 5)
    old = [(number, value) for number, value in attributes(ipvs_codec.encode_destination(destination)) if number < 11]
    data = b"".join(attribute(number, value) for number, value in old)
    assert ipvs_codec.decode_destination(identity, data) == destination


def test_generic_header_is_passed_over() -> None:
    assert contents(request(4, 1, attribute(7, b"abc"))) == [(7, b"abc")]
