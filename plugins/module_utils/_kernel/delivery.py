# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own lookup for a packet that comes in, without sending one (inet_rtm_getroute() in net/ipv4/route.c)."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._errors import KernelError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import links, routes
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.inet import packed
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session, attribute
from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Answer, Circumstances, Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import UNICAST, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6, TABLES

_CONF = Path("/proc/sys/net")
_HEADER = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")
_BE16 = struct.Struct("!H")
_REQUEST = struct.Struct("=16sH14x")
"""struct ifreq with its flags."""
_SIOCGIFFLAGS = 0x8913
_IFF_UP = 0x1

# RTA_…
_DESTINATION, _SOURCE, _IIF, _MARK, _UID, _IP_PROTO, _SPORT, _DPORT = 1, 2, 3, 16, 25, 27, 28, 29
_RTM_F_LOOKUP_TABLE, _RTM_F_FIB_MATCH = 0x1000, 0x2000
_FLAGS = {IPV4: _RTM_F_LOOKUP_TABLE | _RTM_F_FIB_MATCH, IPV6: _RTM_F_FIB_MATCH}
"""Tell the route as it stands in its table, instead of one to the single address. IPv6 always tells the table, and
refuses the flag for it."""


class Lookups:
    """What the kernel would do with packets. A lookup does not see what nftables would do before it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._devices = routes.Devices()
        self._table_local: set[tuple[str, int]] | None = None

    def ask(self, packet: Packet) -> Answer:
        """What becomes of one."""
        subject = f"the lookup for {packet.destination}"
        try:
            payload = self._session.query(subject, rtnl.RTM_GETROUTE, _request(packet))
        except KernelError as error:
            return Answer(None, error.errno)
        route = routes.decode(payload, self._devices)
        return Answer(self._in_its_table(route) if route else None)

    def _in_its_table(self, route: Route) -> Route:
        """As long as a host has had no rules of its own, IPv4 keeps the tables local and main in one, and says main of
        both (fib_new_table() in net/ipv4/fib_frontend.c)."""
        if route.family != IPV4 or route.table != TABLES["main"] or route.kind == UNICAST:
            return route
        if self._table_local is None:
            found = routes.dump(self._session, IPV4, TABLES["local"])
            self._table_local = {(one.prefix, one.kind) for one in found}
        is_there = (route.prefix, route.kind) in self._table_local
        return route._replace(table=TABLES["local"]) if is_there else route


def _request(packet: Packet) -> bytes:
    source, destination = packed(packet.source), packed(packet.destination)
    bits = 8 * len(source)
    ports = ((_SPORT, packet.sport), (_DPORT, packet.dport))
    parts = [
        _HEADER.pack(packet.family, bits, bits, 0, 0, 0, 0, 0, _FLAGS[packet.family]),
        attribute(_DESTINATION, destination),
        attribute(_SOURCE, source),
        attribute(_IIF, _U32.pack(links.number(packet.iif))),
        attribute(_MARK, _U32.pack(packet.mark)),
        # A packet that comes in is root's; IPv6 asks here for that of nobody instead.
        attribute(_UID, _U32.pack(0)),
        attribute(_IP_PROTO, bytes([packet.ipproto])),
        *(attribute(number, _BE16.pack(port)) for number, port in ports if port),
    ]
    return b"".join(parts)


def way_out(session: Session, family: int, address: str) -> str | None:
    """The device by which a packet of this host's own leaves for an address, or None."""
    there = packed(address)
    request = _HEADER.pack(family, 8 * len(there), 0, 0, 0, 0, 0, 0, _FLAGS[family]) + attribute(_DESTINATION, there)
    try:
        route = routes.decode(session.query(f"the way to {address}", rtnl.RTM_GETROUTE, request), routes.Devices())
    except KernelError:
        return None
    return route.device or None if route else None


def circumstances(family: int, iif: str) -> Circumstances:
    """What the host does with packets that come in on an interface. IPv6 has no reverse path filter."""
    if family != IPV4:
        return Circumstances(_is_up(iif), _setting("ipv6", "all", "forwarding") > 0, 0, src_valid_mark=False)
    rp_filter, valid_mark = (
        max(_setting("ipv4", name, key) for name in ("all", iif)) for key in ("rp_filter", "src_valid_mark")
    )
    return Circumstances(_is_up(iif), _setting("ipv4", iif, "forwarding") > 0, rp_filter, valid_mark > 0)


def _setting(family: str, interface: str, key: str) -> int:
    return int((_CONF / family / "conf" / interface / key).read_text())


def _is_up(interface: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _REQUEST.pack(interface.encode(), 0))
    return bool(_REQUEST.unpack(answer)[1] & _IFF_UP)
