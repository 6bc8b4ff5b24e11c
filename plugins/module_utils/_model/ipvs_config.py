# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IPVS keeps beside its services: timeouts of connections, and the daemons that tell other directors of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

ROLES = {"master": 1, "backup": 2}
"""IP_VS_STATE_… of include/uapi/linux/ip_vs.h"""
_MOST_SECONDS = 2147483
"""INT_MAX milliseconds: the kernel counts in its own ticks, of which there are 1,000 a second at most."""
_LIMITS = {"id": (0, 255), "port": (1, 65535), "ttl": (1, 255), "maxlen": (1, 65535)}


class Timeouts(NamedTuple):
    """Seconds after which an idle connection is forgotten; None where that was not asked for."""

    tcp: int | None = None
    tcp_fin: int | None = None
    udp: int | None = None

    @property
    def key(self) -> Hashable:
        return "timeouts"

    @property
    def line(self) -> str:
        return f"timeouts tcp {self.tcp} tcp_fin {self.tcp_fin} udp {self.udp}"


DEFAULT_TIMEOUTS = Timeouts(900, 120, 300)
"""Those of a kernel that nobody told (net/netfilter/ipvs/ip_vs_proto_tcp.c, ip_vs_proto_udp.c)."""


class Daemon(NamedTuple):
    """A sync daemon; one of each role can run. What is None was not asked for: it stays, or is left to the kernel."""

    role: str
    interface: str
    id: int
    group: str | None = None
    port: int | None = None
    ttl: int | None = None
    maxlen: int | None = None

    @property
    def key(self) -> Hashable:
        return self.role

    @property
    def line(self) -> str:
        words = [f"sync daemon {self.role} on {self.interface} id {self.id}"]
        rest = (("group", self.group), ("port", self.port), ("ttl", self.ttl), ("maxlen", self.maxlen))
        return " ".join([*words, *(f"{name} {value}" for name, value in rest if value is not None)])


Entry = Union[Timeouts, Daemon]


def desired(options: Mapping[str, Any]) -> Desired[Entry]:
    """The plan's target. Timeouts and daemons that are not given stay as they are."""
    found: list[Entry] = []
    names = [f"{name}_timeout" for name in Timeouts._fields]
    if any(options[name] is not None for name in names):
        found.append(Timeouts(*(_seconds(name, options[name]) for name in names)))
    if options["daemons"] is None:
        return Desired(found, complete=_complete)
    labels = [f"daemons[{place}]." for place in range(len(options["daemons"]))]
    found.extend(values.distinct((label, _daemon(entry, label)) for label, entry in zip(labels, options["daemons"])))
    return Desired(found, lambda entry: isinstance(entry, Daemon), _complete)


def report(entries: Iterable[Entry]) -> dict[str, Any]:
    """What was found, under the names of the options."""
    found: dict[str, Any] = {"daemons": []}
    for entry in entries:
        if isinstance(entry, Timeouts):
            found.update({f"{name}_timeout": seconds for name, seconds in entry._asdict().items()})
        else:
            found["daemons"].append({name: value for name, value in entry._asdict().items() if value is not None})
    return found


def _complete(wanted: Entry, found: Entry) -> Entry:
    asked: list[Any] = [has if want is None else want for want, has in zip(wanted, found)]
    return Timeouts(*asked) if isinstance(wanted, Timeouts) else Daemon(*asked)


def _seconds(option: str, value: int | None) -> int | None:
    return None if value is None else values.number(option, value, 1, _MOST_SECONDS)


def _daemon(entry: Mapping[str, Any], label: str) -> Daemon:
    numbers = {
        name: values.number(label + name, entry[name], *limits)
        for name, limits in _LIMITS.items()
        if entry[name] is not None
    }
    group = entry["group"]
    if group is not None:
        address = values.address(f"{label}group", group)
        if not address.is_multicast:
            raise BadInput(f"{label}group", group, "is not a multicast address.")
        group = str(address)
    interface = values.interface(f"{label}interface", entry["interface"])
    return Daemon(entry["role"], interface, group=group, **numbers)


def is_ipv6(group: str) -> bool:
    return ipaddress.ip_address(group).version == 6
