"""Values of kernel parameters as the kernel shows them."""

from __future__ import annotations

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_value import as_shown

PORTS = "net/ipv4/ip_local_reserved_ports"


@pytest.mark.parametrize(
    ("name", "written", "shown"),
    [
        ("net/ipv4/tcp_fastopen", "0x3", "3"),
        ("net/ipv4/conf/v0/arp_ignore", "01", "1"),
        ("net/ipv4/tcp_rmem", "010\t0X10  -0x1", "8 16 -1"),
        ("net/ipv4/tcp_fastopen", "08", "08"),
        ("net/ipv4/tcp_congestion_control", "bbr", "bbr"),
        ("net/ipv4/x", "0", "0"),
        (PORTS, "30002,30000,30001", "30000-30002"),
        (PORTS, "40000-40010,40005,7,9", "7,9,40000-40010"),
        (PORTS, "1,,2", "1,,2"),
        (PORTS, "", ""),
        ("net/ipv6/conf/v0/stable_secret", "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        ("net/ipv6/conf/v0/stable_secret", "none", "none"),
        ("net/core/rps_default_mask", "010", "010"),
        ("net.core.flow_limit_cpu_bitmap", "01", "01"),
    ],
)
def test_however_it_was_written(name: str, written: str, shown: str) -> None:
    assert as_shown(name, written) == shown
