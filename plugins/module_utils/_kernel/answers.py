# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must leave a host, whatever its rules become."""

from __future__ import annotations

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import addresses, host
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.controller import connected
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6, TRANSPORTS

_LOCALLY = "lo"
"""The interface that rules see of a packet which this host itself sends (ip-rule(8): iif lo)."""


def answers(session: Session, family: int) -> list[Packet]:
    """What must leave this host: answers to the controller, or, where none is known, packets of its addresses to the
    next hops of default routes."""
    found = connected()
    if found and family == (IPV6 if ":" in found.client else IPV4):
        ports = found.server_port, found.client_port
        return [Packet(family, found.client, found.server, _LOCALLY, 0, TRANSPORTS["tcp"], *ports)]
    own = [one.address for one in addresses.dump(session, family) if host.is_own(one)]
    hops = host.next_hops(session, family, of_default=True)
    return [Packet(family, hop.address, address, _LOCALLY, 0, 0, 0, 0) for hop in hops for address in own]
