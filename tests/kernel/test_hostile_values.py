"""Any text in any option: it is taken, or refused by an error that names option and value; nothing else happens."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.modules import (
    delivery_info,
    fwmark,
    ip_address,
    ip_local_route,
    ip_rule,
    static_neighbor,
    sysctl,
)
from namespace import Namespace

HOSTILE = [
    *("", " ", "\n", "-", "--", "/", "::/-1", "1.2.3.4/33", "::1/129", "256.1.1.1", "1.2.3", "01.2.3.4"),
    *("-1", "0x", "0x1/", "0x1/0x0/0x1", "99999999999999999999", "1-", "5-4", "65536", "None", "null", "true"),
    *("a" * 300, "eth0; reboot", "$(reboot)", "../../etc", "*", "a\x00b", "{{ x }}", '"', "\u202e"),
]
# Each with a whole set of options, one of which is replaced.
WHOLE: dict[str, tuple[Any, dict[str, Any]]] = {
    "ip_rule": (
        ip_rule,
        {"priority": 100, "from": "10.9.0.0/16", "to": "203.0.113.10", "iif": "v0", "fwmark": "1/1", "table": "100"},
    ),
    "ip_local_route": (ip_local_route, {"prefixes": ["203.0.113.10"], "table": "100", "device": "lo"}),
    "fwmark": (fwmark, {"vips": ["203.0.113.10"], "ports": ["tcp/80"], "mark": "1", "sources": ["10.9.0.0/16"]}),
    "ip_address": (ip_address, {"prefixes": ["203.0.113.10"], "device": "lo"}),
    "static_neighbor": (static_neighbor, {"address": "10.0.0.9", "device": "v0", "mac": "02:00:00:00:00:01"}),
    "sysctl": (sysctl, {"values": {"net.ipv4.conf.v0.arp_ignore": 1}}),
    "delivery_info": (delivery_info, {"destination": "203.0.113.10", "source": "10.9.0.1", "iif": "v0"}),
}
CASES = [
    (name, option)
    for name, (module, _whole) in WHOLE.items()
    for option, spec in module.SPEC.to_kwargs()["argument_spec"].items()
    # A file is tried on its own, goto goes with no table, and objects in a list have the options of one.
    if option not in ("file", "goto")
    and spec.get("elements") != "dict"
    and "choices" not in spec
    and spec.get("type") != "bool"
]


@pytest.mark.parametrize(("name", "option"), CASES, ids=["-".join(case) for case in CASES])
def test_is_taken_or_refused_by_name(netns: Namespace, name: str, option: str) -> None:
    module, whole = WHOLE[name]
    kind = module.SPEC.to_kwargs()["argument_spec"][option].get("type", "str")
    before = _shown(netns)
    refusals = {}
    for value in HOSTILE:
        given = [value] if kind == "list" else {value: 1} if kind == "dict" else value
        # Ansible's own refusals are ValueError here, as the test's validation raises them.
        try:
            netns.call(name, check=True, **{**whole, option: given})
        except (LvsError, ValueError) as error:
            refusals[value] = str(error)
    assert _shown(netns) == before
    assert refusals
    assert not [message for value, message in refusals.items() if not _names(message, option, value)]


def _names(message: str, option: str, value: str) -> bool:
    shown = value in message or repr(value) in message or repr(value)[1:-1] in message or not value.strip()
    return re.search(rf"\b{option}\b", message) is not None and shown


def _shown(netns: Namespace) -> str:
    return netns.ip("rule show") + netns.ip("route show table all")
