# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VIPs that are local to a host for IPVS alone: what IPVS does not take is refused, so that the host's own daemons
do not answer there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Union

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark_overlap import vip_text
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired


class Vip(NamedTuple):
    """An address or a prefix that is guarded. The kernel may hold a range, which we never write."""

    family: int
    vip: str

    @property
    def key(self) -> Hashable:
        """Identity: the addresses."""
        return self

    @property
    def line(self) -> str:
        return f"{values.FAMILY_NAMES[self.family]} vip {self.vip}"


@dataclass(frozen=True)
class Table:
    """The table itself. A packet with one of the bits of ``mask`` in its firewall mark is IPVS's; ``damage`` names the
    parts that are missing or altered."""

    name: str
    mask: int
    damage: tuple[str, ...] = ()

    @property
    def key(self) -> Hashable:
        """Identity: the name, which is no VIP's."""
        return ("table", self.name)

    @property
    def line(self) -> str:
        damaged = f" (damaged: {', '.join(self.damage)})" if self.damage else ""
        return f"table inet {self.name} refuses what has no bit of {self.mask:#x}{damaged}"


Entry = Union[Vip, Table]


def parse(params: Mapping[str, Any]) -> tuple[Table, list[Vip]]:
    """The table and the VIPs that the options ask for."""
    present = params["state"] == "present"
    if present and params["vips"] is None:
        raise BadInput("vips", None, "is missing: say which VIPs are to be guarded.")
    table = Table(
        values.nft_table("table", params["table"]), values.number("mask", params["mask"], 1, values.FULL_MASK)
    )
    return table, [
        Vip(values.family_of(one), vip_text(one))
        for one in values.outermost(_network(f"vips[{i}]", text) for i, text in enumerate(params["vips"] or []))
    ]


def desired(table: Table, vips: Sequence[Vip], present: bool) -> Desired[Entry]:
    """The table with exactly these VIPs. Without any, it is not needed."""
    wanted: list[Entry] = [table, *vips] if present and vips else []
    return Desired(wanted, lambda _found: True)


def _network(option: str, text: str) -> values.Network:
    network = values.network(option, text)
    if network.prefixlen == 0:
        raise BadInput(option, text, "is every address: the host would refuse what is meant for its own.")
    return network
