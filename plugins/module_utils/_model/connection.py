# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's own connection to this host, and what would take it away."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import ANY, Mark
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import takes_own
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6, TRANSPORTS

_TCP = "tcp"
_LOCALLY = "lo"
"""The interface that rules see of a packet which this host itself sends (fib_rules(7), ip-rule(8): iif lo)."""


class Connection(NamedTuple):
    """Both ends of an ssh session, as SSH_CONNECTION tells them (sshd(8))."""

    client: str
    client_port: int
    server: str
    server_port: int

    @property
    def answer(self) -> Packet:
        """What this host sends back."""
        family = IPV6 if ":" in self.client else IPV4
        ports = self.server_port, self.client_port
        return Packet(family, self.client, self.server, _LOCALLY, 0, TRANSPORTS[_TCP], *ports)


def parse(words: list[str]) -> Connection | None:
    """From the words of SSH_CONNECTION. None where they name no addresses: sshd writes UNKNOWN for what is no socket
    of IP (get_peer_ipaddr() in OpenSSH's canohost.c)."""
    try:
        return Connection(_plain(words[0]), int(words[1]), _plain(words[2]), int(words[3]))
    except (IndexError, ValueError):
        return None


def takes(mark: Mark, found: Connection) -> bool:
    """Whether what comes in of a connection is among the packets of a mark, if it comes in by the mark's interface."""
    protocol, _slash, span = mark.port.partition("/")
    low, _dash, high = (span or "0-65535").partition("-")
    return (
        (takes_own(mark) if mark.verdict else bool(mark.mark))
        and protocol in {ANY, _TCP}
        and int(low) <= found.server_port <= int(high or low)
        and holds(mark.vip, found.server)
        and (not mark.source or holds(mark.source, found.client))
    )


def holds(prefix: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def _plain(text: str) -> str:
    """An address without its zone. A socket of IPv6 shows an IPv4 peer as one within ::ffff:0:0/96."""
    found = ipaddress.ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
