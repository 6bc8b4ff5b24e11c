"""A run that is killed leaves nothing that the next one does not mend."""

from __future__ import annotations

from typing import Any

from tool import ipvsadm

from killing import run_killed, run_whole
from namespace import Namespace

POINTS = 16
"""As many as an emulated guest has the time for; the other kinds of objects are killed natively."""
SERVICES = 333
"""With two destinations each, a thousand objects."""


def _services(places: range, weight: int) -> dict[str, Any]:
    services = [
        {
            "vip": f"198.18.{place >> 8}.{place & 255}",
            "protocol": "tcp",
            "port": 80,
            "destinations": [{"address": "10.0.0.11", "weight": weight}, {"address": f"10.0.1.{weight}"}],
        }
        for place in places
    ]
    return {"services": services, "purge": True}


def test_next_run_converges(netns: Namespace) -> None:
    targets = [_services(range(SERVICES), 1), _services(range(SERVICES // 2, SERVICES * 3 // 2), 2)]
    wanted = []
    for target in targets:
        netns.call("ipvs_service", **target)
        wanted.append(_shown(netns))
    whole = run_whole(netns, "ipvs_service", targets[0])

    partly = 0
    for point in range(POINTS):
        place = (point + 1) % 2
        run_killed(netns, "ipvs_service", targets[place], whole, while_it_writes=point % 4 < 2)
        partly += _shown(netns) not in wanted
        netns.call("ipvs_service", **targets[place])
        assert _shown(netns) == wanted[place]
    assert not netns.call("ipvs_service", **targets[place])["changed"]
    assert partly > 0


def _shown(netns: Namespace) -> list[str]:
    return sorted(ipvsadm(netns, "-Sn").splitlines())
