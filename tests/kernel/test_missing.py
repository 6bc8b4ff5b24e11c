"""A host that lacks something gets one clear sentence, and nothing is changed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing
from namespace import Namespace, call, without_net_admin

CALLS: dict[str, dict[str, Any]] = {
    "ip_rule": {"family": "ipv4", "priority": 100, "to": "203.0.113.10", "table": "100"},
    "ip_local_route": {"prefixes": ["203.0.113.10"]},
    "ip_address": {"prefixes": ["203.0.113.10"]},
}
# Python takes None in sys.modules for a module that cannot be imported.
_WITHOUT_PYROUTE2 = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
sys.modules["pyroute2"] = None
from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing
from namespace import call
try:
    call(sys.argv[2], **json.loads(sys.argv[3]))
except Missing as error:
    print(error)
"""


def state(netns: Namespace) -> list[Any]:
    return [netns.ip_json(what) for what in ("rule show", "route show table all", "address show")]


@pytest.mark.parametrize("module", CALLS)
def test_without_pyroute2(netns: Namespace, module: str) -> None:
    before = state(netns)
    program = [sys.executable, "-c", _WITHOUT_PYROUTE2, json.dumps(sys.path), module, json.dumps(CALLS[module])]
    said = netns.run(*program)
    assert said.startswith("The Python library pyroute2 (0.7.2 or newer) cannot be imported on this host: ")
    assert "install the package python3-pyroute2" in said
    assert state(netns) == before


@pytest.mark.parametrize("module", CALLS)
def test_without_net_admin(netns: Namespace, module: str) -> None:
    before = state(netns)
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match=r"CAP_NET_ADMIN.*become: true"):
        call(module, **CALLS[module])
    assert state(netns) == before
