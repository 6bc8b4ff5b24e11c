# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes in the words of the options that make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import OTHER_TYPES, TYPES, Route

ALL_TYPES = {**TYPES, **OTHER_TYPES}


class Wanted(NamedTuple):
    """Which routes to tell of; 0 and nothing stand for all of a kind."""

    family: int
    table: int
    protocol: int
    kinds: frozenset[int]

    def fits(self, route: Route) -> bool:
        """Whether to tell of it. The kernel's own routes are told of where its protocol is asked for, and those with a
        type of service never: no option makes either."""
        kernel = values.PROTOCOLS["kernel"]
        owned = route.protocol == self.protocol if self.protocol else route.protocol != kernel
        return owned and route.kind in self.kinds and not route.tos


def wanted(options: Mapping[str, Any]) -> Wanted:
    """The filters of the module's options."""
    return Wanted(
        family=values.FAMILIES[options["family"]] if options["family"] else 0,
        table=values.table("table", options["table"]) if options["table"] is not None else 0,
        protocol=values.protocol("protocol", options["protocol"]) if options["protocol"] is not None else 0,
        kinds=frozenset(ALL_TYPES[name] for name in options["type"]),
    )


def report(routes: Iterable[Route]) -> list[dict[str, Any]]:
    """The routes as entries of options, those together that differ in their prefix alone."""
    entries: dict[Route, list[str]] = {}
    for route in routes:
        entries.setdefault(route._replace(prefix=""), []).append(route.prefix)
    return [_entry(shape, prefixes) for shape, prefixes in entries.items()]


def _entry(shape: Route, prefixes: list[str]) -> dict[str, Any]:
    entry = {
        "prefixes": prefixes,
        "table": values.name_of(values.TABLES, shape.table),
        "type": values.name_of(ALL_TYPES, shape.kind),
        "device": shape.device,
        "metric": shape.metric,
        "source": shape.source,
        "protocol": values.name_of(values.PROTOCOLS, shape.protocol),
        "gateway": shape.gateway,
    }
    return {name: value for name, value in entry.items() if value}
