"""Two states of a thousand objects for each module that keeps many, and what the kernel's tools show of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from killing import POINTS
from namespace import Namespace

COUNT = 1000
FEWER_POINTS = 16


class States(NamedTuple):
    """``first`` and ``second`` share half of their objects, some of which differ: each way there are additions, edits
    and removals. ``shown`` gives what the namespace holds of a module's making, as text that can be compared, and
    ``points`` is how often a run is killed, which is less where the kernel takes its time."""

    module: str
    first: dict[str, Any]
    second: dict[str, Any]
    shown: Callable[[Namespace], list[str]]
    points: int = POINTS


def address(place: int) -> str:
    """Half of each family; of each, half even places."""
    return f"198.18.{place >> 8}.{place & 255}" if place & 2 else f"2001:db8:f::{place:x}"


def _rules(places: range, table: str) -> dict[str, Any]:
    rules = [
        {"priority": 100 + place % 7, "to": address(place), "table": table if place % 2 else "100"} for place in places
    ]
    return {"rules": rules, "purge": True}


def _routes(places: range, kind: str) -> dict[str, Any]:
    even = [address(place) for place in places if place % 2 == 0]
    odd = [address(place) for place in places if place % 2]
    routes = [
        {"prefixes": even, "table": "100"},
        {"prefixes": odd, "table": "100", "type": kind},
    ]
    return {"routes": routes, "purge": True}


def _marks(places: range, mark: str) -> dict[str, Any]:
    marks = [
        {"vips": [address(place) for place in places if place % 2 == 0], "ports": ["tcp/80"], "mark": "0x1"},
        {"vips": [address(place) for place in places if place % 2], "ports": ["any"], "mark": mark},
    ]
    return {"marks": marks, "purge": True}


def _neighbors(places: range, mac: str) -> dict[str, Any]:
    entries = [
        {"address": address(place), "device": "v0", "mac": mac if place % 2 else "02:00:5e:10:00:01"}
        for place in places
    ]
    return {"neighbors": entries, "purge": True}


def _addresses(places: range, scope: str) -> dict[str, Any]:
    """Of IPv4, half in another scope; an IPv6 address has none to change, but a length."""
    v4, v6 = ([address(place) for place in places if bool(place & 2) == kind] for kind in (True, False))
    length = {"global": 128, "link": 64}[scope]
    addresses = [
        {"prefixes": v4[::2], "device": "v1", "scope": scope},
        {"prefixes": v4[1::2], "device": "v1"},
        {"prefixes": [f"{one}/{length}" for one in v6], "device": "v1"},
    ]
    return {"addresses": addresses, "purge": True}


def _shown_rules(netns: Namespace) -> list[str]:
    return _owned(netns, "rule show")


def _shown_routes(netns: Namespace) -> list[str]:
    return _owned(netns, "route show table all")


def _shown_neighbors(netns: Namespace) -> list[str]:
    return _owned(netns, "neighbour show nud permanent")


def _shown_addresses(netns: Namespace) -> list[str]:
    (link,) = netns.ip_json("address show dev v1")
    return _sorted({**one, "label": ""} for one in link["addr_info"])


def _owned(netns: Namespace, listing: str) -> list[str]:
    found = [one for family in ("-4", "-6") for one in netns.ip_json(f"{family} {listing}")]
    return _sorted(one for one in found if one.get("protocol") == "117")


def _shown_marks(netns: Namespace) -> list[str]:
    listed = json.loads(netns.run("nft", "--json", "list", "ruleset"))["nftables"]
    maps = [item["map"] for item in listed if "map" in item]
    return _sorted(element for found in maps for element in found.get("elem", []))


def _sorted(objects: Any) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in objects)


_FIRST, _SECOND = range(COUNT), range(COUNT // 2, COUNT + COUNT // 2)

STATES = {
    "rules": States("ip_rule", _rules(_FIRST, "101"), _rules(_SECOND, "102"), _shown_rules),
    "routes": States("ip_local_route", _routes(_FIRST, "blackhole"), _routes(_SECOND, "prohibit"), _shown_routes),
    "neighbors": States(
        "static_neighbor",
        _neighbors(_FIRST, "02:00:5e:10:00:02"),
        _neighbors(_SECOND, "02:00:5e:10:00:03"),
        _shown_neighbors,
        FEWER_POINTS,
    ),
    "addresses": States(
        "ip_address", _addresses(_FIRST, "global"), _addresses(_SECOND, "link"), _shown_addresses, FEWER_POINTS
    ),
    "marks": States("fwmark", _marks(_FIRST, "0x2"), _marks(_SECOND, "0x3/0xff"), _shown_marks),
}
