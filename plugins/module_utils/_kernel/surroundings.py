# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's packets meet beside this collection: settings of its interfaces, its ways out, other managers."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.managers import Files, UnitState, names, parse_units
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FAMILIES

_IPV4_CONF = "net/ipv4/conf"
_IPV6_FORWARDING = "net/ipv6/conf/all/forwarding"
# The kernel takes the larger of 'all' and the interface's own (IN_DEV_MAXCONF()), but for forwarding.
_LARGER = ("rp_filter", "src_valid_mark", "arp_ignore", "arp_announce")
_SYSTEMD = ("/usr/lib/systemd", "/run/systemd", "/etc/systemd")
_NFTABLES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
_KEPT_BY_US = "/etc/systemd/system/nftables.service.d"


def settings() -> dict[str, dict[str, int]]:
    """What is in force on each interface that speaks IPv4."""
    found = {}
    for _index, name in socket.if_nameindex():
        if name == "lo" or sysctl.read(f"{_IPV4_CONF}/{name}/rp_filter") is None:
            continue
        found[name] = {
            **{key: max(_number(f"{_IPV4_CONF}/{where}/{key}") for where in ("all", name)) for key in _LARGER},
            "forwarding": _number(f"{_IPV4_CONF}/{name}/forwarding"),
            "forwarding6": _number(_IPV6_FORWARDING),
        }
    return found


def own_addresses(session: Session) -> dict[str, str]:
    """The device of each address of this host, but for those that only reach the host itself."""
    found = [item for family in FAMILIES.values() for item in addresses.dump(session, family)]
    return {item.address: item.device for item in found if item.device != "lo"}


def units(asked: Iterable[str]) -> dict[str, UnitState]:
    """What systemd says of these units and of the managers; nothing where another init runs."""
    systemctl = find("systemctl")
    if systemctl is None:
        return {}
    command = [systemctl, "show", "--property=Id,ActiveState,UnitFileState", "--", *names(asked)]
    return parse_units(run(command).stdout)


def files() -> Files:
    """The configuration of the managers."""
    drop_ins = {path.name: path for where in _SYSTEMD for path in sorted(Path(where, "networkd.conf.d").glob("*.conf"))}
    main = [Path(where, "networkd.conf") for where in _SYSTEMD]
    return Files(
        networkd=_text([*main, *(drop_ins[name] for name in sorted(drop_ins))]),
        nftables=_text([Path(name) for name in _NFTABLES]),
        keepalived=_text(sorted(Path("/etc/keepalived").rglob("*.conf"))),
        restored=any(Path(_KEPT_BY_US).glob("lvs-vipless-*.conf")),
    )


def _text(paths: Sequence[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file())


def _number(name: str) -> int:
    return int(sysctl.read(name) or 0)
