# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a host answers ARP, and which address it asks as (Documentation/networking/ip-sysctl.rst)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import RUNTIME, Setting

CONF = "net/ipv4/conf"
"""Where the parameters of each interface lie, and those of ALL."""
ALL = "all"
LEVELS = {"arp_ignore": (0, 1, 2, 3, 8), "arp_announce": (0, 1, 2)}
"""The parameters and their levels. The kernel takes the arp_ignore levels 4 to 7 too, and answers everything then."""

Levels = Mapping[str, int]


def settings(interfaces: Sequence[str], asked: Levels) -> list[tuple[str, Setting]]:
    """The parameters to set, each with the name of the option that names its interface."""
    if not interfaces:
        raise BadInput("interfaces", interfaces, f"is empty: name at least one interface, or {ALL}.")
    return [
        (option, Setting(RUNTIME, f"{CONF}/{values.interface(option, name)}/{key}", str(level)))
        for option, name in labelled(interfaces)
        for key, level in asked.items()
    ]


def refuse_others(options: Mapping[str, Any]) -> None:
    """The options of method nftables have no meaning beside levels."""
    for name in ("vips", "source"):
        if options[name] is not None:
            raise BadInput(name, options[name], "goes with method nftables.")


def labelled(interfaces: Sequence[str]) -> list[tuple[str, str]]:
    """The names with their places in the option."""
    return [(f"interfaces[{place}]", name) for place, name in enumerate(interfaces)]


def with_settings(held: Mapping[str, Levels], wanted: Iterable[Setting]) -> dict[str, dict[str, int]]:
    """The levels of every interface once the settings are made."""
    levels = {name: dict(own) for name, own in held.items()}
    for setting in wanted:
        _conf, name, key = setting.name.rsplit("/", 2)
        levels.setdefault(name, {})[key] = int(setting.value)
    return levels


def effective(levels: Mapping[str, Levels]) -> dict[str, dict[str, int]]:
    """What counts on each interface: the larger of its own level and that of ALL (IN_DEV_MAXCONF, inetdevice.h)."""
    return {
        name: {key: max(own[key], levels[ALL][key]) for key in own}
        for name, own in sorted(levels.items())
        if name != ALL
    }


def differing(interfaces: Sequence[str], levels: Mapping[str, Levels], asked: Levels) -> list[str]:
    """A sentence for each level that counts on one of the interfaces and is not the one asked for."""
    return [
        f"{name}: {key} is {level} in effect and not {asked[key]}, because "
        f"{ALL if level == levels[ALL][key] else 'the interface itself'} has {level} and the larger of the two counts."
        for name, counting in effective(levels).items()
        if name in interfaces or ALL in interfaces
        for key, level in counting.items()
        if level != asked[key]
    ]
