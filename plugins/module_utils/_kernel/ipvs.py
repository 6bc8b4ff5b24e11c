# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPVS services of a network namespace, over generic netlink (net/netfilter/ipvs/ip_vs_ctl.c)."""

from __future__ import annotations

import errno
from collections.abc import Callable

from ansible_collections.lvs.vipless.plugins.module_utils._errors import KernelError, Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import genl, ipvs_codec, ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.apply import ALREADY, GONE, Step, send
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Message, Session, attribute
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, Entry, Service, ServiceId
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_report import Listed
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan

VERSION = 1
# IPVS_CMD_…_SERVICE; the same for destinations follow in the same order.
_NEW, _SET, _DELETE, _GET = 1, 2, 3, 4
_TO_DESTINATION = 4
# IPVS_CMD_ATTR_…
_SERVICE, _DESTINATION = 1, 2

NEED = "even reading IPVS needs"


class Family:
    """The netlink family of a loaded ip_vs."""

    def __init__(self, session: Session) -> None:
        """Loads ip_vs where it is not loaded: the kernel does that when it is asked for the family."""
        self._session = session
        self._number = resolve(session)

    def services(self) -> list[bytes]:
        """The attributes of every service."""
        payloads = self._session.dump("IPVS services", self._number, genl.request(_GET, VERSION))
        return [value for payload in payloads for number, value in genl.contents(payload) if number == _SERVICE]

    def destinations(self, service: bytes) -> list[bytes]:
        """The attributes of every destination of the service with these attributes; of one that is gone, none."""
        body = genl.request(_GET + _TO_DESTINATION, VERSION, attribute(_SERVICE, service))
        payloads = self._session.dump("IPVS destinations", self._number, body)
        return [value for payload in payloads for number, value in genl.contents(payload) if number == _DESTINATION]

    def write(self, command: int, entry: Entry) -> Message:
        """An addition or an edit, with the whole record. The kernel edits in place, so that connections stay."""
        if isinstance(entry, Service):
            return self._message(command, ipvs_codec.encode_service(entry))
        return self._message(command, ipvs_codec.encode_id(entry.service), ipvs_codec.encode_destination(entry))

    def removal(self, entry: Entry) -> Message:
        """A deletion, which takes the identity alone."""
        if isinstance(entry, Service):
            return self._message(_DELETE, ipvs_codec.encode_id(entry.id))
        return self._message(_DELETE, ipvs_codec.encode_id(entry.service), ipvs_codec.encode_destination_id(entry))

    def _message(self, command: int, service: bytes, destination: bytes = b"") -> Message:
        data = attribute(_SERVICE, service)
        if destination:
            command += _TO_DESTINATION
            data += attribute(_DESTINATION, destination)
        return Message(self._number, 0, genl.request(command, VERSION, data))


class ServiceTable:
    """The services of a network namespace with their destinations, as far as ``in_scope`` says."""

    def __init__(self, session: Session, in_scope: Callable[[ServiceId], bool]) -> None:
        self._session = session
        self._in_scope = in_scope

    def read(self) -> list[Entry]:
        """Destinations first, as they go first. A kernel that never loaded ip_vs holds nothing."""
        require_net_admin(NEED)
        if not ipvs_modules.loaded():
            return []
        family, decode = Family(self._session), ipvs_codec.Destinations().decode
        # Under concurrent change the kernel's dump can repeat one, in two states.
        dumped = {(service := ipvs_codec.decode_service(data)).id: (service, data) for data in family.services()}
        services = [dumped[identity] for identity in sorted(filter(self._in_scope, dumped))]
        destinations: list[Entry] = []
        for service, data in services:
            found = [decode(service.id, one) for one in family.destinations(data)]
            destinations += sorted({entry.key: entry for entry in found}.values())
        return [*destinations, *(service for service, _data in services)]

    def check(self, plan: Plan[Entry]) -> None:
        """Nothing here can cut the host off."""

    def apply(self, plan: Plan[Entry]) -> None:
        """Services added and edited, then destinations; destinations removed, then services."""
        family = Family(self._session)

        def writes(kind: type[Entry]) -> list[Step]:
            added, edited = plan.additions(), plan.edits()
            return [
                *(Step(None, new, family.write(_NEW, new), ALREADY) for new in added if isinstance(new, kind)),
                *(Step(old, new, family.write(_SET, new)) for old, new in edited if isinstance(new, kind)),
            ]

        def removals(kind: type[Entry]) -> list[Step]:
            gone = (old for old in plan.removals() if isinstance(old, kind))
            return [Step(old, None, family.removal(old), GONE) for old in gone]

        send(self._session, (writes(Service), writes(Destination), removals(Destination), removals(Service)))


def read_all(session: Session) -> list[Listed]:
    """Every service with its destinations and their counters. Loads ip_vs, so look first whether it is loaded."""
    require_net_admin(NEED)
    family = Family(session)
    found = []
    for data in family.services():
        service = ipvs_codec.decode_service(data)
        destinations = [
            (ipvs_codec.decode_destination(service.id, one), ipvs_codec.decode_destination_counters(one))
            for one in family.destinations(data)
        ]
        destinations.sort(key=lambda pair: pair[0])
        found.append(Listed(service, ipvs_codec.decode_service_counters(data), destinations))
    return sorted(found, key=lambda listed: listed.service.id)


def resolve(session: Session) -> int:
    try:
        return genl.resolve(session, "IPVS")
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
    said = ipvs_modules.load()
    try:
        return genl.resolve(session, "IPVS")
    except KernelError as error:
        why = said or error.text or str(error)
        raise Missing(f"ip_vs cannot be loaded: {why}.", "make 'modprobe ip_vs' work on this host.") from None
