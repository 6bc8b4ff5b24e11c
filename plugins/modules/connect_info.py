#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: connect_info
short_description: Open a connection to each of many services, and close it again
version_added: 0.1.0
description:
  - Connects by TCP to all of them at once, and tells which took the connection, after how long, and why the others did
    not. One call takes no longer than the slowest of them.
  - Nothing is sent over the connections. Nothing changes on this host.
author:
  - lvs.vipless contributors (@lvs-vipless)
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  targets:
    description: Where to connect to.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: IPv4 or IPv6 address.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
  seconds:
    description: How long to wait for those that do not answer.
    type: float
    default: 5.0
"""

EXAMPLES = r"""
- name: Ask each service once, as a client
  lvs.vipless.connect_info:
    targets:
      - {address: 203.0.113.10, port: 80}
      - {address: "2001:db8:f::10", port: 80}
    seconds: 2
  register: asked

- name: All answered
  ansible.builtin.assert:
    that: asked | lvs.vipless.query('connections[?!connected]') == []
    fail_msg: "{{ asked | lvs.vipless.query('connections[?!connected].[address, reason][]') | join(' ') }}"
"""

RETURN = r"""
connections:
  description: What became of each, in the order of O(targets).
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: Its address.
      returned: always
      type: str
    port:
      description: Its port.
      returned: always
      type: int
    connected:
      description: Whether the connection was taken.
      returned: always
      type: bool
    seconds:
      description: After how long, or null.
      returned: always
      type: float
    reason:
      description: Why not, or null.
      returned: always
      type: str
      sample: Connection refused
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.asking import connect
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
}
# Each takes a file descriptor, of which a process has 1,024 as a rule.
_AT_ONCE = 500
SPEC = ArgumentSpec(
    {
        "targets": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
        "seconds": {"type": "float", "default": 5.0},
    }
)


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    targets = [
        (
            *plain.address(f"targets[{place}].address", target["address"]),
            values.number(f"targets[{place}].port", target["port"], 1, 65535),
        )
        for place, target in enumerate(params["targets"])
    ]
    told = [
        one
        for start in range(0, len(targets), _AT_ONCE)
        for one in connect(targets[start : start + _AT_ONCE], params["seconds"])
    ]
    found = [
        {"address": address, "port": port, "connected": not reason, "seconds": taken, "reason": reason or None}
        for (_family, address, port), (taken, reason) in zip(targets, told)
    ]
    return {"changed": False, "connections": found}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
