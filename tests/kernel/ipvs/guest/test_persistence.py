"""Clients that a persistent service remembers, where their destination gets no new connections any more."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from clients import RIP, VIP, pair

from namespace import Namespace

KEY = "net.ipv4.vs.expire_quiescent_template"


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    with socket.create_server((RIP, port)) as listener:
        yield listener


def asked(port: int, listeners: list[socket.socket]) -> int:
    """The port at which a new connection of the same client comes in."""
    with socket.create_connection((VIP, port), timeout=10):
        (taken,), _, _ = select.select(listeners, [], [], 10)
        taken.accept()[0].close()
        number: int = taken.getsockname()[1]
        return number


@pytest.mark.parametrize("expire", ["0", "1"])
def test_a_drained_destination_keeps_them_unless_templates_expire(netns: Namespace, expire: str) -> None:
    """What the role sets, and drain asks for: ip_vs_check_template() in net/netfilter/ipvs/ip_vs_conn.c."""
    service, destination = pair()
    ports = [destination["port"], destination["port"] + 1000]
    weights = dict.fromkeys(ports, 1)

    def apply() -> None:
        servers = [{**destination, "port": port, "weight": weight} for port, weight in weights.items()]
        netns.call("ipvs_service", **service, scheduler="rr", persistent=300, destinations=servers)

    apply()
    netns.call("sysctl", values={KEY: expire})
    try:
        with netns.entered(), listening(ports[0]) as one, listening(ports[1]) as two:
            first = asked(service["port"], [one, two])
            assert asked(service["port"], [one, two]) == first
            weights[first] = 0
            apply()
            assert (asked(service["port"], [one, two]) == first) is (expire == "0")
    finally:
        netns.call("sysctl", values={KEY: "0"})
