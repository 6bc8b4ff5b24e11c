#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_local_route
short_description: Manage routes that end on the host
version_added: 0.1.0
description:
  - Adds, changes and removes routes of type C(local), which deliver packets for addresses that the host does not have,
    and the routes that refuse packets (C(unreachable), C(blackhole), C(prohibit)), which keep them from bouncing.
  - A route is known by its family, prefix, table and metric. It is changed in place, never removed to be added again.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to change anything
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
  - lvs.vipless.owner
attributes:
  diff_mode:
    description: Shows the routes in scope before and after, a line each.
options:
  routes:
    description: Routes of several kinds or tables in one call, instead of the options below.
    type: list
    elements: dict
    suboptions:
      prefixes:
        description: Prefixes or addresses, of both families if wanted. One route is made for each.
        type: list
        elements: str
        required: true
      table: &table
        description:
          - Routing table, by number or as V(main), V(default) or V(local).
          - A prefix in table V(local) is accepted by the host as if each address in it were its own (AnyIP).
        type: str
        default: local
      type: &type
        description: What becomes of the packets.
        type: str
        choices: [local, unreachable, blackhole, prohibit]
        default: local
      device: &device
        description:
          - Device of a route of type V(local). V(lo) if not given, which is always up. It must exist.
        type: str
      metric: &metric
        description: Metric. The kernel gives an IPv6 route without one 1024. Another metric is another route.
        type: int
      source: &source
        description:
          - Preferred source address, which packets of the host to these prefixes get if no other was chosen. The
            prefixes must be of its family.
          - It must be an address of the host already; IPv4 also takes one within a route of type V(local) in the table
            V(local). When the address goes, the kernel removes an IPv4 route with it, and an IPv6 route loses it.
        type: str
      protocol: &protocol
        description:
          - Routing protocol number by which the owner of the route is known, 5 to 255.
          - Numbers of routing daemons and DHCP clients are refused, which are 8 to 18, 42, 84, 99 and 186 to 198.
        type: str
        default: "117"
  prefixes:
    description: See O(routes[].prefixes). Either this or O(routes) is required.
    type: list
    elements: str
  table: *table
  type: *type
  device: *device
  metric: *metric
  source: *source
  protocol: *protocol
  state:
    description: Whether the routes should exist. V(absent) removes only routes that carry the protocol given.
  purge:
    description: >-
      Also remove every route of the types that this module makes that carries O(purge_protocol) and is not listed in
      O(routes).
  protect:
    description:
      - Addresses that no route in the tables V(main), V(default) and V(local) may cover, such as those of the
        realservers. The host's own addresses, the next hops of all its tables and the address that the controller came
        from are protected always. A route that is there already is asked about too, as the host may have got an address
        or a next hop since.
    type: list
    elements: str
    default: []
  force:
    description:
      - Add routes even where they cover a protected address, or local ones for special addresses, such as link-local
        and multicast ones.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Deliver everything that a rule sends to table 100
  lvs.vipless.ip_local_route:
    prefixes: [0.0.0.0/0, "::/0"]
    table: "100"

- name: Accept a network of VIPs without an address (AnyIP)
  lvs.vipless.ip_local_route:
    prefixes: [203.0.113.0/24, "2001:db8:f::/64"]

- name: Both at once, and a guard against bouncing packets
  lvs.vipless.ip_local_route:
    purge: true
    routes:
      - {prefixes: [0.0.0.0/0], table: "100"}
      - {prefixes: [203.0.113.0/24], table: main, type: unreachable}

- name: What the host itself sends to its VIPs comes from its own address
  lvs.vipless.ip_local_route:
    prefixes: [203.0.113.0/24]
    source: 10.0.0.21

- name: Accept VIPs as addresses of eth1, with a number of one's own, but never the realservers, now and after a reboot
  lvs.vipless.ip_local_route:
    purge: true
    purge_protocol: "118"
    routes:
      - {prefixes: [203.0.113.0/24], device: eth1, metric: 100, protocol: "118"}
    protect: [10.0.0.11, 10.0.0.12]
    file: /etc/lvs-vipless/realserver/routes.ip

- name: Accept them no longer
  lvs.vipless.ip_local_route:
    prefixes: [203.0.113.0/24]
    device: eth1
    metric: 100
    protocol: "118"
    state: absent

- name: Refuse a network although it holds an address of this host, which table local delivers before
  lvs.vipless.ip_local_route:
    prefixes: [10.0.0.0/24]
    table: "100"
    type: unreachable
    force: true
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add ipv4 local default dev lo table 100 proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import lookup
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import RouteTables
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sources import require_sources
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, ownership, route, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "prefixes": {"type": "list", "elements": "str", "required": True},
    "table": {"type": "str", "default": "local"},
    "type": {"type": "str", "choices": list(route.TYPES), "default": "local"},
    "device": {"type": "str"},
    "metric": {"type": "int"},
    "source": {"type": "str"},
    "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
}
SPEC = one_or_many("routes", OPTIONS, identity="prefixes").merge(
    ArgumentSpec(
        {
            "purge_protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
            "protect": {"type": "list", "elements": "str", "default": []},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    entries = objects(params, "routes", OPTIONS)
    labelled = [pair for label, entry in entries for pair in route.parse(entry, label)]
    named = values.distinct(labelled)
    require_interfaces((f"{label}device", entry["device"]) for label, entry in entries)
    protected = [str(values.address(f"protect[{i}]", text)) for i, text in enumerate(params["protect"])]
    owner = values.owner("purge_protocol", params["purge_protocol"])
    everywhere = owner if params["purge"] else 0
    file = boot_file(params["file"], "ip_local_route", boot_lines.of_routes)
    present = params["state"] == "present"
    with Session(read_only=check_mode) as session:
        require_sources(session, labelled if present else [])
        tables = RouteTables(
            session,
            {(r.family, r.table) for r in named},
            {owner, *(r.protocol for r in named)},
            everywhere,
            None if params["force"] else lookup(protected),
        )
        return converge(tables, ownership.desired(named, present, everywhere, route.ends_here), check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
