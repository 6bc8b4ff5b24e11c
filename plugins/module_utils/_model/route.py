# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route that ends here: local delivery, or a refusal (ip-route(8), net/ipv4/fib_semantics.c, net/ipv6/route.c)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, values

UNICAST = 1
LOCAL = 2
TYPES = {"local": LOCAL, "blackhole": 6, "unreachable": 7, "prohibit": 8}
"""RTN_… of include/uapi/linux/rtnetlink.h: the types this collection writes."""
OTHER_TYPES = {"unicast": UNICAST, "broadcast": 3, "anycast": 4, "multicast": 5, "throw": 9, "nat": 10}
IPV6_METRIC = 1024
"""IP6_RT_PRIO_USER: what the kernel gives an IPv6 route without a metric."""


class Route(NamedTuple):
    """One route. ``prefix`` is always written with its length; ``device`` is empty for a refusal."""

    family: int
    prefix: str
    table: int
    metric: int
    kind: int
    device: str
    protocol: int
    tos: int = 0
    gateway: str = ""
    source: str = ""
    advmss: int = 0
    hops: tuple[tuple[str, str], ...] = ()
    """Where a route has several next hops, which this collection does not make: gateway and device of each."""
    foreign: str = ""
    """What others added that this collection does not write, in the words of ``ip route`` where there are some: such a
    route is never equal to one of ours."""

    @property
    def key(self) -> Hashable:
        """Identity: family, prefix, table, metric (and the type of service, which this collection leaves at 0)."""
        return (self.family, self.prefix, self.table, self.metric, self.tos)

    @property
    def is_default(self) -> bool:
        return self.prefix.endswith("/0")

    @property
    def gateways(self) -> list[str]:
        """The next hops, one or several; none where the prefix is on the link."""
        return [gateway for gateway in (self.gateway, *(gateway for gateway, _device in self.hops)) if gateway]

    @property
    def line(self) -> str:
        """As ``ip route show table all`` writes it, with the family in front and the table always named."""
        words = [values.FAMILY_NAMES.get(self.family, str(self.family))]
        words.append(values.name_of({**TYPES, **OTHER_TYPES}, self.kind))
        words.append("default" if self.is_default else self.prefix)
        words += ["via", self.gateway] if self.gateway else []
        words += ["dev", self.device] if self.device else []
        words += ["table", values.name_of(values.TABLES, self.table), "proto", str(self.protocol)]
        words += ["metric", str(self.metric)] if self.metric else []
        words += ["src", self.source] if self.source else []
        words += ["advmss", str(self.advmss)] if self.advmss else []
        for gateway, device in self.hops:
            words += ["nexthop", *(["via", gateway] if gateway else []), "dev", device]
        words += [self.foreign] if self.foreign else []
        return " ".join(words)


def ends_here(found: Route) -> bool:
    """Whether a route is of a type that ip_local_route makes."""
    return found.kind in TYPES.values()


def leads_on(found: Route) -> bool:
    """Whether a route is of the type that ip_route makes."""
    return found.kind == UNICAST


def parse(options: Mapping[str, Any], label: str = "") -> list[tuple[str, Route]]:
    """The routes that one entry of the module's options asks for, one for each prefix, each with that option's name."""
    table = values.table(label + "table", options["table"])
    kind = TYPES[options["type"]]
    device = values.interface(label + "device", options["device"] or "lo") if kind == LOCAL else ""
    if options["device"] is not None and not device:
        raise BadInput(label + "device", options["device"], f"cannot go with type {options['type']}, which has none.")
    if not options["prefixes"]:
        raise BadInput(label + "prefixes", options["prefixes"], "is empty: name at least one prefix.")
    protocol = values.owner(label + "protocol", options["protocol"])
    metric = values.number(label + "metric", options["metric"] or 0, 0, values.FULL_MASK)
    origin, source = _source(label + "source", options["source"])
    found = []
    for place, text in enumerate(options["prefixes"]):
        option = f"{label}prefixes[{place}]"
        family, prefix = plain.prefix(option, text)
        if origin not in (0, family):
            raise BadInput(label + "source", source, f"is not of the family of the prefix {prefix}.")
        route = Route(family, prefix, table, _metric(family, metric), kind, device, protocol, source=source)
        found.append((option, route))
        _refuse_default(option, route)
    return found


def _source(option: str, text: str | None) -> tuple[int, str]:
    """Family and canonical text of the preferred source; 0 and nothing where there is none."""
    return plain.address(option, text) if text is not None else (0, "")


def _metric(family: int, metric: int) -> int:
    return metric or (IPV6_METRIC if family == values.IPV6 else 0)


def _refuse_default(option: str, route: Route) -> None:
    """A default that ends here, in a table that every packet passes, takes the host off the network."""
    if route.is_default and route.table in values.TABLES.values():
        where = values.name_of(values.TABLES, route.table)
        raise BadInput(
            option, route.prefix, f"in table {where} would end all traffic of this host; use a table of its own."
        )
