# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's own connection to this host."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Connection(NamedTuple):
    """Both ends of an ssh session, as SSH_CONNECTION tells them (sshd(8))."""

    client: str
    client_port: int
    server: str
    server_port: int


def parse(words: list[str]) -> Connection | None:
    """From the words of SSH_CONNECTION. None where they name no addresses: sshd writes UNKNOWN for what is no socket
    of IP (get_peer_ipaddr() in OpenSSH's canohost.c)."""
    try:
        return Connection(_plain(words[0]), int(words[1]), _plain(words[2]), int(words[3]))
    except (IndexError, ValueError):
        return None


def _plain(text: str) -> str:
    """An address without its zone. A socket of IPv6 shows an IPv4 peer as one within ::ffff:0:0/96."""
    found = ipaddress.ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
