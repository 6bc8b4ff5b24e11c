# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of the module ``tproxy`` to the packets that a daemon takes, and the table that gives them to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import (
    CLOSED,
    DELIVER,
    REDIRECT,
    TPROXY,
    ProxyTable,
    Target,
)

_BOUND = ("tcp", "udp")
"""The protocols whose sockets a packet can be given to."""


def parse(options: Mapping[str, Any], label: str, method: str, present: bool) -> list[tuple[str, Mark]]:
    """The packets that one entry names, each with its VIP's option. Where they are to go matters if ``present``."""
    found = mark_options.parse({**options, "mark": None}, label, needs_mark=False)
    if not present:
        return found
    if options["when_down"] is None:
        raise BadInput(label + "when_down", None, "is missing: say what becomes of packets while the daemon is down.")
    addresses = _addresses(label, options["to_addresses"], {mark.family for _option, mark in found})
    port = options["to_port"]
    if port is not None:
        values.number(label + "to_port", port, 1, 65535)
    if method == REDIRECT:
        _require_redirection(options, label, addresses)
    closed = options["when_down"] == CLOSED
    own = options["own_addresses"]
    named = []
    for option, mark in found:
        if port or addresses:
            protocol = mark.port.partition("/")[0]
            if protocol not in _BOUND:
                remedy = "Without to_port and to_addresses it stays as it is."
                raise BadInput(label + "ports", mark.port, f"has no socket to be given to: tcp and udp have. {remedy}")
            address = addresses.get(mark.family, "")
            target = Target(method, mark.family, protocol, address, port or 0, closed, own)
        else:
            target = Target(DELIVER, mark.family, closed=closed, own=own)
        named.append((option, mark._replace(verdict=f"goto {target.chain}")))
    return named


def table(params: Mapping[str, Any], present: bool) -> ProxyTable:
    """The table with what is asked of it as a whole."""
    whole = mark_options.table({**params, "hooks": None}, ())
    method, mark, exclude = params["method"], params["mark"], _excluded(params["exclude"])
    closes = params["close_ports"]
    if method == REDIRECT:
        for option in ("mark", "new_connections"):
            if params[option] is not None:
                raise BadInput(option, params[option], f"goes with method {TPROXY}.")
        return ProxyTable(whole.name, exclude_macs=whole.exclude_macs, method=method, exclude=exclude, closes=closes)
    if mark is None and present:
        raise BadInput("mark", None, "is missing: say which mark packets get that stay on this host.")
    number, mask = values.mark_and_mask("mark", mark or "1")
    if not number:
        raise BadInput("mark", mark, "is no mark: packets have 0 without one.")
    macs, tracks = whole.exclude_macs, whole.new_connections
    marked = ProxyTable(whole.name, None, tracks, macs, method=method, mark=number, mask=mask)
    return replace(marked, exclude=exclude, closes=closes)


def _excluded(texts: list[str] | None) -> tuple[str, ...] | None:
    """The prefixes in order, each once and none inside another."""
    if texts is None:
        return None
    found = [values.network(f"exclude[{place}]", text) for place, text in enumerate(texts)]
    ipv4 = collapse_addresses(one for one in found if isinstance(one, IPv4Network))
    ipv6 = collapse_addresses(one for one in found if isinstance(one, IPv6Network))
    return (*map(str, ipv4), *map(str, ipv6))


def _addresses(label: str, texts: list[str] | None, families: set[int]) -> dict[int, str]:
    """The daemon's address of each family; none where it listens at every address."""
    found: dict[int, str] = {}
    for place, text in enumerate(texts or []):
        option = f"{label}to_addresses[{place}]"
        address = values.address(option, text)
        family = values.family_of(address)
        if family in found:
            raise BadInput(option, text, f"is a second {values.FAMILY_NAMES[family]} address.")
        if family not in families:
            raise BadInput(option, text, "is of a family that none of the VIPs is of.")
        found[family] = str(address)
    if texts is not None and (missing := families - found.keys()):
        name = values.FAMILY_NAMES[missing.pop()]
        raise BadInput(label + "to_addresses", texts, f"has no {name} address, and the VIPs have.")
    return found


def _require_redirection(options: Mapping[str, Any], label: str, addresses: Mapping[int, str]) -> None:
    """What can be asked of network address translation."""
    if options["to_port"] is None:
        raise BadInput(label + "to_port", None, f"is missing: method {REDIRECT} needs it.")
    if options["when_down"] != CLOSED:
        reason = (
            f"is nothing that method {REDIRECT} can do: the header is rewritten before anybody knows of the daemon."
        )
        raise BadInput(label + "when_down", options["when_down"], reason)
    if addresses.get(values.IPV6) == "::1":
        reason = "takes no packet from another host: IPv6 has no route_localnet. Use another address of this host."
        raise BadInput(label + "to_addresses", "::1", reason)
