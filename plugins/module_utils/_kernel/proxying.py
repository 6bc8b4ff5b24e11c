# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel needs beside a proxy entry before it answers for the address."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import dotted
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FAMILY_NAMES, IPV4, IPV6

_NEEDED = {IPV4: (("ipv4", "forwarding", False),), IPV6: (("ipv6", "forwarding", False), ("ipv6", "proxy_ndp", True))}
"""Of each family: the parameters, and whether the one of ``all`` counts too (arp_process() in net/ipv4/arp.c and
ndisc_recv_ns() in net/ipv6/ndisc.c). proxy_arp is not among them: it answers for every address."""


def lacking(entries: Iterable[Neighbor]) -> list[str]:
    """A sentence for each parameter that keeps proxy entries from having an effect."""
    places = sorted({(entry.family, entry.device) for entry in entries if entry.proxy})
    return [
        f"{device}: the {FAMILY_NAMES[family]} proxy entries are not answered for, because {key} is 0 in effect. "
        f"Set {key} to 1."
        for family, device in places
        for net, name, all_counts in _NEEDED[family]
        for key in [dotted(f"net/{net}/conf/{device}/{name}")]
        if not any(_is_set(f"net/{net}/conf/{where}/{name}") for where in ([device, "all"] if all_counts else [device]))
    ]


def _is_set(name: str) -> bool:
    return sysctl.read(name) not in (None, "0")
