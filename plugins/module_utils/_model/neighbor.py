# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the neighbour tables: permanent ones, and addresses to answer for (ip-neighbour(8))."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, values

_MAC = re.compile(r"[0-9a-f]{2}(?P<between>[:-])(?:[0-9a-f]{2}(?P=between)){4}[0-9a-f]{2}")
_NO_HOST = re.compile(r"0\.|127\.|22[4-9]\.|23\d\.|255\.255\.255\.255$|::1?$|ff\w\w:")
"""Unspecified, loopback, multicast and broadcast addresses, in canonical text."""
_NOBODY = "00:00:00:00:00:00"


class Neighbor(NamedTuple):
    """One entry. A proxy entry has no ``mac``; ``lasting`` is false for what the kernel learned by itself."""

    family: int
    address: str
    device: str
    proxy: bool
    mac: str
    protocol: int
    lasting: bool = True

    @property
    def key(self) -> Hashable:
        """Identity: family, address, device, and which of the two tables."""
        return self[:4]

    @property
    def line(self) -> str:
        """As ``ip neighbour show`` writes it, with the family in front."""
        words = [values.FAMILY_NAMES[self.family], *(["proxy"] if self.proxy else []), self.address, "dev", self.device]
        if not self.proxy:
            words += ["lladdr", self.mac, "permanent" if self.lasting else "learned"]
        words += ["proto", str(self.protocol)] if self.protocol else []
        return " ".join(words)


def parse(options: Mapping[str, Any], label: str, present: bool) -> list[tuple[str, Neighbor]]:
    """The entries that the module's options ask for, each with what names it in a message. One that is to go needs no
    MAC."""
    addresses = _addresses(options["address"], label)
    if options["device"] is None:
        raise BadInput(label + "device", None, "is missing: name the interface.")
    device = values.interface(label + "device", options["device"])
    if device == "lo":
        raise BadInput(label + "device", device, "has no neighbours.")
    proxy, mac = options["proxy"], options["mac"]
    if proxy and mac is not None:
        raise BadInput(label + "mac", mac, "cannot go with proxy: the host answers with its own.")
    if present and not proxy and mac is None:
        raise BadInput(label + "mac", None, "is missing: give the neighbour's MAC, or proxy: true.")
    protocol = values.owner(label + "protocol", options["protocol"])
    mac = _mac(label + "mac", mac) if mac is not None else ""
    return [(name, Neighbor(*address, device, proxy, mac, protocol)) for name, address in addresses]


def _addresses(texts: Sequence[str], label: str) -> list[tuple[str, tuple[int, str]]]:
    """Family and address of each, with what names its entry: the address, where there are several."""
    if not texts:
        raise BadInput(label + "address", texts, "is empty: name at least one address.")
    found = []
    for place, text in enumerate(texts):
        option = f"{label}address[{place}]" if len(texts) > 1 else f"{label}address"
        family, address = plain.address(option, text)
        if _NO_HOST.match(address):
            raise BadInput(option, address, "is not the address of one host on a link.")
        found.append((option if len(texts) > 1 else label, (family, address)))
    return found


def _mac(option: str, text: str) -> str:
    """A MAC of one network card, in lower case and with colons."""
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise BadInput(option, text, "is not a MAC of six bytes such as 02:00:5e:10:00:01.")
    mac = mac.replace("-", ":")
    # The lowest bit of the first byte says that it is a group's, as it is in ff:ff:ff:ff:ff:ff (IEEE 802).
    if mac == _NOBODY or int(mac[:2], 16) & 1:
        raise BadInput(option, text, "is the MAC of nobody or of a group, not of one network card.")
    return mac
