"""The module ipvs_info. What it returns is compared with ipvsadm, and given back to ipvs_service."""

from __future__ import annotations

import time
from typing import Any

from clients import connected, pair
from oracle import listed, meant
from tool import ipvsadm

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import Family
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, ServiceId
from namespace import Namespace

MARKED = {
    "family": "ipv6",
    "fwmark": "0x10001",
    "scheduler": "rr",
    "persistent": 60,
    "persistent_netmask": "64",
    "destinations": [{"address": "2001:db8:a::11", "port": 0, "forwarding": "tunnel", "weight": 0}],
}
CARRIED = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")
# The kernel adds up every two seconds what each processor counted.
SETTLED_SECONDS = 2.5
PATIENCE_SECONDS = 30


def test_what_was_carried(netns: Namespace) -> None:
    service, destination = pair()
    netns.call("ipvs_service", **service, destinations=[destination])
    with connected(netns, service["port"]) as connection:
        assert connection.carries()
        settle(netns)
        for check in (True, False):
            found = netns.call("ipvs_info", check=check)
            assert (found["changed"], found["loaded"]) == (False, True)
            (shown,) = found["services"]
            (server,) = shown["destinations"]
            connections = [server[f"{kind}_connections"] for kind in ("active", "inactive", "persistent")]
            assert connections == [1, 0, 0]
            for stats in (shown["stats"], server["stats"]):
                assert list(stats) == [*CARRIED, *(f"{name}_per_second" for name in CARRIED)]
                assert [str(stats[name]) for name in CARRIED] == counted(netns)


def settle(netns: Namespace) -> None:
    """Wait until the connection is counted, and nothing comes any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    before, now = [], counted(netns)
    while (now[0] != "1" or now != before) and time.monotonic() < deadline:
        time.sleep(SETTLED_SECONDS)
        before, now = now, counted(netns)


def counted(netns: Namespace) -> list[str]:
    """What ipvsadm shows of the one destination: connections, packets and bytes."""
    return ipvsadm(netns, "-Ln --stats --exact").split()[-5:]


def test_configuration_makes_the_same_services(netns: Namespace) -> None:
    service, destination = pair()
    web: dict[str, Any] = {**service, "destinations": [destination]}
    services = [MARKED, web]
    netns.call("ipvs_service", services=services)
    made = listed(netns)
    configuration = netns.call("ipvs_info")["configuration"]
    assert configuration == [{"family": "ipv4", "scheduler": "wlc", **web}, MARKED]
    assert not netns.call("ipvs_service", services=configuration, purge=True)["changed"]
    ipvsadm(netns, "-C")
    netns.call("ipvs_service", services=configuration)
    assert listed(netns) == made == meant(services)


def test_configuration_tells_every_option(netns: Namespace) -> None:
    tunnel = {"forwarding": "tunnel", "weight": 0, "tunnel_type": "gue", "tunnel_port": 6080, "tunnel_checksum": "csum"}
    names: dict[str, Any] = {
        "family": "ipv4",
        "vip": "203.0.113.10",
        "protocol": "udp",
        "port": 5060,
        "scheduler": "mh",
        "persistent": 9,
        "persistent_netmask": "32",
        "persistence_engine": "sip",
        "flags": ["mh-fallback", "mh-port"],
        "destinations": [
            {"address": "10.0.0.11", "port": 5060, "upper_threshold": 9, "lower_threshold": 3, **tunnel},
            {"address": "2001:db8:a::11", "port": 5060, **tunnel, "tunnel_checksum": "none"},
        ],
    }
    netns.call("ipvs_service", services=[names])
    made = listed(netns)
    assert made == meant([names])
    configuration = netns.call("ipvs_info")["configuration"]
    assert configuration == [names]
    assert not netns.call("ipvs_service", services=configuration, purge=True)["changed"]
    ipvsadm(netns, "-C")
    netns.call("ipvs_service", services=configuration)
    assert listed(netns) == made


def test_forwarding_that_only_others_make_is_named(netns: Namespace) -> None:
    ipvsadm(netns, "-A -f 1 -s rr")
    mark = ServiceId(2, fwmark=1)
    with netns.entered(), Session(NETLINK_GENERIC) as session:
        family = Family(session)
        # ipvsadm cannot ask for them.
        new = [Destination(mark, f"10.0.0.{number}", 0, number, 1) for number in (1, 4)]
        assert [result.errno for result in session.batch([family.write(1, one) for one in new])] == [0, 0]
    (service,) = netns.call("ipvs_info")["services"]
    assert [one["forwarding"] for one in service["destinations"]] == ["local", "bypass"]
