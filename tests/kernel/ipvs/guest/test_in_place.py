"""Edits: what is asked for changes and nothing else, and an established connection stays."""

from __future__ import annotations

from typing import Any

import pytest
from clients import RIP, VIP, connected, pair
from oracle import listed, meant
from tool import ipvsadm

from ansible_collections.lvs.vipless.plugins.modules import ipvs_service
from namespace import Namespace

STEADY = {"persistent": 300, "persistent_netmask": "24"}
FOUND = "-A -u 203.0.113.10:53 -s sh -b sh-fallback,sh-port"
FOUND_SERVER = "-a -u 203.0.113.10:53 -r 10.0.0.11:53 -i -w 3 --tun-type gue --tun-port 6080 --tun-nocsum"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"scheduler": "rr"}),
        ({}, {"persistent": 300}),
        (STEADY, {**STEADY, "persistent": 301}),
        (STEADY, {**STEADY, "persistent_netmask": "16"}),
        (STEADY, {}),
        ({"scheduler": "sh"}, {"scheduler": "sh", "flags": ["sh-fallback", "sh-port"]}),
        ({"scheduler": "mh", "flags": ["mh-port"]}, {"scheduler": "mh", "flags": []}),
        (STEADY, {**STEADY, "persistence_engine": "sip"}),
    ],
)
def test_option_of_a_service_changed_alone(netns: Namespace, before: dict[str, Any], after: dict[str, Any]) -> None:
    service, destination = pair()
    _edit(
        netns, {**service, "destinations": [destination], **before}, {**service, "destinations": [destination], **after}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 5},
        {"weight": 0},
        {"forwarding": "direct"},
        {"forwarding": "tunnel"},
        {"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "csum"},
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080},
        {"upper_threshold": 8},
        {"upper_threshold": 8, "lower_threshold": 4},
    ],
    ids=str,
)
def test_option_of_a_destination_changed_alone(netns: Namespace, change: dict[str, Any]) -> None:
    service, destination = pair()
    _edit(netns, {**service, "destinations": [destination]}, {**service, "destinations": [{**destination, **change}]})


def _edit(netns: Namespace, before: dict[str, Any], after: dict[str, Any]) -> None:
    netns.call("ipvs_service", **before)
    with connected(netns, before["port"]) as connection:
        assert connection.is_known()
        predicted = netns.call("ipvs_service", check=True, **after)
        assert listed(netns) == meant([before])
        assert netns.call("ipvs_service", **after) == predicted
        assert [change.split()[0] for change in predicted["changes"]] == ["change"]
        assert connection.is_known()
        assert connection.carries()
    assert listed(netns) == meant([after])
    (service,) = netns.call("ipvs_info")["services"]
    assert service["destinations"][0]["active_connections"] + service["destinations"][0]["inactive_connections"] == 1
    assert not netns.call("ipvs_service", **after)["changed"]


CASES = {
    "scheduler",
    *("persistent", "persistent_netmask", "flags", "persistence_engine"),
    *("weight", "forwarding", "tunnel_type", "tunnel_port", "tunnel_checksum", "upper_threshold", "lower_threshold"),
}


def test_every_option_has_a_case() -> None:
    identity = {"fwmark", "family", "vip", "protocol", "port", "address", "destinations"}
    assert set(ipvs_service.OPTIONS) | set(ipvs_service.DESTINATION) == CASES | identity


def test_what_was_set_can_be_taken_back(netns: Namespace) -> None:
    service, destination = pair()
    plain = {**service, "persistent": 9, "destinations": [{**destination, "forwarding": "tunnel"}]}
    limits = {"upper_threshold": 9, "lower_threshold": 3, "tunnel_type": "gue", "tunnel_port": 6080}
    set_up = {**plain, "scheduler": "sh", "flags": ["sh-port"], "persistence_engine": "sip"}
    set_up["destinations"] = [{**plain["destinations"][0], **limits}]
    netns.call("ipvs_service", **set_up)
    assert listed(netns) == meant([set_up])
    # What is not given stays.
    assert not netns.call("ipvs_service", **plain, scheduler="sh")["changed"]
    none = {"upper_threshold": 0, "lower_threshold": 0, "tunnel_type": "ipip"}
    taken_back = {**plain, "scheduler": "sh", "flags": [], "persistence_engine": ""}
    taken_back["destinations"] = [{**plain["destinations"][0], **none}]
    assert netns.call("ipvs_service", **taken_back)["changed"]
    assert listed(netns) == meant([{**plain, "scheduler": "sh"}])


