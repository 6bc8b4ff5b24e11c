# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to marks and the table that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import (
    ANY,
    DEFAULT_HOOKS,
    OUTPUT,
    PROTOCOLS,
    Mark,
    Table,
)
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark_overlap import overlap, vip_text

_PORT = re.compile(r"([a-z0-9]+)(?:/([0-9]+)(?:-([0-9]+))?)?")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ONE_FAMILY = {"icmp": values.IPV4, "icmpv6": values.IPV6}


def parse(options: Mapping[str, Any], label: str = "", needs_mark: bool = True) -> list[tuple[str, Mark]]:
    """The marks that one entry of the module's options asks for, one for each combination of VIP, port, source and
    interface, with the VIP's option."""
    if not options["vips"]:
        raise BadInput(label + "vips", options["vips"], "is empty: name at least one VIP.")
    if options["mark"] is None and needs_mark:
        raise BadInput(label + "mark", None, "is missing: say which mark the packets get.")
    mark, mask = values.mark_and_mask(label + "mark", options["mark"] or "0")
    ports = _ports(label + "ports", options["ports"])
    interfaces = _interfaces(label + "iif", options.get("iif"))
    sources = _sources(label + "sources", options.get("sources"))
    found: list[tuple[str, Mark]] = []
    for place, text in enumerate(options["vips"]):
        option = f"{label}vips[{place}]"
        vip, family = _vip(option, text)
        for port in ports:
            if _ONE_FAMILY.get(port, family) != family:
                raise BadInput(label + "ports", port, f"cannot go with {vip}, which is of the other family.")
        if sources is not None and family not in sources:
            raise BadInput(option, vip, f"is {values.FAMILY_NAMES[family]}, and none of the sources is.")
        fitting = sources[family] if sources is not None else [""]
        found.extend(
            (option, Mark(family, vip, port, mark, mask, "", iif, source))
            for port in ports
            for iif in interfaces
            for source in fitting
        )
    unused = set(sources or ()) - {mark.family for _option, mark in found}
    if sources and unused:
        source = sources[unused.pop()][0]
        raise BadInput(label + "sources", source, "is of a family that none of the VIPs is of.")
    return found


def table(params: Mapping[str, Any], marks: Sequence[tuple[str, Mark]]) -> Table:
    """The table with what is asked of it as a whole."""
    name, hooks, macs = values.nft_table("table", params["table"]), params["hooks"], params["exclude_macs"]
    if hooks is not None and not hooks:
        raise BadInput("hooks", hooks, "is empty: name at least one hook.")
    for option, mark in marks:
        entry = option.rpartition("vips")[0]
        if hooks == [OUTPUT] and mark.iif:
            raise BadInput(f"{entry}iif", mark.iif, "is nothing that packets in hook output have.")
        if params["new_connections"] and not mark.mark:
            raise BadInput(f"{entry}mark", hex(mark.mark), "cannot be saved for a connection: none saved is 0 as well.")
    return Table(
        name,
        # In the order of a packet's way.
        tuple(hook for hook in (*DEFAULT_HOOKS, OUTPUT) if hook in hooks) if hooks is not None else None,
        params["new_connections"],
        tuple(sorted({_mac(f"exclude_macs[{i}]", mac) for i, mac in enumerate(macs)})) if macs is not None else None,
    )


def refuse_overlaps(labelled: Sequence[tuple[str, Mark]]) -> None:
    """Raise BadInput where two marks claim the same packets: which of them counts would be left to chance."""
    pair = overlap([mark for _label, mark in labelled])
    if pair:
        (first_label, first), (second_label, second) = (labelled[place] for place in pair)
        raise BadInput(second_label, second.line, f"overlaps {first_label}: {first.line!r}.")


def _vip(option: str, text: str) -> tuple[str, int]:
    network = values.network(option, text)
    return vip_text(network), values.family_of(network)


def _sources(option: str, texts: Sequence[str] | None) -> dict[int, list[str]] | None:
    """By family. None where every source is meant; a prefix of length 0 is one that says so."""
    if texts is None:
        return None
    if not texts:
        raise BadInput(option, texts, "is empty: name sources, or leave it out for all.")
    found: dict[int, list[str]] = {}
    for place, text in enumerate(texts):
        source, family = _vip(f"{option}[{place}]", text)
        found.setdefault(family, []).append(source)
    return found


def _interfaces(option: str, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [""]
    if not names:
        raise BadInput(option, names, "is empty: name interfaces, or leave it out for all.")
    return [values.interface(f"{option}[{place}]", name) for place, name in enumerate(names)]


def _mac(option: str, text: str) -> str:
    found = text.lower().replace("-", ":")
    if not _MAC.fullmatch(found):
        raise BadInput(option, text, "is not a MAC address such as 52:54:00:12:34:56.")
    return found


def _ports(option: str, texts: Sequence[str] | None) -> list[str]:
    if not texts:
        raise BadInput(option, texts, f"{'is missing' if texts is None else 'is empty'}: name ports, or {ANY}.")
    if ANY in texts and len(texts) > 1:
        raise BadInput(option, texts, f"names ports beside {ANY}, which is all of them.")
    return [_port(f"{option}[{place}]", text) for place, text in enumerate(texts)]


def _port(option: str, text: str) -> str:
    """Canonical text of a protocol, a port or a range of ports."""
    if text == ANY:
        return ANY
    match = _PORT.fullmatch(text)
    if not match or (not match[1].isdigit() and match[1] not in PROTOCOLS):
        raise BadInput(
            option, text, f"is not {ANY}, nor a protocol such as icmp, nor a port such as tcp/80 or udp/4000-4999."
        )
    protocol = match[1]
    if protocol.isdigit():
        protocol = values.name_of(PROTOCOLS, values.number(option, protocol, 0, 255))
    if match[2] is None:
        return protocol
    if protocol not in values.TRANSPORTS:
        raise BadInput(option, text, f"names a port, which {protocol} does not have.")
    low = int(match[2])
    high = int(match[3] or low)
    if not 1 <= low <= 65535 or not 1 <= high <= 65535:
        raise BadInput(option, text, "names a port that is not between 1 and 65535.")
    if low > high:
        raise BadInput(option, text, "ends before it starts.")
    return f"{protocol}/{values.range_text(low, high)}"
