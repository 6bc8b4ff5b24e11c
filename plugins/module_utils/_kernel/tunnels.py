# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel interfaces over rtnetlink (include/uapi/linux/if_link.h, if_tunnel.h)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import FORCE, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, rtnl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import (
    Message,
    Session,
    attribute,
    attributes,
)
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl import read as sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_source import source_of
from ansible_collections.lvs.vipless.plugins.module_utils._model.tunnel import FAMILIES, Tunnel
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

_NAME, _LINKINFO, _ALIAS = 3, 18, 20
_KIND, _DATA = 1, 2
_ENDS = {"ipip": (2, 3), "ip6tnl": (2, 3), "gre": (6, 7), "ip6gre": (6, 7)}
"""IFLA_IPTUN_LOCAL and IFLA_IPTUN_REMOTE, IFLA_GRE_LOCAL and IFLA_GRE_REMOTE."""
_UP = 1
_HEADER = struct.Struct("=BxHiII")
_FILTER = "net/ipv4/conf/all/rp_filter"


def decode(payload: bytes) -> Tunnel:
    """A link as the kernel dumps it. One that is no tunnel has its kind, or none."""
    _family, _type, _index, flags, _change = _HEADER.unpack_from(payload)
    found = dict(attributes(payload[_HEADER.size :]))
    info = dict(attributes(found.get(_LINKINFO, b"")))
    kind = _text(info.get(_KIND, b""))
    data = dict(attributes(info.get(_DATA, b""))) if kind in _ENDS else {}
    ends = [data.get(number, b"") for number in _ENDS.get(kind, ())]
    local, remote = (inet.text(end) if any(end) else "" for end in ends or (b"", b""))
    return Tunnel(_text(found[_NAME]), kind, local, remote, _text(found.get(_ALIAS, b"")), bool(flags & _UP))


class TunnelLinks:
    """The tunnels of a network namespace, and what else has one of the ``names``. A fallback interface that is down and
    has no owner is nobody's."""

    def __init__(self, session: Session, names: Iterable[str], *, force: bool) -> None:
        self._session = session
        self._names = frozenset(names)
        self._force = force
        self._there: list[Tunnel] = []

    def read(self) -> list[Tunnel]:
        payloads = self._session.dump("links", rtnl.RTM_GETLINK, _header())
        links = (decode(payload) for payload in payloads)
        self._there = [
            link
            for link in links
            if (link.kind in FAMILIES or link.name in self._names) and (link.up or link.owner or not link.is_fallback)
        ]
        return self._there

    def check(self, plan: Plan[Tunnel]) -> None:
        """Refuse to change what others made, and tunnels whose packets the host would drop."""
        for before, after in plan.edits():
            if before.kind != after.kind or before.owner != after.owner:
                reason = f"this host has '{before.line}', which is not ours to change. Choose another name."
                raise Refused("name", after.name, reason)
        for new in plan.additions():
            for other in self._there:
                if other.shape == new.shape and other not in plan.removals():
                    reason = f"this host has '{other.line}', and the kernel takes no second tunnel with the same ends."
                    raise Refused("name", new.name, reason)
        carrying = [one.name for one in plan.after if FAMILIES[one.kind] == IPV4]
        if carrying and not self._force and sysctl(_FILTER) != "0":
            reason = (
                f"net.ipv4.conf.all.rp_filter is {sysctl(_FILTER)}{source_of(_FILTER)}, and the larger of it and the "
                "interface's own counts, so that what comes out of the tunnel would be dropped. Set it to 0; then each "
                "interface's own value counts."
            )
            raise Refused("name", carrying[0], reason, override=FORCE)

    def apply(self, plan: Plan[Tunnel]) -> None:
        """Additions, then their owner and state with the edits, then removals. What has the ends of a new one goes in
        one breath with that, and before it."""
        create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
        added, removed = plan.additions(), plan.removals()
        shapes = {new.shape for new in added}
        send(
            self._session,
            (
                # Asking for a fallback interface loads its kernel module, which brings it along.
                [
                    *(_remove(old) for old in removed if old.shape in shapes),
                    *(
                        Step(None, new, Message(rtnl.RTM_NEWLINK, create, _shaped(new)), _there_already(new))
                        for new in added
                    ),
                ],
                [
                    *(Step(None, new, Message(rtnl.RTM_NEWLINK, 0, _named(new))) for new in added),
                    *(Step(old, new, Message(rtnl.RTM_NEWLINK, 0, _edited(old, new))) for old, new in plan.edits()),
                ],
                [_remove(old) for old in removed if old.shape not in shapes],
            ),
        )


def _there_already(new: Tunnel) -> frozenset[int]:
    return frozenset({errno.EEXIST}) if new.is_fallback else frozenset()


def _remove(old: Tunnel) -> Step:
    """A fallback interface cannot be deleted: it goes down."""
    if old.is_fallback:
        return Step(old, None, Message(rtnl.RTM_NEWLINK, 0, _named(old._replace(owner="", up=False))), GONE)
    return Step(old, None, Message(rtnl.RTM_DELLINK, 0, _header() + _name(old)), GONE)


def _edited(old: Tunnel, new: Tunnel) -> bytes:
    changed = (old.local, old.remote) != (new.local, new.remote)
    return _named(new) + (_info(new) if changed else b"")


def _shaped(tunnel: Tunnel) -> bytes:
    return _header() + _name(tunnel) + _info(tunnel)


def _named(tunnel: Tunnel) -> bytes:
    """Its alias, and whether it is up."""
    return _header(_UP if tunnel.up else 0, _UP) + _name(tunnel) + attribute(_ALIAS, tunnel.owner.encode())


def _header(flags: int = 0, changed: int = 0) -> bytes:
    return _HEADER.pack(0, 0, 0, flags, changed)


def _name(tunnel: Tunnel) -> bytes:
    return attribute(_NAME, tunnel.name.encode() + b"\0")


def _info(tunnel: Tunnel) -> bytes:
    ends = zip(_ENDS[tunnel.kind], (tunnel.local, tunnel.remote))
    data = b"".join(attribute(number, inet.packed(address)) for number, address in ends if address)
    kind = attribute(_KIND, tunnel.kind.encode())
    return attribute(_LINKINFO, kind + (attribute(_DATA, data) if data else b""))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
