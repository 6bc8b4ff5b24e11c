# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to a change, so that it can be put back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import address, boot_unit, sysctl, undo_script, values

_LONGEST_SECONDS = 24 * 3600
_GUARDS = {"arp_table": "arp", "guard_table": "inet"}


class Owned(NamedTuple):
    """What belongs to the change. ``fwmarks`` are the mark and the mask of the IPVS services, mask 0 for none.

    ``addresses`` are keys as the script compares them. They may grow from one run to the next, and so may ``sysctls``
    and ``paths``: what a later run adds, an earlier one has not touched.
    """

    protocol: int
    guards: tuple[str, ...]
    marks: str
    fwmarks: tuple[int, int]
    unit: str
    addresses: tuple[str, ...]
    sysctls: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def tables(self) -> list[str]:
        """All tables of nftables."""
        return [name for name in (*self.guards, self.marks) if name]

    @property
    def claims(self) -> set[str]:
        """What no other undoing may put back while this one waits."""
        services = [f"services of mark {self.fwmarks[0]:#x}/{self.fwmarks[1]:#x}"] if self.fwmarks[1] else []
        unit = [f"unit {self.unit}"] if self.unit else []
        return {f"protocol {self.protocol}", *(f"table {name}" for name in self.tables), *services, *unit}

    @property
    def script(self) -> str:
        return undo_script.text(self.protocol, self.guards, self.marks, self.fwmarks, self.unit)


def name(option: str, text: str) -> str:
    """A name that a unit and a folder can have, or BadInput."""
    boot_unit.unit_name(option, text)
    return text


def timer(named: str) -> str:
    """The systemd unit of a name, without its suffix. No boot unit begins so."""
    return f"undo-lvs-vipless-{named}"


def seconds(option: str, value: int) -> int:
    """How long to wait for the controller."""
    return values.number(option, value, 1, _LONGEST_SECONDS)


def parse(params: Mapping[str, Any]) -> Owned:
    """What the options name."""
    unit = params["unit"]
    files = [_file(f"files[{place}]", path) for place, path in enumerate(params["files"])]
    guards = [f"{family} {_table(params, key)}" for key, family in _GUARDS.items() if params[key] is not None]
    return Owned(
        protocol=values.owner("protocol", params["protocol"]),
        guards=tuple(guards),
        marks=f"inet {_table(params, 'mark_table')}" if params["mark_table"] is not None else "",
        fwmarks=_fwmarks(params["fwmarks"]),
        unit=boot_unit.unit_name("unit", unit) if unit is not None else "",
        addresses=tuple(key for place, one in enumerate(params["addresses"]) for key in _addresses(place, one)),
        sysctls=tuple(sysctl.path_of("sysctls", key) for key in params["sysctls"]),
        paths=(*files, *(boot_unit.paths(unit) if unit is not None else [])),
    )


def address_key(prefix: str, device: str) -> str:
    """An address as the script knows it again."""
    return f"{prefix} {device}"


def address_keys(lines: Sequence[str]) -> list[str]:
    """Those of a boot file, whose owner older versions of ip could not write."""
    words = [line.split() for line in lines]
    return [address_key(found[3], found[found.index("dev") + 1]) for found in words]


def late(named: str, when: str, complete: bool) -> str:
    """What to say to a controller that comes after the change was undone."""
    rest = "" if complete else " Not everything could be put back."
    return (
        f"name: '{named}' cannot be confirmed: the changes were undone at {when}; the controller did not come back in"
        f" time. So was now what ran after that.{rest} 'journalctl -u {timer(named)}' on this host says what was done."
        " Run the play again, with a longer timeout where it was too short."
    )


def taken_over(named: str, remaining: int) -> str:
    """What to say to a controller whose timer another run has armed anew."""
    return (
        f"another run has armed '{named}' since: what this one changed is undone with the rest in {remaining}"
        " seconds, unless that one confirms it. Wait for it, and run the play again."
    )


def _table(params: Mapping[str, Any], option: str) -> str:
    return values.nft_table(option, params[option])


def _fwmarks(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 0
    mark, mask = values.mark_and_mask("fwmarks", text)
    if not mark:
        raise BadInput("fwmarks", text, "names no bit by which a service could be known.")
    return mark, mask


def _addresses(place: int, options: Mapping[str, Any]) -> list[str]:
    asked = {**options, "scope": None, "protocol": values.OWN_PROTOCOL}
    if not options["prefixes"]:
        return []
    return [address_key(found.prefix, found.device) for _option, found in address.parse(asked, f"addresses[{place}].")]


def _file(option: str, path: str) -> str:
    found = boot_unit.sysctl_file(option, path)
    if not found or found != path or {"..", "."} & set(path.split("/")) or path.endswith("/") or "//" in path:
        raise BadInput(option, path, "is not the absolute path of a file.")
    return found
