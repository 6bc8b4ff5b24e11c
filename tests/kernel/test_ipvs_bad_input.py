"""What ipvs_service refuses: one error that names option and value, before the kernel is asked, be it without ip_vs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from namespace import Namespace

MARKED = {"fwmark": "0x10001", "family": "ipv4", "destinations": [{"address": "10.0.0.11"}]}
WEB = {"vip": "203.0.113.10", "protocol": "tcp", "port": 80, "destinations": [{"address": "10.0.0.11"}]}


def marked(**changes: Any) -> dict[str, Any]:
    return {"services": [{**MARKED, **changes}]}


def web(**changes: Any) -> dict[str, Any]:
    return {"services": [{name: value for name, value in {**WEB, **changes}.items() if value is not None}]}


def server(**options: Any) -> dict[str, Any]:
    return web(destinations=[{"address": "10.0.0.11", **options}])


CASES = [
    (marked(fwmark="one"), "services[0].fwmark: 'one' is not a whole number."),
    (marked(fwmark="0"), "services[0].fwmark: '0' is not between 1 and 4294967295."),
    (marked(fwmark="0x100000000"), "services[0].fwmark: '0x100000000' is not between 1 and 4294967295."),
    (
        marked(vip="203.0.113.10"),
        "services[0].vip: '203.0.113.10' cannot go with fwmark, which takes any address and port.",
    ),
    (marked(protocol="tcp"), "services[0].protocol: 'tcp' cannot go with fwmark, which takes any address and port."),
    (marked(port=80), "services[0].port: 80 cannot go with fwmark, which takes any address and port."),
    (
        {"services": [{"fwmark": "1"}]},
        "services[0].family is missing: a fwmark service has ipv4 or ipv6.",
    ),
    (web(vip=None), "services[0].vip is missing, and so is fwmark: a service has one of them."),
    (web(protocol=None), "services[0].protocol is missing: a service by vip has a protocol and a port."),
    (web(port=None), "services[0].port is missing: a service by vip has a protocol and a port."),
    (web(vip="web"), "services[0].vip: 'web' is not an IPv4 or IPv6 address."),
    (web(vip="0.0.0.0"), "services[0].vip: '0.0.0.0' is not the address of one host."),
    (web(family="ipv6"), "services[0].family: 'ipv6' is not the family of vip, 203.0.113.10."),
    (web(port=65536), "services[0].port: 65536 is not between 0 and 65535."),
    (web(port=0), "services[0].port: 0 stands for every port, which IPVS only balances with persistent."),
    (web(persistent=0), "services[0].persistent: 0 is not between 1 and 2678400."),
    (web(persistent_netmask="24"), "services[0].persistent_netmask: '24' goes with persistent only."),
    (
        web(persistent=1, persistent_netmask="33"),
        "services[0].persistent_netmask: '33' is not between 0 and 32.",
    ),
    (
        web(persistent=1, persistent_netmask="255.255"),
        "services[0].persistent_netmask: '255.255' is not an IPv4 or IPv6 address.",
    ),
    (
        {"services": [{"fwmark": "1", "family": "ipv6", "persistent": 1, "persistent_netmask": "0"}]},
        "services[0].persistent_netmask: '0' is not between 1 and 128.",
    ),
    (
        web(scheduler="a" * 16),
        "services[0].scheduler: 'aaaaaaaaaaaaaaaa' is not a scheduler's name (1 to 15 letters, digits, _ or -).",
    ),
    (
        web(flags=["sh-port"]),
        "services[0].flags: 'sh-port' is for scheduler sh only, not wlc.",
    ),
    (web(flags=["one-packet"]), "services[0].flags: 'one-packet' is for services by udp or fwmark only."),
    (web(persistence_engine="sip"), "services[0].persistence_engine: 'sip' goes with persistent only."),
    (
        web(persistent=9, persistence_engine="no sip"),
        "services[0].persistence_engine: 'no sip' is not an engine's name, such as sip.",
    ),
    (
        server(upper_threshold=-1),
        "services[0].destinations[0].upper_threshold: -1 is not between 0 and 2147483647.",
    ),
    (
        server(upper_threshold=5, lower_threshold=6),
        "services[0].destinations[0].lower_threshold: 6 is above the upper one, 5.",
    ),
    (
        server(tunnel_type="gre"),
        "services[0].destinations[0].tunnel_type: 'gre' goes with forwarding: tunnel only.",
    ),
    (
        server(forwarding="tunnel", tunnel_port=6080),
        "services[0].destinations[0].tunnel_port: 6080 goes with tunnel_type only.",
    ),
    (
        server(forwarding="tunnel", tunnel_type="gue"),
        "services[0].destinations[0].tunnel_port is missing: packets of type gue go to a port.",
    ),
    (
        server(forwarding="tunnel", tunnel_type="gre", tunnel_port=6080),
        "services[0].destinations[0].tunnel_port: 6080 goes with tunnel_type: gue only.",
    ),
    (
        server(forwarding="tunnel", tunnel_type="gue", tunnel_port=0),
        "services[0].destinations[0].tunnel_port: 0 is not between 1 and 65535.",
    ),
    (
        server(forwarding="tunnel", tunnel_type="gre", tunnel_checksum="remcsum"),
        "services[0].destinations[0].tunnel_checksum: 'remcsum' is nothing that tunnel_type: gre has.",
    ),
    (server(weight=-1), "services[0].destinations[0].weight: -1 is not between 0 and 65535."),
    (server(weight=65536), "services[0].destinations[0].weight: 65536 is not between 0 and 65535."),
    (server(port=-1), "services[0].destinations[0].port: -1 is not between 0 and 65535."),
    (
        server(port=8080),
        "services[0].destinations[0].port: 8080 is not the service's, 80: only forwarding: masquerade can change it.",
    ),
    (server(address="rs1"), "services[0].destinations[0].address: 'rs1' is not an IPv4 or IPv6 address."),
    (server(address="224.0.0.1"), "services[0].destinations[0].address: '224.0.0.1' is not the address of one host."),
    (
        server(address="2001:db8:a::11"),
        "services[0].destinations[0].address: '2001:db8:a::11' is not ipv4 as the service is: "
        "only forwarding: tunnel can do that.",
    ),
    (
        server(address="fe80::1", forwarding="tunnel"),
        "services[0].destinations[0].address: 'fe80::1' is a link-local address, which IPVS does not take.",
    ),
    (
        web(destinations=[{"address": "10.0.0.11"}, {"address": "10.0.0.11", "port": 80, "weight": 7}]),
        "services[0].destinations[1]: 'ipv4 tcp 203.0.113.10:80 server 10.0.0.11:80 direct weight 7' "
        "names the same object as services[0].destinations[0].",
    ),
    (
        {"services": [MARKED, {**MARKED, "fwmark": "65537", "scheduler": "rr"}]},
        "services[1]: 'ipv4 fwmark 0x10001 scheduler rr' names the same object as services[0].",
    ),
    ({**MARKED, "purge": True}, "purge: True goes with the list services and state: present only."),
    ({**MARKED, "purge_later": True}, "purge_later: True goes with purge only."),
    ({**MARKED, "purge_fwmarks": "1/1"}, "purge_fwmarks: '1/1' goes with purge only."),
    (
        {"services": [], "purge": True, "purge_fwmarks": "3/1"},
        "purge_fwmarks: '3/1' has bits outside its mask (mark 0x3, mask 0x1).",
    ),
    (
        {"services": [], "purge": True, "purge_fwmarks": "0/1"},
        "purge_fwmarks: '0/1' names no bit by which a service could be known.",
    ),
]


@pytest.mark.parametrize(("options", "message"), CASES, ids=[message for _options, message in CASES])
def test_one_clear_error(netns: Namespace, options: dict[str, Any], message: str) -> None:
    for check in (True, False):
        with pytest.raises(BadInput) as caught:
            netns.call("ipvs_service", check=check, **options)
        assert str(caught.value) == message
