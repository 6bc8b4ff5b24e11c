# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module ``ipvs_service`` would refuse of ``lvs_services``, by the names that the declaration has. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import (
    FLAGS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    ServiceId,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.services import Service

_UNSET: dict[str, Any] = dict.fromkeys(
    ("vip", "protocol", "port", "persistent", "persistent_netmask", "flags", "persistence_engine", "destinations")
)
_UNSET_OF_SERVER: dict[str, Any] = dict.fromkeys(
    ("upper_threshold", "lower_threshold", "tunnel_type", "tunnel_port", "tunnel_checksum")
)
_CHOICES = {"tunnel_type": TUNNEL_TYPES, "tunnel_checksum": TUNNEL_CHECKSUMS}


def require_sound(declared: Iterable[Service]) -> None:
    """Raise BadInput for the first option of IPVS that a service or realserver cannot have on any kernel."""
    for service in declared:
        families = service.families()
        netmask = service.options.get("persistent_netmask")
        if netmask is not None and len(families) > 1:
            reason = "is one length for clients of two families: give the VIPs of each family a service of their own."
            raise BadInput(f"{service.label}.persistent_netmask", netmask, reason)
        flags = service.options.get("flags")
        # As Ansible takes a text where a list is meant.
        told = {**service.options, "flags": flags.split(",") if isinstance(flags, str) else flags}
        for flag in told["flags"] or []:
            _require_choice(f"{service.label}.flags", flag, FLAGS)
        for family in families:
            named = {"fwmark": "1", "family": values.FAMILY_NAMES[family], "scheduler": service.scheduler}
            ipvs_options.parse({**_UNSET, **named, **told}, f"{service.label}.")
        for place, server in enumerate(service.realservers):
            options = {
                **_UNSET_OF_SERVER,
                "address": str(server.address),
                "port": server.port,
                "weight": server.weight,
                "forwarding": service.forwarding,
                **server.options,
            }
            where = f"{service.label}.realservers[{place}]."
            for name, choices in _CHOICES.items():
                _require_choice(where + name, options[name], choices)
            ipvs_options.destination(options, where, ServiceId(values.family_of(server.address), fwmark=1))


def _require_choice(option: str, value: str | None, choices: Collection[str]) -> None:
    if value is not None and value not in choices:
        raise BadInput(option, value, f"is not one of {', '.join(choices)}.")
