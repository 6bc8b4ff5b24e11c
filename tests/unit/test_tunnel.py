"""Tunnels as bytes, compared with pyroute2, and as commands that bring them back; the file that sets a parameter."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import sysctl_source, tunnels
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines
from ansible_collections.lvs.vipless.plugins.module_utils._model.tunnel import Tunnel

NAMED = [
    Tunnel("from4", "ipip", "10.0.0.11", "10.0.0.2", "x:y", up=True),
    Tunnel("from6", "ip6tnl", "2001:db8:a::11", "", "x:y", up=True),
    Tunnel("gre4", "gre", "", "10.0.0.2", "x:y", up=True),
    Tunnel("gre6", "ip6gre", "2001:db8:a::11", "2001:db8:a::2", "x:y", up=False),
    Tunnel("tunl0", "ipip", "", "", "x:y", up=True),
]
KEY = "net/ipv4/conf/all/rp_filter"


@pytest.mark.parametrize("tunnel", NAMED, ids=lambda tunnel: tunnel.name)
def test_bytes(tunnel: Tunnel) -> None:
    shaped, named = tunnels._shaped(tunnel), tunnels._named(tunnel)
    read = ifinfmsg(struct.pack("=IHHII", 16 + len(shaped), 0, 0, 0, 0) + shaped)
    read.decode()
    info = read.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == tunnel.kind
    # Each kind has names of its own, such as IFLA_IPIP_LOCAL.
    data = info.get_attr("IFLA_INFO_DATA")
    ends = {name.rpartition("_")[2]: value for name, value in data["attrs"]} if data else {}
    assert ends == {end: one for end, one in (("LOCAL", tunnel.local), ("REMOTE", tunnel.remote)) if one}
    assert tunnels.decode(named[:16] + shaped[16:] + named[16:]) == tunnel


def test_commands() -> None:
    assert boot_lines.of_tunnels([NAMED[0], NAMED[4]._replace(owner="")]) == [
        "-4 link add name from4 type ipip local 10.0.0.11 remote 10.0.0.2",
        "-4 link set dev from4 alias x:y up",
        "-4 link add name tunl0 type ipip",
        "-4 link set dev tunl0 up",
    ]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, ""),
        ({"a/10.conf": "net.ipv4.conf.all.rp_filter = 1"}, "a/10.conf"),
        ({"a/10.conf": "net.ipv4.conf.all.rp_filter = 1", "b/20.conf": "-net/ipv4/conf/all/rp_filter=0"}, "b/20.conf"),
        ({"a/10.conf": "net.ipv4.conf.all.rp_filter = 1", "b/20.conf": "net.ipv4.conf.*.rp_filter = 2"}, "a/10.conf"),
        ({"b/10.conf": "net.ipv4.conf.all.rp_filter = 1", "a/10.conf": "# none"}, ""),
        ({"b/20.conf": "net.ipv4.conf.*.rp_filter = 2", "b/30.conf": "net.ipv4.ip_forward = 1"}, "b/20.conf"),
        ({"a/99.conf": "net.ipv4.conf.all.rp_filter = 1", "last": "net.ipv4.conf.all.rp_filter = 0"}, "last"),
    ],
)
def test_the_file_that_sets_a_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], found: str
) -> None:
    monkeypatch.setattr(sysctl_source, "_FOLDERS", (str(tmp_path / "a"), str(tmp_path / "b")))
    monkeypatch.setattr(sysctl_source, "_LAST", str(tmp_path / "last"))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert sysctl_source.source_of(KEY) == (f" (set by {tmp_path / found})" if found else "")
