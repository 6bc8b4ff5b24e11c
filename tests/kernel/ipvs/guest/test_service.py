"""The module ipvs_service against the kernel. `ipvsadm -Sn` is the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from clients import connected, pair
from oracle import SCHEDULERS, listed, meant

from ansible_collections.lvs.vipless.plugins.module_utils._errors import PartlyApplied
from namespace import Namespace

MARKED = {"fwmark": "0x10001", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]}
WEB = {"vip": "203.0.113.10", "protocol": "tcp", "port": 80}

SERVICES: dict[str, dict[str, Any]] = {
    "mark": MARKED,
    "mark, decimal, both families have their own": {**MARKED, "fwmark": "65537", "family": "ipv6", "destinations": []},
    "every forwarding of a mark, port or none": {
        **MARKED,
        "fwmark": "2",
        "destinations": [
            {"address": "10.0.0.11", "forwarding": "masquerade"},
            {"address": "10.0.0.12", "forwarding": "masquerade", "port": 8080},
            {"address": "10.0.0.13", "forwarding": "tunnel"},
            {"address": "10.0.0.14", "forwarding": "direct", "port": 80},
        ],
    },
    "mark of the largest number, IPv6": {
        "fwmark": "0xffffffff",
        "family": "ipv6",
        "scheduler": "rr",
        "destinations": [{"address": "2001:db8:a::11", "weight": 0}, {"address": "2001:db8:a::12", "weight": 65535}],
    },
    "tcp, translated": {**WEB, "destinations": [{"address": "10.0.0.11", "port": 8080, "forwarding": "masquerade"}]},
    "udp, IPv6, direct": {
        "vip": "2001:db8:f::10",
        "protocol": "udp",
        "port": 53,
        "destinations": [{"address": "2001:db8:a::11"}],
    },
    "sctp, tunnel": {
        "vip": "203.0.113.10",
        "protocol": "sctp",
        "port": 9,
        "destinations": [{"address": "10.0.0.11", "forwarding": "tunnel"}],
    },
    "the other family, tunnelled": {**WEB, "destinations": [{"address": "2001:db8:a::11", "forwarding": "tunnel"}]},
    "every port, persistent": {**WEB, "port": 0, "persistent": 300, "destinations": [{"address": "10.0.0.11"}]},
    "persistent by network": {**MARKED, "persistent": 60, "persistent_netmask": "24", "scheduler": "sh"},
    "persistent, mask with gaps": {**MARKED, "persistent": 1, "persistent_netmask": "255.0.255.0"},
    "persistent by IPv6 network": {
        "fwmark": "1",
        "family": "ipv6",
        "persistent": 2678400,
        "persistent_netmask": "64",
    },
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_service_is_made_as_asked_for(netns: Namespace, service: dict[str, Any]) -> None:
    predicted = netns.call("ipvs_service", check=True, **service)
    assert listed(netns) == {}
    assert netns.call("ipvs_service", **service) == predicted
    assert listed(netns) == meant([service])
    again = netns.call("ipvs_service", **service)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"] == predicted["diff"]["after"]


def test_every_scheduler_of_the_kernel(netns: Namespace) -> None:
    """One takes the place of the other while the service stands."""
    for scheduler in SCHEDULERS.split(", "):
        service = {**MARKED, "scheduler": scheduler}
        assert netns.call("ipvs_service", **service)["changed"]
        assert listed(netns) == meant([service])


@pytest.mark.parametrize("change", [False, True])
def test_packets_of_a_mark_keep_their_port_where_none_is_given(netns: Namespace, change: bool) -> None:
    _service, destination = pair()
    port = destination["port"]
    if not change:
        del destination["port"]
    netns.call("ipvs_service", fwmark="7", family="ipv4", destinations=[destination])
    with connected(netns, port + 1000, mark=7, real_port=port if change else 0) as connection:
        assert connection.carries()
    (server,) = netns.call("ipvs_info")["services"][0]["destinations"]
    assert server["active_connections"] + server["inactive_connections"] == 1


def test_many_in_one_call(netns: Namespace) -> None:
    # Those that are no second state of another.
    services = list({tuple(meant([service])): service for service in SERVICES.values()}.values())
    assert len(services) == 9
    assert netns.call("ipvs_service", services=services)["changed"]
    assert listed(netns) == meant(services)
    assert not netns.call("ipvs_service", services=services, purge=True)["changed"]


def test_lines_read_in_order(netns: Namespace) -> None:
    result = netns.call("ipvs_service", **{**MARKED, "destinations": [{"address": f"10.0.0.{i}"} for i in (100, 9)]})
    assert result["diff"] == {
        "before": "",
        "after": "ipv4 fwmark 0x10001 scheduler wlc\n"
        "ipv4 fwmark 0x10001 server 10.0.0.9:0 direct weight 1\n"
        "ipv4 fwmark 0x10001 server 10.0.0.100:0 direct weight 1\n",
    }
    assert result["changes"] == [
        "add ipv4 fwmark 0x10001 scheduler wlc",
        "add ipv4 fwmark 0x10001 server 10.0.0.100:0 direct weight 1",
        "add ipv4 fwmark 0x10001 server 10.0.0.9:0 direct weight 1",
    ]


def test_absent_takes_the_service_alone_with_its_destinations(netns: Namespace) -> None:
    netns.call("ipvs_service", services=[MARKED, {**MARKED, "fwmark": "2"}])
    assert netns.call("ipvs_service", state="absent", fwmark="2", family="ipv4")["changes"] == [
        "remove ipv4 fwmark 0x2 server 10.0.0.11:0 direct weight 1",
        "remove ipv4 fwmark 0x2 scheduler wlc",
    ]
    assert listed(netns) == meant([MARKED])
    assert not netns.call("ipvs_service", state="absent", fwmark="2", family="ipv4")["changed"]


def test_a_failure_ends_the_run_before_anything_is_removed(netns: Namespace) -> None:
    netns.call("ipvs_service", **MARKED)
    before = listed(netns)
    with pytest.raises(PartlyApplied) as caught:
        # The kernel's own refusal: this is the broadcast address of a network of the namespace.
        netns.call("ipvs_service", **{**MARKED, "destinations": [{"address": "10.0.0.255"}]})
    assert caught.value.details["done"] == []
    assert caught.value.details["untried"] == ["remove ipv4 fwmark 0x10001 server 10.0.0.11:0 direct weight 1"]
    assert "add ipv4 fwmark 0x10001 server 10.0.0.255:0 direct weight 1: Invalid argument" in str(caught.value)
    assert listed(netns) == before
