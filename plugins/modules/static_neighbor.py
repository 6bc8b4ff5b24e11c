#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_neighbor
short_description: Manage permanent neighbour entries and proxy entries
version_added: 0.1.0
description:
  - Tells the host the MAC of a neighbour, so that it need not ask by ARP or neighbour discovery. A router reaches a VIP
    in its own network that way, though nobody there answers for the VIP.
  - Lets the host answer for single addresses of others (proxy ARP, proxy neighbour discovery).
  - An entry is known by its family, address, device, and whether it is a proxy entry. It is changed in place. What the
    kernel learned about the address by itself becomes the permanent entry without a packet lost.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host, and Linux 5.2 or newer, which keeps the owner of an entry
  - CAP_NET_ADMIN, to change anything
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
  - lvs.vipless.owner
attributes:
  diff_mode:
    description: Shows the entries in scope before and after, a line each.
options:
  neighbors:
    description: Many entries in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - IPv4 or IPv6 addresses of one host each, of both families if wanted. An entry is made for each. Thousands of
            them in one list are a quicker task than as many entries of O(neighbors).
          - An address of this host itself is refused.
        type: list
        elements: str
        required: true
      device:
        description: The interface that the neighbour is reached through, or that is answered on. It must exist.
        type: str
        required: true
      mac: &mac
        description:
          - MAC of the neighbour, of six bytes. Required, but for proxy entries and for O(state=absent).
        type: str
      proxy: &proxy
        description:
          - Answer for the address on the device with the host's own MAC, instead of knowing its MAC.
          - The kernel does so only where it forwards on the device (C(net.ipv4.conf.DEVICE.forwarding),
            C(net.ipv6.conf.DEVICE.forwarding)), and for IPv6 where C(net.ipv6.conf.DEVICE.proxy_ndp) or that of C(all)
            is 1 too. The module warns where it is otherwise. C(proxy_arp) is not needed.
          - For IPv4 the host must also have a route to the address through another device.
        type: bool
        default: false
      protocol: &protocol
        description:
          - Protocol number by which the owner of the entry is known, 5 to 255.
          - Numbers of routing daemons and DHCP clients are refused, which are 8 to 18, 42, 84, 99 and 186 to 198.
        type: str
        default: "117"
  address:
    description: See O(neighbors[].address). Either this or O(neighbors) is required.
    type: list
    elements: str
  device:
    description: See O(neighbors[].device). Required with O(address).
    type: str
  mac: *mac
  proxy: *proxy
  protocol: *protocol
  state:
    description: Whether the entries should exist. V(absent) removes only entries that carry the protocol given.
  purge:
    description: Also remove every entry that carries O(purge_protocol) and is not listed in O(neighbors).
  force:
    description:
      - Give the next hop of a default route, or the controller, another MAC all the same than the one that it answers
        with.
    type: bool
    default: false
notes:
  - Permanent entries do not count against C(gc_thresh3), the limit of the neighbour tables (Linux 5.0 or newer), and
    the kernel never collects them. Before, a table with more entries than that takes none any more.
  - When an interface is set down, the kernel removes all its entries, these too. Loss of carrier leaves them.
"""

EXAMPLES = r"""
- name: A router sends the VIPs to the director, which does not answer ARP for them
  lvs.vipless.static_neighbor:
    purge: true
    neighbors:
      - {address: [10.0.0.100, "2001:db8:a::100"], device: eth1, mac: "02:00:5e:10:00:21"}
      - {address: 10.0.0.110, device: eth1, mac: "02:00:5e:10:00:23"}

- name: Answer neighbour discovery for a VIP that is delivered without an address
  lvs.vipless.static_neighbor:
    address: "2001:db8:a::100"
    device: eth0
    proxy: true

- name: An entry with a number of one's own, and no others with it, now and after a reboot
  lvs.vipless.static_neighbor:
    purge: true
    purge_protocol: "118"
    neighbors:
      - {address: 10.0.0.101, device: eth1, mac: "02:00:5e:10:00:22", protocol: "118"}
    file: /etc/lvs-vipless/router/neighbors.ip

- name: Let the router ask for the VIP again
  lvs.vipless.static_neighbor:
    address: 10.0.0.100
    device: eth1
    state: absent

- name: The next hop of the default route gets another MAC, as its successor has it
  lvs.vipless.static_neighbor:
    address: 10.0.0.254
    device: eth0
    mac: "02:00:5e:10:00:01"
    force: true
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add ipv4 10.0.0.100 dev eth1 lladdr 02:00:5e:10:00:21 permanent proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import lives_by
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.neighbors import NeighborTables
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.proxying import lacking
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, neighbor, ownership, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "address": {"type": "list", "elements": "str", "required": True},
    "device": {"type": "str", "required": True},
    "mac": {"type": "str"},
    "proxy": {"type": "bool", "default": False},
    "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
}
SPEC = one_or_many("neighbors", OPTIONS, identity="address").merge(
    ArgumentSpec(
        {
            "purge_protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present, purge = params["state"] == "present", params["purge"]
    entries = objects(params, "neighbors", OPTIONS)
    named = values.distinct(pair for label, entry in entries for pair in neighbor.parse(entry, label, present))
    require_interfaces((f"{label}device", entry["device"]) for label, entry in entries)
    file = boot_file(params["file"], "static_neighbor", boot_lines.of_neighbors)
    owner = values.owner("purge_protocol", params["purge_protocol"])
    everything = [(family, proxy) for family in values.FAMILIES.values() for proxy in (False, True)]
    with Session(read_only=check_mode) as session:
        where = everything if purge else [(n.family, n.proxy) for n in named]
        held = None if params["force"] else lives_by
        tables = NeighborTables(session, where, {owner, *(n.protocol for n in named)}, held)
        result = converge(tables, ownership.desired(named, present, owner if purge else 0), check_mode, file)
    return {**result, "warnings": lacking(named) if present else []}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
