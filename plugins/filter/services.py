# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration lvs_services, in the words of each module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._model import declared_ipvs, services, values

Entries = Sequence[Mapping[str, Any]]


def _reported(work: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The filter, with this collection's errors as Ansible's."""

    def wrapped(entries: Entries, *arguments: Any, **options: Any) -> list[Any]:
        try:
            return work(entries, *arguments, **options)
        except LvsError as error:
            raise AnsibleFilterError(str(error)) from error

    return wrapped


def fwmark_entries(
    entries: Entries, delivery_bit: int | str, interfaces: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """See fwmark_entries.yml."""
    return services.marked(services.parse(entries), _bit(delivery_bit), interfaces)


def ipvs_services(entries: Entries, delivery_bit: int | str) -> list[dict[str, Any]]:
    """See ipvs_services.yml."""
    declared = services.parse(entries)
    declared_ipvs.require_sound(declared)
    return services.balanced(declared, _bit(delivery_bit))


def vips(entries: Entries, forwarding: Sequence[str] = services.FORWARDING, *, outermost: bool = False) -> list[str]:
    """See vips.yml."""
    found = (service for service in services.parse(entries) if service.forwarding in forwarding)
    return services.vip_prefixes(found, outermost=outermost)


def realservers(entries: Entries) -> list[str]:
    """See realservers.yml."""
    return services.realserver_addresses(services.parse(entries))


def replies(entries: Entries, gateways: Sequence[str], addresses: Sequence[str] = ()) -> list[dict[str, Any]]:
    """See replies.yml."""
    return services.replies(services.parse(entries), gateways, addresses)


def packets(
    entries: Entries, delivery_bit: int | str, interfaces: Sequence[str], sources: Sequence[str]
) -> list[dict[str, Any]]:
    """See packets.yml."""
    return services.packets(services.parse(entries), _bit(delivery_bit), interfaces, sources)


def _bit(delivery_bit: int | str) -> int:
    return values.single_bit("delivery_bit", delivery_bit)


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., list[Any]]]:
        """What Ansible asks for."""
        works = (fwmark_entries, ipvs_services, packets, replies, vips, realservers)
        return {work.__name__: _reported(work) for work in works}
