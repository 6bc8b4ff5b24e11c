#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_local_route_info
short_description: Read routes that end on the host
version_added: 0.1.0
description:
  - Returns routes as the options of M(lvs.vipless.ip_local_route), so that they can be given to it again. Changes
    nothing, and needs no privilege.
  - Routes that the kernel made by itself are left out, unless their protocol is asked for. Those with a type of service
    are left out always.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  family:
    description: Only routes of this family.
    type: str
    choices: [ipv4, ipv6]
  table:
    description: Only routes in this table, by number or as V(main), V(default) or V(local).
    type: str
  protocol:
    description: Only routes with this protocol number (1 to 255), or V(kernel), V(boot) or V(static).
    type: str
  type:
    description: Only routes of these types. M(lvs.vipless.ip_local_route) makes none but the first four.
    type: list
    elements: str
    choices: [local, blackhole, unreachable, prohibit, unicast, broadcast, anycast, multicast, throw, nat]
    default: [local, blackhole, unreachable, prohibit]
"""

EXAMPLES = r"""
- name: Read the routes of this collection
  lvs.vipless.ip_local_route_info:
    protocol: "117"
  register: found

- name: Put the same routes on another director
  lvs.vipless.ip_local_route:
    routes: "{{ found.routes }}"
    purge: true
  delegate_to: director2

- name: Read the guards of IPv4 in table main, whoever made them
  lvs.vipless.ip_local_route_info:
    family: ipv4
    table: main
    type: unreachable
"""

RETURN = r"""
routes:
  description:
    - The routes as O(lvs.vipless.ip_local_route#module:routes) takes them. Routes that differ in their prefix alone are
      one entry.
    - Entries of types that M(lvs.vipless.ip_local_route) does not make can have a C(gateway) beside.
  returned: success
  type: list
  elements: dict
  sample:
    - {prefixes: [0.0.0.0/0], table: "100", type: local, device: lo, protocol: "117"}
    - {prefixes: ["::/0"], table: "100", type: local, device: lo, metric: 1024, protocol: "117"}
lines:
  description: The same, a line a route.
  returned: success
  type: list
  elements: str
  sample: ["ipv4 local default dev lo table 100 proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import dump
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import route, route_report, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "family": {"type": "str", "choices": list(values.FAMILIES)},
        "table": {"type": "str"},
        "protocol": {"type": "str"},
        "type": {
            "type": "list",
            "elements": "str",
            "choices": list(route_report.ALL_TYPES),
            "default": list(route.TYPES),
        },
    }
)


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    wanted = route_report.wanted(params)
    families = [wanted.family] if wanted.family else values.FAMILIES.values()
    with Session(read_only=True) as session:
        read = [found for family in families for found in dump(session, family, wanted.table, wanted.protocol)]
    found = [one for one in read if wanted.fits(one)]
    return {"changed": False, "routes": route_report.report(found), "lines": [one.line for one in found]}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
