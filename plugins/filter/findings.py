# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verification asks, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._model import findings, services, values, verification

Entries = Sequence[Mapping[str, Any]]
_VIP_ON_REALSERVER = ("direct", "tunnel")


def verification_packets(entries: Entries, kind: str, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """See verification_packets.yml."""
    declared = services.parse(entries)
    if kind == "router":
        questions = verification.routed_questions(declared, told)
    elif kind == "realserver":
        questions = findings.asked(_with_vip(declared), 0, told["interfaces"], told["sources"])
    else:
        questions = findings.asked(declared, _bit(told), told["interfaces"], told["sources"])
    return [dict(question.packet) for question in questions]


def verification_findings(entries: Entries, kind: str, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """See verification_findings.yml."""
    declared = services.parse(entries)
    if kind == "director":
        found = verification.director(declared, _bit(told), told)
    elif kind == "realserver":
        found = verification.realserver(_with_vip(declared), told)
    elif kind == "router":
        found = verification.router(declared, told)
    else:
        found = verification.client(declared, told["connections"])
    return [one._asdict() for one in found]


def verification_requests(entries: Entries) -> list[dict[str, Any]]:
    """See verification_requests.yml."""
    return [target for _name, target in verification.requests(services.parse(entries)) if target]


def verification_unasked(reasons: Sequence[str], meant: bool = False) -> list[dict[str, Any]]:
    """See verification_unasked.yml."""
    return [verification.unasked(reason, meant)._asdict() for reason in reasons]


def verification_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """See verification_table.yml."""
    return verification.table((str(row["host"]), one) for row in rows for one in row["findings"])


def _with_vip(declared: Sequence[services.Service]) -> list[services.Service]:
    """The services whose VIPs a realserver holds. Every destination is no VIP."""
    held = (
        s.with_vips([vip for vip in s.vips if vip.prefixlen]) for s in declared if s.forwarding in _VIP_ON_REALSERVER
    )
    return [service for service in held if service.vips]


def _bit(told: Mapping[str, Any]) -> int:
    return values.single_bit("delivery_bit", told["delivery_bit"])


def _reported(work: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The filter, with this collection's errors as Ansible's."""

    def wrapped(*arguments: Any, **options: Any) -> list[Any]:
        try:
            return work(*arguments, **options)
        except LvsError as error:
            raise AnsibleFilterError(str(error)) from error

    return wrapped


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., list[Any]]]:
        """What Ansible asks for."""
        return {
            work.__name__: _reported(work)
            for work in (
                verification_findings,
                verification_packets,
                verification_requests,
                verification_table,
                verification_unasked,
            )
        }
