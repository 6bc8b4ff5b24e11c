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
            raise BadInput(option, name, f"is not an interface of this host; it has {', '.join(sorted(there))}.")


def require_ipv6(wanted: Iterable[tuple[str, str]]) -> None:
    """Raise Missing for the first (object, interface) where IPv6 is off: the kernel would refuse it half-way
    (addrconf_ifdown(), net/ipv6/addrconf.c). A route without an interface is one of lo."""
    for line, name in wanted:
        file = _IPV6 / (name or "lo") / "disable_ipv6"
        if not _IPV6.is_dir():
            why = "this host was booted without it (ipv6.disable=1)"
        elif file.is_file() and file.read_text().strip() == "1":
            why = f"it is off on {name or 'lo'} (net.ipv6.conf.{name or 'lo'}.disable_ipv6 is 1)"
        else:
            continue
        raise Missing(f"'{line}' needs IPv6, and {why}.", "switch it on there, or declare nothing of IPv6.")
