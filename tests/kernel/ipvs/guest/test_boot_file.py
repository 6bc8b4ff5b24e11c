"""What ipvs_service writes into its file brings the same services back, by ipvsadm alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oracle import listed
from tool import ipvsadm

from namespace import Namespace

SERVICES: list[dict[str, Any]] = [
    {"fwmark": "0x10001", "family": "ipv4", "destinations": [{"address": "10.0.0.11", "weight": 0}]},
    {
        "fwmark": "0xf0000001",
        "family": "ipv6",
        "persistent": 300,
        "persistent_netmask": "64",
        "destinations": [{"address": "2001:db8:a::11", "upper_threshold": 9, "lower_threshold": 3}],
    },
    {"vip": "203.0.113.10", "protocol": "tcp", "port": 80, "scheduler": "sh", "flags": ["sh-port", "sh-fallback"]},
    {"vip": "203.0.113.10", "protocol": "udp", "port": 53, "flags": ["one-packet"], "scheduler": "rr"},
    {
        "vip": "203.0.113.11",
        "protocol": "udp",
        "port": 5060,
        "persistent": 20,
        "persistent_netmask": "24",
        "persistence_engine": "sip",
        "destinations": [
            {"address": "10.0.0.11", "port": 5061, "forwarding": "masquerade"},
            {"address": "10.0.0.12", "forwarding": "tunnel"},
            {"address": "10.0.0.13", "forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "csum"},
        ],
    },
    {
        "vip": "2001:db8:f::10",
        "protocol": "sctp",
        "port": 99,
        "destinations": [
            {"address": "2001:db8:a::12", "forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080}
        ],
    },
]


def test_the_file_brings_it_back(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "services.ipvs"
    options = {"services": SERVICES, "file": str(file)}
    predicted = netns.call("ipvs_service", check=True, **options)
    assert not file.exists()
    assert netns.call("ipvs_service", **options) == predicted
    found = listed(netns)
    assert len(found) == len(SERVICES)
    ipvsadm(netns, "-C")
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    ipvsadm(netns, "-R", lines="\n".join([*lines, ""]))
    assert listed(netns) == found
    assert not netns.call("ipvs_service", **options)["changed"]
    absent = netns.call("ipvs_service", **options, state="absent")
    assert f"remove {file} (0644)" in absent["changes"]
    assert not file.exists()
