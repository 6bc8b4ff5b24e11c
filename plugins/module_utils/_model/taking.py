# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would take the controller's own connection away. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import FORCE, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model.connection import Connection
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import ANY, Mark
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import takes_own
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import holds

_TCP = "tcp"


def refuse_taking(marks: Iterable[Mark], connection: Connection | None) -> None:
    """Raise Refused where a mark would be that of the controller's own packets: what takes them ends the connection."""
    for mark in marks:
        if connection and takes(mark, connection):
            where = f"port {connection.server_port} of {connection.server}"
            reason = f"the controller is connected to {where}, and its packets are among these."
            raise Refused("vips", mark.line, reason, override=FORCE)


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
