# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces by name."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing

_IPV6 = Path("/proc/sys/net/ipv6/conf")


def require_interfaces(named: Iterable[tuple[str, str | None]]) -> None:
    """Raise BadInput for the first (option, name) whose interface this host does not have."""
    there = {name for _index, name in socket.if_nameindex()}
    for option, name in named:
        if name and name not in there:
            refuse_alternative_names([(option, name)])
            raise BadInput(option, name, f"is not an interface of this host; it has {', '.join(sorted(there))}.")


def refuse_alternative_names(named: Iterable[tuple[str, str]]) -> None:
    """Raise BadInput for the first (option, name) that is an alternative name (ip-link(8), altname): rules and nftables
    compare the interface's own, and would never match."""
    for option, name in named:
        try:
            own = socket.if_indextoname(socket.if_nametoindex(name))
        except OSError:
            continue
        if own != name:
            raise BadInput(option, name, f"is an alternative name of {own}: give that.")


def number(name: str) -> int:
    """Its number. Raise Missing where it went away since it was looked for, as those of containers and VPNs do."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise Missing(f"The interface {name} went away meanwhile.", "run this again.") from None


def require_ipv6(wanted: Iterable[tuple[str, str]]) -> None:
    """Raise Missing for the first (object, interface) where IPv6 is off: the kernel would refuse it half-way
    (addrconf_ifdown(), net/ipv6/addrconf.c). A route without an interface is one of lo."""
    for line, name in wanted:
        file = _IPV6 / (name or "lo") / "disable_ipv6"
        if not _IPV6.is_dir():
            why = "this host was booted without it (ipv6.disable=1)"
        elif _is_one(file):
            why = f"it is off on {name or 'lo'} (net.ipv6.conf.{name or 'lo'}.disable_ipv6 is 1)"
        else:
            continue
        raise Missing(f"'{line}' needs IPv6, and {why}.", "switch it on there, or declare nothing of IPv6.")


def _is_one(file: Path) -> bool:
    try:
        return file.read_text().strip() == "1"
    except OSError:
        # The interface is not there, or goes just now.
        return False