def test_nothing_is_left_of_a_tunnel(netns: Namespace) -> None:
    service, destination = pair()
    tunnel = {"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "csum"}
    netns.call("ipvs_service", **service, destinations=[{**destination, **tunnel}])
    line = f"ipv4 tcp {VIP}:{service['port']} server {RIP}:{service['port']}"
    assert netns.call("ipvs_service", **service, destinations=[destination])["changes"] == [
        f"change {line} tunnel weight 1 tunnel-type gre tunnel-checksum csum to {line} masquerade weight 1"
    ]
    # The kernel has forgotten it too: a tunnel of no kind is one of ipip.
    ipvsadm(netns, f"-e -t {VIP}:{service['port']} -r {RIP}:{service['port']} -i")
    assert listed(netns) == meant([{**service, "destinations": [{**destination, "forwarding": "tunnel"}]}])


def test_what_identifies_a_destination_makes_another(netns: Namespace) -> None:
    service, destination = pair()
    netns.call("ipvs_service", **service, destinations=[destination])
    moved = {**destination, "port": 81}
    line = f"ipv4 tcp {VIP}:{service['port']} server {RIP}"
    assert netns.call("ipvs_service", **service, destinations=[moved])["changes"] == [
        f"add {line}:81 masquerade weight 1",
        f"remove {line}:{service['port']} masquerade weight 1",
    ]
    assert listed(netns) == meant([{**service, "destinations": [moved]}])


def test_what_others_set_stays(netns: Namespace) -> None:
    ipvsadm(netns, "-R", lines=f"{FOUND}\n{FOUND_SERVER} -x 10 -y 2\n")
    ours = {"vip": "203.0.113.10", "protocol": "udp", "port": 53, "scheduler": "sh"}
    server = {"address": "10.0.0.11", "forwarding": "tunnel"}
    assert not netns.call("ipvs_service", **ours, destinations=[{**server, "weight": 3}])["changed"]
    result = netns.call("ipvs_service", **ours, persistent=9, destinations=[{**server, "weight": 4}])
    assert result["changes"] == [
        "change ipv4 udp 203.0.113.10:53 scheduler sh sh-fallback sh-port "
        "to ipv4 udp 203.0.113.10:53 scheduler sh persistent 9 sh-fallback sh-port",
        "change ipv4 udp 203.0.113.10:53 server 10.0.0.11:53 tunnel weight 3 "
        "tunnel-type gue tunnel-port 6080 upper 10 lower 2 "
        "to ipv4 udp 203.0.113.10:53 server 10.0.0.11:53 tunnel weight 4 "
        "tunnel-type gue tunnel-port 6080 upper 10 lower 2",
    ]
    assert ipvsadm(netns, "-Sn").splitlines() == [
        FOUND.replace("-s sh", "-s sh -p 9"),
        FOUND_SERVER.replace("-w 3", "-w 4"),
    ]
    assert ipvsadm(netns, "-Ln --thresholds").split()[-5:] == ["10.0.0.11:53", "10", "2", "0", "0"]


def test_persistence_engine_stays(netns: Namespace) -> None:
    ipvsadm(netns, "-A -u 203.0.113.10:5060 -s rr -p 20 --pe sip")
    ours = {"vip": "203.0.113.10", "protocol": "udp", "port": 5060, "persistent": 20}
    assert netns.call("ipvs_service", **ours, scheduler="wlc")["changes"] == [
        "change ipv4 udp 203.0.113.10:5060 scheduler rr persistent 20 engine sip "
        "to ipv4 udp 203.0.113.10:5060 scheduler wlc persistent 20 engine sip"
    ]
    assert ipvsadm(netns, "-Sn").strip() == "-A -u 203.0.113.10:5060 -s wlc -p 20 --pe sip"


def test_weights_are_kept_where_that_is_asked_for(netns: Namespace) -> None:
    servers = [{"address": f"10.0.0.{number}"} for number in (11, 12)]
    service = {"fwmark": "1", "family": "ipv4"}
    netns.call("ipvs_service", **service, destinations=servers)
    ipvsadm(netns, "-e -f 1 -r 10.0.0.11:0 -g -w 0")
    wanted = [*servers, {"address": "10.0.0.13", "weight": 4}]
    result = netns.call("ipvs_service", **service, destinations=wanted, keep_weights=True)
    assert result["changes"] == ["add ipv4 fwmark 0x1 server 10.0.0.13:0 direct weight 4"]
    assert listed(netns) == meant([{**service, "destinations": [{**servers[0], "weight": 0}, *wanted[1:]]}])
    assert not netns.call("ipvs_service", **service, destinations=wanted, keep_weights=True)["changed"]
    tunnelled = [{**one, "forwarding": "tunnel"} for one in wanted]
    netns.call("ipvs_service", **service, destinations=tunnelled, keep_weights=True)
    assert listed(netns) == meant([{**service, "destinations": [{**tunnelled[0], "weight": 0}, *tunnelled[1:]]}])
    assert netns.call("ipvs_service", **service, destinations=tunnelled)["changes"] == [
        "change ipv4 fwmark 0x1 server 10.0.0.11:0 tunnel weight 0 "
        "to ipv4 fwmark 0x1 server 10.0.0.11:0 tunnel weight 1"
    ]
