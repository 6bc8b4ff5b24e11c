"""Every way of delivery to a director, by real packets: a row a way, and a column a thing that comes of it."""

from __future__ import annotations

import probes
import pytest
from cluster import Cluster, applied
from ways import delivered, mark_of, rows

COLUMNS = ("balanced", "resolved", "ping", "unreachable", "big", "exposed", "sent as VIP")
"""Requests are shared; somebody answers ARP or neighbour discovery; the VIP answers a ping; a closed port is reported;
a request that is longer than the way to the realservers is wide gets through; a daemon of the director answers at the
VIP; what the director sends with the VIP as source."""

IPV4 = {
    #                               balanced  ARP  ping  unreachable  big  exposed  sent as VIP
    "A nothing"                   : "no       no   no    no           no   no       nothing",
    "B marks, no delivery"        : "no       no   no    no           no   no       nothing",
    "C address on lo"             : "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "C address on lo, by mark"    : "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "D network on lo"             : "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP"                     : "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP, by mark"            : "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP, silent"             : "yes      no   yes   yes          yes  yes      echo+errors+tcp",
    "F mark"                      : "yes      no   no    no           no   no       nothing",
    "F mark by interface"         : "yes      no   no    no           no   no       nothing",
    "F one bit of the mark"       : "yes      no   no    no           no   no       nothing",
    "F mark, and the VIP is local": "yes      yes  yes   yes          yes  yes      echo+errors+tcp",
    "F mark, fwmark_reflect"      : "yes      no   no    no           no   no       nothing",
    "F mark, guarded"             : "yes      no   no    no           no   no       nothing",
    "F first packets' marks"      : "yes      no   no    no           no   no       nothing",
    "G destination"               : "yes      yes  no    no           no   no       nothing",
    "G destination by interface"  : "yes      yes  no    no           no   no       nothing",
    "G destination, silent"       : "yes      no   no    no           no   no       nothing",
    "I mark, local on the device" : "yes      no   no    no           no   no       nothing",
}  # fmt: skip
IPV6 = {
    #                               balanced  ND   ping  unreachable  big  exposed  sent as VIP
    "C address on lo"             : "yes      no   yes   yes          yes  yes      echo+errors+tcp",
    "E AnyIP"                     : "yes      no   yes   yes          yes  yes      echo+tcp",
    "F mark"                      : "yes      no   no    no           yes  no       nothing",
    "F one bit of the mark"       : "yes      no   no    yes          yes  no       nothing",
    "G destination"               : "yes      no   yes   yes          yes  yes      echo+tcp",
    "I mark, local on the device" : "yes      no   no    no           yes  no       nothing",
}  # fmt: skip
TABLES = {4: IPV4, 6: IPV6}


@pytest.mark.parametrize(("family", "way"), [(family, way) for family, table in TABLES.items() for way in table])
def test_each_way(hosts: Cluster, family: int, way: str) -> None:
    steps = rows(family)[way]
    sent = probes.Sent(hosts.director)
    with applied(hosts.director, steps):
        questions = (probes.balanced, probes.resolved, probes.ping, probes.unreachable, probes.big, probes.exposed)
        found = [question(hosts, family) for question in questions] + [sent.kinds()]
        told = delivered(hosts, family, mark_of(steps))
    assert dict(zip(COLUMNS, found, strict=True)) == dict(zip(COLUMNS, TABLES[family][way].split(), strict=True))
    assert told == (found[0] == "yes"), "delivery_info told otherwise than packets did"
