# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses the kernel takes as the preferred source of a route."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, routes
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, TABLES


def require_sources(session: Session, named: Iterable[tuple[str, Route]]) -> None:
    """Raise BadInput for the first route whose source the kernel would refuse. Each comes with its prefix's option.

    IPv4 takes what the table local delivers, and the route's own destination (fib_valid_prefsrc() in
    net/ipv4/fib_semantics.c); IPv6 takes addresses, a link-local one only with its device (ipv6_chk_addr()).
    """
    taken: set[tuple[int, str, str]] = set()
    for option, route in named:
        question = (route.family, route.source, route.device)
        is_itself = route.kind == LOCAL and route.prefix == f"{route.source}/32"
        if not route.source or question in taken or is_itself:
            continue
        if not (_delivered(session, route.source) if route.family == IPV4 else _assigned(session, route)):
            raise BadInput(option.rpartition("prefixes")[0] + "source", route.source, "is not an address of this host.")
        taken.add(question)


def _delivered(session: Session, source: str) -> bool:
    """Whether the table local delivers packets for an IPv4 address here."""
    wanted = ip_address(source)
    found = routes.dump(session, IPV4, TABLES["local"])
    return any(wanted in ip_network(route.prefix) for route in found if route.kind == LOCAL)


def _assigned(session: Session, route: Route) -> bool:
    """Whether an interface has the IPv6 address, and for a link-local one whether it is the route's."""
    devices = {found.device for found in addresses.dump(session, route.family) if found.address == route.source}
    return route.device in devices if ip_address(route.source).is_link_local else bool(devices)
