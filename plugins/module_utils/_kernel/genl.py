# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generic netlink: families have names, and numbers that differ from boot to boot (net/netlink/genetlink.c)."""

from __future__ import annotations

import struct

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session, attribute, attributes

NETLINK_GENERIC = 16
"""include/uapi/linux/netlink.h: the protocol of a session that speaks to these families."""

_CTRL_VERSION = 2
_CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 1, 2

_HEADER = struct.Struct("=BBH")
_U16 = struct.Struct("=H")


def resolve(session: Session, name: str) -> int:
    """A family's number: the message type of its requests. The kernel may load a module to answer.

    Raises KernelError with ENOENT where there is none of that name.
    """
    body = request(netlink.CTRL_CMD_GETFAMILY, _CTRL_VERSION, attribute(_CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0"))
    answer = dict(contents(session.query(f"netlink family {name}", netlink.GENL_ID_CTRL, body)))
    number: int = _U16.unpack(answer[_CTRL_ATTR_FAMILY_ID])[0]
    return number


def request(command: int, version: int, data: bytes = b"") -> bytes:
    """struct genlmsghdr and the attributes that follow it: a message's body."""
    return _HEADER.pack(command, version, 0) + data


def contents(payload: bytes) -> list[tuple[int, bytes]]:
    """The attributes of a message, its own header passed over."""
    return attributes(payload[_HEADER.size :])
