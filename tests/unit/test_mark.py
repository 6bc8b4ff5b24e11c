"""Marks: what the options ask for, what is refused, and which marks claim the same packets."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options, mark_overlap
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark

WEB: dict[str, Any] = {
    "vips": ["203.0.113.10/32", "2001:DB8:f::/64"],
    "ports": ["tcp/080", "udp/4000-4999"],
    "mark": "0x10001",
}


def lines(options: dict[str, Any], *, needs_mark: bool = True) -> list[str]:
    return [found.line for _option, found in mark_options.parse({**WEB, **options}, "marks[0].", needs_mark)]


def test_one_mark_for_each_vip_and_port() -> None:
    assert mark_options.parse(WEB, "marks[0].") == [
        ("marks[0].vips[0]", Mark(2, "203.0.113.10", "tcp/80", 0x10001)),
        ("marks[0].vips[0]", Mark(2, "203.0.113.10", "udp/4000-4999", 0x10001)),
        ("marks[0].vips[1]", Mark(10, "2001:db8:f::/64", "tcp/80", 0x10001)),
        ("marks[0].vips[1]", Mark(10, "2001:db8:f::/64", "udp/4000-4999", 0x10001)),
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"ports": ["any"]}, "ipv4 203.0.113.10 any mark 0x10001"),
        ({"ports": ["sctp/1-65535"]}, "ipv4 203.0.113.10 sctp/1-65535 mark 0x10001"),
        ({"ports": ["tcp/80-80"]}, "ipv4 203.0.113.10 tcp/80 mark 0x10001"),
        ({"ports": ["icmp"], "vips": ["203.0.113.10"]}, "ipv4 203.0.113.10 icmp mark 0x10001"),
        ({"ports": ["6"]}, "ipv4 203.0.113.10 tcp mark 0x10001"),
        ({"ports": ["17/53"]}, "ipv4 203.0.113.10 udp/53 mark 0x10001"),
        ({"ports": ["89"]}, "ipv4 203.0.113.10 89 mark 0x10001"),
        ({"iif": ["eth0"]}, "ipv4 203.0.113.10 tcp/80 iif eth0 mark 0x10001"),
        (
            {"sources": ["198.51.100.0/24", "::/0"]},
            "ipv4 203.0.113.10 tcp/80 from 198.51.100.0/24 mark 0x10001",
        ),
        ({"mark": "1/255"}, "ipv4 203.0.113.10 tcp/80 mark 0x1/0xff"),
        ({"mark": "1/0xffffffff"}, "ipv4 203.0.113.10 tcp/80 mark 0x1"),
        ({"mark": "0/0x10000"}, "ipv4 203.0.113.10 tcp/80 mark 0x0/0x10000"),
    ],
)
def test_lines(options: dict[str, Any], line: str) -> None:
    assert lines(options)[0] == line


def test_a_removal_needs_no_mark() -> None:
    assert len(lines({"mark": None}, needs_mark=False)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vips": []}, "vips: [] is empty: name at least one VIP."),
        ({"vips": ["web"]}, "vips[0]: 'web' is not an IPv4 or IPv6 prefix or address."),
        ({"vips": ["203.0.113.10/24"]}, "vips[0]: '203.0.113.10/24' has host bits set; the prefix is 203.0.113.0/24."),
        ({"ports": None}, "ports is missing: name ports, or any."),
        ({"ports": []}, "ports: [] is empty: name ports, or any."),
        ({"ports": ["any", "tcp/80"]}, "ports: ['any', 'tcp/80'] names ports beside any, which is all of them."),
        ({"ports": ["tcp/0"]}, "ports[0]: 'tcp/0' names a port that is not between 1 and 65535."),
        ({"ports": ["tcp/65536"]}, "ports[0]: 'tcp/65536' names a port that is not between 1 and 65535."),
        ({"ports": ["tcp/1-0"]}, "ports[0]: 'tcp/1-0' names a port that is not between 1 and 65535."),
        ({"ports": ["tcp/80-70"]}, "ports[0]: 'tcp/80-70' ends before it starts."),
        ({"ports": ["icmp/8"]}, "ports[0]: 'icmp/8' names a port, which icmp does not have."),
        ({"ports": ["256"]}, "ports[0]: '256' is not between 0 and 255."),
        ({"ports": ["icmpv6"]}, "ports: 'icmpv6' cannot go with 203.0.113.10, which is of the other family."),
        ({"sources": []}, "sources: [] is empty: name sources, or leave it out for all."),
        ({"sources": ["here"]}, "sources[0]: 'here' is not an IPv4 or IPv6 prefix or address."),
        ({"sources": ["::1"]}, "vips[0]: '203.0.113.10' is ipv4, and none of the sources is."),
        (
            {"vips": ["203.0.113.10"], "sources": ["10.0.0.1", "::1"]},
            "sources: '::1' is of a family that none of the VIPs is of.",
        ),
        ({"iif": []}, "iif: [] is empty: name interfaces, or leave it out for all."),
        (
            {"iif": ["eth0", "eth*"]},
            "iif[1]: 'eth*' is not an interface name (1 to 15 letters, digits, '_', '.', ':', '@', '+', '-').",
        ),
        ({"mark": None}, "mark is missing: say which mark the packets get."),
        ({"mark": "web"}, "mark: 'web' is not a whole number."),
        ({"mark": "0x101/0xff"}, "mark: '0x101/0xff' has bits outside its mask (mark 0x101, mask 0xff)."),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        lines(options)
    assert str(caught.value) == f"marks[0].{message}"


@pytest.mark.parametrize("port", ["tpc", "tcp/", "tcp/http", "TCP/80", "tcp/1-2-3", "tcp/-5", "tcp/٣", "/80", ""])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(BadInput, match="is not any, nor a protocol such as icmp, nor a port such as"):
        lines({"ports": [port]})


TABLE = {"table": "lvs", "hooks": None, "new_connections": None, "exclude_macs": None}


@pytest.mark.parametrize("name", ["", "two words", "1st", 'a"b', "x" * 256, "a;b"])
def test_what_is_no_tables_name(name: str) -> None:
    with pytest.raises(BadInput, match="is not a table's name"):
        mark_options.table({**TABLE, "table": name}, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hooks": []}, "hooks: [] is empty: name at least one hook."),
        ({"exclude_macs": ["52:54:00:12:34"]}, "exclude_macs[0]: '52:54:00:12:34' is not a MAC address such as"),
        ({"hooks": ["output"]}, "marks[3].iif: 'eth0' is nothing that packets in hook output have."),
        ({"new_connections": True}, "marks[3].mark: '0x0' cannot be saved for a connection"),
    ],
)
def test_bad_tables(options: dict[str, Any], message: str) -> None:
    entry = {**WEB, "iif": ["eth0"], "mark": "0/1"}
    with pytest.raises(BadInput) as caught:
        mark_options.table({**TABLE, **options}, mark_options.parse(entry, "marks[3]."))
    assert str(caught.value).startswith(message)


def test_a_table_in_one_spelling() -> None:
    found = mark_options.table(
        {**TABLE, "hooks": ["output", "prerouting"], "exclude_macs": ["52-54-00-AB-00-01", "52:54:00:ab:00:01"]}, []
    )
    assert found.line == "table inet lvs hooks prerouting output exclude-macs 52:54:00:ab:00:01"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("203.0.113.0/24", "tcp/80"), ("203.0.113.10", "tcp/80")),
        (("203.0.113.10", "tcp/80"), ("203.0.113.0/24", "tcp/1-100")),
        (("203.0.113.10", "any"), ("0.0.0.0/0", "any")),
        (("2001:db8::/32", "udp/5-9"), ("2001:db8:1::1", "udp/9-10")),
        (("203.0.113.10", "tcp/80"), ("203.0.113.10", "tcp/80")),
    ],
)
def test_overlap_names_both(first: tuple[str, str], second: tuple[str, str]) -> None:
    labelled = [
        pair
        for place, (vip, port) in enumerate([first, second])
        for pair in mark_options.parse({"vips": [vip], "ports": [port], "mark": "1"}, f"marks[{place}].")
    ]
    with pytest.raises(BadInput) as caught:
        mark_options.refuse_overlaps(labelled)
    line, other = labelled[1][1].line, labelled[0][1].line
    assert str(caught.value) == f"marks[1].vips[0]: {line!r} overlaps marks[0].vips[0]: {other!r}."


def test_ports_may_overlap_any() -> None:
    any_port, one = Mark(2, "203.0.113.0/24", "any", 1), Mark(2, "203.0.113.10", "tcp/80", 2)
    assert mark_overlap.overlap([any_port, one]) is None


def shared(one: Mark, other: Mark) -> bool:
    """Whether two marks share a packet, in the plainest way."""
    (protocol, low, high), (its_protocol, its_low, its_high) = ends(one), ends(other)
    return (
        ipaddress.ip_network(one.vip).overlaps(ipaddress.ip_network(other.vip))
        and one.iif == other.iif
        and bool(one.source) == bool(other.source)
        and ipaddress.ip_network(one.source or "0.0.0.0/0").overlaps(ipaddress.ip_network(other.source or "0.0.0.0/0"))
        and ("/" in one.port) == ("/" in other.port)
        and protocol == its_protocol
        and low <= its_high
        and its_low <= high
    )


def ends(one: Mark) -> tuple[str, int, int]:
    protocol, _slash, ports = one.port.partition("/")
    numbers = [int(text) for text in ports.split("-")] if ports else [0]
    return protocol, numbers[0], numbers[-1]


@st.composite
def lists_of_marks(draw: st.DrawFn) -> list[Mark]:
    """Marks of two small nets, so that some overlap and some do not."""
    found: list[Mark] = []
    for _place in range(draw(st.integers(0, 12))):
        length = draw(st.integers(28, 32))
        start = draw(st.integers(0, 31)) >> (32 - length) << (32 - length)
        vip = f"203.0.113.{start}" + (f"/{length}" if length < 32 else "")
        low = draw(st.integers(1, 40))
        high = low + draw(st.integers(0, 6))
        ports = [f"tcp/{low}", f"udp/{low}-{high}", f"tcp/{low}-{high}", "any", "tcp"]
        source = draw(st.sampled_from(["", "", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.1", "10.0.1.0/24"]))
        iif = draw(st.sampled_from(["", "eth0"]))
        found.append(Mark(2, vip, draw(st.sampled_from(ports)), 1, source=source, iif=iif))
    return found


@given(lists_of_marks())
def test_overlap_is_found_where_there_is_one(marks: list[Mark]) -> None:
    pairs = {(i, j) for j in range(len(marks)) for i in range(j) if shared(marks[i], marks[j])}
    found = mark_overlap.overlap(marks)
    assert found in pairs if pairs else found is None


def test_a_range_that_the_kernel_holds_overlaps_too() -> None:
    held, new = Mark(2, "10.0.0.1-10.0.0.6", "tcp/80"), Mark(2, "10.0.0.4/31", "tcp/80", 1)
    assert mark_overlap.overlap([held, new]) == (0, 1)
    assert mark_overlap.overlap([held, new._replace(vip="10.0.0.8/29")]) is None


def test_ten_thousand_marks_are_compared_in_no_time() -> None:
    addresses = [str(ipaddress.ip_address(0x0A000000 + 2 * place)) for place in range(10_000)]
    marks = [Mark(2, address, "tcp/80", 1) for address in addresses]
    started = time.process_time()
    assert mark_overlap.overlap(marks) is None
    assert mark_overlap.overlap([*marks, Mark(2, "10.0.9.0/24", "tcp/79-81", 2)]) is not None
    # A comparison of each with each takes minutes; this takes a tenth of a second.
    assert time.process_time() - started < 5
