#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_route
short_description: Manage routes that lead to a next hop
version_added: 0.1.0
description:
  - Adds, changes and removes routes to a next hop or onto a link, such as those by which a router sends the packets for
    VIPs to a director.
  - A route is known by its family, prefix, table and metric. Another next hop takes the place of the old one in one
    step, so that every packet has a way.
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
      gateways:
        description:
          - Next hops, at most one of each family. Each prefix needs one of its family.
          - If not given, the prefixes are on the link of O(routes[].device) themselves. Nobody answers for a VIP there,
            so that each needs an entry of M(lvs.vipless.static_neighbor).
        type: list
        elements: str
      device: &device
        description: Interface that leads there. Required. It must exist.
        type: str
      table: &table
        description: Routing table, by number or as V(main) or V(default).
        type: str
        default: main
      metric: &metric
        description: Metric. The kernel gives an IPv6 route without one 1024. Another metric is another route.
        type: int
      advmss: &advmss
        description:
          - The largest segment that TCP asks its peers for on this route, in bytes. Packets to this host then fit
            through a narrow part of their way, such as a tunnel, without anybody having to say that they do not.
        type: int
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
  gateways:
    description: See O(routes[].gateways).
    type: list
    elements: str
  device: *device
  table: *table
  metric: *metric
  advmss: *advmss
  protocol: *protocol
  state:
    description: Whether the routes should exist. V(absent) removes only routes that carry the protocol given.
  purge:
    description: >-
      Also remove every route of the types that this module makes that carries O(purge_protocol) and is not listed in
      O(routes).
  force:
    description: >-
      Add routes even where they cover an address of this host, a next hop of it or the address that the controller came
      from.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Send the packets for the VIPs to the director
  lvs.vipless.ip_route:
    prefixes: [203.0.113.0/24, "2001:db8:f::/64"]
    gateways: [10.0.0.2, "2001:db8:a::2"]
    device: eth1

- name: The VIP is on the link, as the neighbour entry says
  lvs.vipless.ip_route:
    prefixes: [203.0.113.10]
    device: eth1

- name: Two directors by metric, and no other route with this number, now and after a reboot
  lvs.vipless.ip_route:
    purge: true
    purge_protocol: "118"
    routes:
      - {prefixes: [203.0.113.0/24], gateways: [10.0.0.2], device: eth1, metric: 10, protocol: "118"}
      - {prefixes: [203.0.113.0/24], gateways: [10.0.0.3], device: eth1, metric: 20, protocol: "118"}
    file: /etc/lvs-vipless/router/hops.ip

- name: Lead a network that holds an address of this host elsewhere, in a table of its own
  lvs.vipless.ip_route:
    prefixes: [10.0.0.0/24]
    gateways: [10.1.0.1]
    device: eth2
    table: "101"
    force: true

- name: What a rule sends to this table asks for smaller segments
  lvs.vipless.ip_route:
    prefixes: [0.0.0.0/0]
    gateways: [10.0.0.1]
    device: eth0
    table: "120"
    advmss: 1400

- name: Send the packets for the VIPs to nobody
  lvs.vipless.ip_route:
    prefixes: [203.0.113.0/24]
    device: eth1
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add ipv4 unicast 203.0.113.0/24 via 10.0.0.2 dev eth1 table main proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import lookup
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import RouteTables
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, next_hop, ownership, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import leads_on
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "prefixes": {"type": "list", "elements": "str", "required": True},
    "gateways": {"type": "list", "elements": "str"},
    "device": {"type": "str"},
    "table": {"type": "str", "default": "main"},
    "metric": {"type": "int"},
    "advmss": {"type": "int"},
    "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
}
SPEC = one_or_many("routes", OPTIONS, identity="prefixes").merge(
    ArgumentSpec(
        {
            "purge_protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    entries = objects(params, "routes", OPTIONS)
    named = values.distinct(pair for label, entry in entries for pair in next_hop.parse(entry, label))
    require_interfaces((f"{label}device", entry["device"]) for label, entry in entries)
    owner = values.owner("purge_protocol", params["purge_protocol"])
    everywhere = owner if params["purge"] else 0
    file = boot_file(params["file"], "ip_route", boot_lines.of_routes)
    pairs = {(route.family, route.table) for route in named}
    owners = {owner, *(route.protocol for route in named)}
    with Session(read_only=check_mode) as session:
        tables = RouteTables(session, pairs, owners, everywhere, None if params["force"] else lookup([]))
        desired = ownership.desired(named, params["state"] == "present", everywhere, leads_on)
        return converge(tables, desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
