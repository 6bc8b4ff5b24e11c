# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS services as structured values, under the names of the options that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import (
    FLAGS,
    FORWARDING_FOUND,
    TUNNEL,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Destination,
    Service,
    ServiceId,
    flag_names,
)


class Counters(NamedTuple):
    """What a service or destination carried since it was added, and the connections that a destination has now."""

    stats: Mapping[str, int]
    active: int = 0
    inactive: int = 0
    persistent: int = 0


class Listed(NamedTuple):
    """A service with its destinations, each with its counters."""

    service: Service
    counters: Counters
    destinations: Sequence[tuple[Destination, Counters]]


def configuration(listed: Listed) -> dict[str, Any]:
    """What the module ipvs_service takes."""
    return {**_service(listed.service), "destinations": [_destination(one) for one, _counters in listed.destinations]}


def report(listed: Listed) -> dict[str, Any]:
    """The same, and what was carried."""
    destinations = [
        {
            **_destination(destination),
            "active_connections": counters.active,
            "inactive_connections": counters.inactive,
            "persistent_connections": counters.persistent,
            "stats": dict(counters.stats),
        }
        for destination, counters in listed.destinations
    ]
    return {**_service(listed.service), "destinations": destinations, "stats": dict(listed.counters.stats)}


def identity(known: ServiceId) -> dict[str, Any]:
    """What a service is known by."""
    family = {"family": values.FAMILY_NAMES[known.family]}
    if known.fwmark:
        return {**family, "fwmark": f"{known.fwmark:#x}"}
    protocol = values.name_of(values.TRANSPORTS, known.protocol)
    return {**family, "vip": known.vip, "protocol": protocol, "port": known.port}


def _service(service: Service) -> dict[str, Any]:
    found = {**identity(service.id), "scheduler": service.scheduler}
    if service.persistent is not None:
        found.update(persistent=service.persistent, persistent_netmask=service.netmask)
    flags = [name for name in flag_names(service) if name in FLAGS]
    named = {"flags": flags, "persistence_engine": service.engine}
    return {**found, **{name: value for name, value in named.items() if value}}


def _destination(destination: Destination) -> dict[str, Any]:
    found = {
        "address": destination.address,
        "port": destination.port,
        "forwarding": values.name_of(FORWARDING_FOUND, destination.forwarding),
        "weight": destination.weight,
    }
    if destination.forwarding == TUNNEL and destination.tunnel_type:
        found["tunnel_type"] = values.name_of(TUNNEL_TYPES, destination.tunnel_type)
        found["tunnel_checksum"] = values.name_of(TUNNEL_CHECKSUMS, destination.tunnel_flags or 0)
    numbers = {name: getattr(destination, name) for name in ("upper_threshold", "lower_threshold", "tunnel_port")}
    return {**found, **{name: value for name, value in numbers.items() if value}}
