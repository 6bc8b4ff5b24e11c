# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to routes that lead to a next hop, or onto a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, route, values

_HIGHEST_MSS = 65535 - 40
"""What the kernel cuts it to (net/ipv4/metrics.c)."""


def parse(options: Mapping[str, Any], label: str = "") -> list[tuple[str, route.Route]]:
    """The routes that one entry asks for, one for each prefix, each with that option's name."""
    if not options["prefixes"]:
        raise BadInput(label + "prefixes", options["prefixes"], "is empty: name at least one prefix.")
    if options["device"] is None:
        raise BadInput(label + "device", None, "is missing: name the interface.")
    device = values.interface(label + "device", options["device"])
    table = values.table(label + "table", options["table"])
    if table == values.TABLES["local"]:
        raise BadInput(label + "table", options["table"], "holds what is delivered here, and no route that leads on.")
    protocol = values.owner(label + "protocol", options["protocol"])
    metric = values.number(label + "metric", options["metric"] or 0, 0, values.FULL_MASK)
    advmss = values.number(label + "advmss", options["advmss"] or 0, 0, _HIGHEST_MSS)
    gateways = _gateways(options["gateways"] or [], label)
    found = []
    for place, text in enumerate(options["prefixes"]):
        option = f"{label}prefixes[{place}]"
        family, prefix = plain.prefix(option, text)
        if gateways and family not in gateways:
            raise BadInput(option, text, f"has no next hop among gateways: {sorted(gateways.values())}.")
        if prefix.endswith("/0") and table in values.TABLES.values():
            raise BadInput(option, text, "is this host's default route, which is not this module's to set.")
        cost = metric or (route.IPV6_METRIC if family == values.IPV6 else 0)
        leading = route.Route(family, prefix, table, cost, route.UNICAST, device, protocol)
        found.append((option, leading._replace(gateway=gateways.get(family, ""), advmss=advmss)))
    return found


def _gateways(texts: list[str], label: str) -> dict[int, str]:
    """The next hop of each family."""
    found: dict[int, str] = {}
    for place, text in enumerate(texts):
        option = f"{label}gateways[{place}]"
        family, address = plain.address(option, text)
        if family in found:
            raise BadInput(option, text, f"is a second next hop of its family, beside {found[family]}.")
        found[family] = address
    return found
