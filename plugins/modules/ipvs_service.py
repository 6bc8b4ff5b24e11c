#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_service
short_description: Manage IPVS services and their destinations
version_added: 0.1.0
description:
  - Adds, changes and removes the virtual services of the kernel's load balancer and the realservers behind them, as
    C(ipvsadm) does, over netlink.
  - A service is known by its family and firewall mark, or by its protocol, VIP and port. A destination is known by its
    address and port within its service.
  - Everything else is changed in place. Nothing is flushed, or removed to be added again, so that established
    connections stay.
  - Options without a default keep their current value if they are not given, such as thresholds and the type of a
    tunnel.
  - IPVS services carry no mark of their owner. See O(purge) for what that means.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to read as well
  - A kernel with ip_vs, which is loaded when it is needed, but not in check mode
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
attributes:
  diff_mode:
    description: Shows the services and destinations in scope before and after, a line each.
options:
  services:
    description: Many services in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      fwmark:
        description:
          - Firewall mark, 1 to 4294967295, decimal or with 0x. The service takes every packet with exactly this mark.
          - Cannot go with O(services[].vip), O(services[].protocol) and O(services[].port).
        type: str
      family: &family
        description:
          - Address family. Required with O(services[].fwmark), as each family has a service of its own.
          - Taken from O(services[].vip) otherwise.
        type: str
        choices: [ipv4, ipv6]
      vip:
        description: Virtual address. Goes with O(services[].protocol) and O(services[].port).
        type: str
      protocol: &protocol
        description: Protocol of a service by O(services[].vip).
        type: str
        choices: [tcp, udp, sctp]
      port: &port
        description:
          - Port of a service by O(services[].vip). 0 stands for every port, and needs O(services[].persistent).
        type: int
      scheduler: &scheduler
        description:
          - Name of the scheduler. Its module must be in the kernel or on disk.
          - While it is changed, the kernel has none for some milliseconds, and refuses new connections
            (ip_vs_edit_service() in net/netfilter/ipvs/ip_vs_ctl.c). Established ones go on.
        type: str
        default: wlc
      persistent: &persistent
        description:
          - For how many seconds a client stays with its destination after its last connection ended, 1 to 2678400.
          - The service is not persistent if this is not given.
        type: int
      persistent_netmask: &persistent_netmask
        description:
          - Clients whose addresses agree in this prefix length count as one client of a persistent service. For IPv4
            it can be a netmask such as V(255.255.255.0).
          - Each address is a client of its own if this is not given.
        type: str
      flags: &flags
        description:
          - V(one-packet) chooses a destination for each packet of UDP anew. The others belong to the scheduler that
            they begin with. C(-fallback) takes another destination where the chosen one is drained, and C(-port) hashes
            the source port too.
          - If not given, existing flags stay; a new service has none. An empty list removes all.
        type: list
        elements: str
        choices: [one-packet, sh-fallback, sh-port, mh-fallback, mh-port]
      persistence_engine: &persistence_engine
        description:
          - What a persistent service knows a client by in place of its address, such as V(sip). Its module must be in
            the kernel or on disk.
          - If not given, an existing engine stays; a new service has none. An empty text removes it.
        type: str
      destinations: &destinations
        description:
          - The realservers. If this is not given, the destinations stay as they are found. An empty list removes all.
        type: list
        elements: dict
        suboptions:
          address:
            description:
              - Address of the realserver. Only O(services[].destinations[].forwarding=tunnel) can have another family
                than the service.
            type: str
            required: true
          port:
            description:
              - Port of the realserver. The service's if not given. Only
                O(services[].destinations[].forwarding=masquerade) can change the port of a packet.
              - In a service by firewall mark the default is 0, with which packets keep their port.
            type: int
          forwarding:
            description: How packets get to the realserver.
            type: str
            choices: [direct, tunnel, masquerade]
            default: direct
          weight:
            description:
              - Share of the connections, 0 to 65535. With 0 the destination gets no new ones.
              - Clients that O(services[].persistent) remembers go on to it even then, unless the kernel setting
                C(net.ipv4.vs.expire_quiescent_template) is 1.
            type: int
            default: 1
          upper_threshold:
            description:
              - With so many connections the destination gets no new ones but those of clients that
                O(services[].persistent) remembers. 0 stands for no limit.
              - As it is if not given, and 0 for a new destination.
            type: int
          lower_threshold:
            description:
              - Below so many connections the destination gets new ones again. With 0 that is three quarters of the
                upper threshold.
              - As it is if not given, and 0 for a new destination.
            type: int
          tunnel_type:
            description:
              - What packets are put into with O(services[].destinations[].forwarding=tunnel).
              - As it is if not given, with all that belongs to it, and V(ipip) for a new destination.
            type: str
            choices: [ipip, gue, gre]
          tunnel_port:
            description: UDP port that packets of O(services[].destinations[].tunnel_type=gue) go to. Required there.
            type: int
          tunnel_checksum:
            description:
              - V(csum) gives the outer packet a checksum, V(remcsum) leaves the inner one to it.
              - V(none) with O(services[].destinations[].tunnel_type) if not given.
            type: str
            choices: [none, csum, remcsum]
  fwmark:
    description: See O(services[].fwmark). Either this, O(vip) or O(services) is required.
    type: str
  vip:
    description: See O(services[].vip). Either this, O(fwmark) or O(services) is required.
    type: str
  family: *family
  protocol: *protocol
  port: *port
  scheduler: *scheduler
  persistent: *persistent
  persistent_netmask: *persistent_netmask
  flags: *flags
  persistence_engine: *persistence_engine
  destinations: *destinations
  state:
    description: Whether the services should exist. V(absent) removes them with all their destinations.
  purge:
    description:
      - Also remove every service that is not listed in O(services), with its destinations.
      - As services do not tell whose they are, this takes all services of the network namespace, of both families,
        whoever made them, unless O(purge_fwmarks) narrows it.
  purge_fwmarks:
    description:
      - As V(MARK/MASK). O(purge) removes only services by a firewall mark that has MARK in the bits of MASK, such as
        V(0x10000/0x10000) for all marks that carry this bit.
    type: str
  purge_later:
    description:
      - Leave the services that O(purge) would remove, and return them as RV(surplus). A later task removes them with
        O(state=absent), when nothing sends packets to them any more.
    type: bool
    default: false
  purge_destinations:
    description: Remove the destinations of a service that are not listed in it, where it has a list.
    type: bool
    default: true
  keep_weights:
    description:
      - Leave the weight of a destination that exists as it is found, because an operator or a health checker sets it.
        A new destination gets the weight given here.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Balance all packets with a mark over two realservers
  lvs.vipless.ipvs_service:
    fwmark: 0x10001
    family: ipv4
    scheduler: wlc
    destinations:
      - {address: 10.0.0.11}
      - {address: 10.0.0.12, weight: 2}

- name: Have exactly these services for marks with the delivery bit
  lvs.vipless.ipvs_service:
    purge: true
    purge_fwmarks: 0x10000/0x10000
    services:
      - {fwmark: 0x10001, family: ipv4, destinations: [{address: 10.0.0.11}]}
      - {fwmark: 0x10001, family: ipv6, destinations: [{address: "2001:db8:a::11"}]}

- name: Give the services other marks, beside the old ones
  lvs.vipless.ipvs_service:
    purge: true
    purge_fwmarks: 0x10000/0x10000
    purge_later: true
    services:
      - {fwmark: 0x10002, family: ipv4, destinations: [{address: 10.0.0.11}]}
  register: balanced

- name: The old ones go when packets have the new marks
  lvs.vipless.ipvs_service:
    services: "{{ balanced.surplus }}"
    state: absent

- name: Translate a port, and keep the networks of clients together
  lvs.vipless.ipvs_service:
    vip: 203.0.113.10
    protocol: tcp
    port: 80
    persistent: 300
    persistent_netmask: "24"
    destinations:
      - {address: 10.0.0.11, port: 8080, forwarding: masquerade}

- name: Names are looked up anywhere, a packet at a time, by way of other networks
  lvs.vipless.ipvs_service:
    vip: 203.0.113.10
    protocol: udp
    port: 53
    scheduler: mh
    flags: [one-packet, mh-fallback, mh-port]
    destinations:
      - {address: 192.0.2.1, forwarding: tunnel, tunnel_type: gue, tunnel_port: 6080, tunnel_checksum: remcsum}
      - {address: 192.0.2.2, forwarding: tunnel, tunnel_type: gre, tunnel_checksum: csum}
      - {address: 192.0.2.3, upper_threshold: 1000, lower_threshold: 800}

- name: A telephone call stays with its destination, whichever address it comes from
  lvs.vipless.ipvs_service:
    vip: 203.0.113.10
    protocol: udp
    port: 5060
    persistent: 60
    persistence_engine: sip
    destinations:
      - address: 10.0.0.11

- name: Have exactly these realservers, with the weights that a health checker gave them, now and after a reboot
  lvs.vipless.ipvs_service:
    fwmark: 0x10001
    family: ipv4
    destinations:
      - {address: 10.0.0.11}
      - {address: 10.0.0.12}
    keep_weights: true
    file: /etc/lvs-vipless/director/services.ipvs

- name: Drain one realserver, whichever others there are
  lvs.vipless.ipvs_service:
    fwmark: 0x10001
    family: ipv4
    destinations:
      - {address: 10.0.0.12, weight: 0}
    purge_destinations: false

- name: Balance these packets no longer
  lvs.vipless.ipvs_service:
    fwmark: 0x10001
    family: ipv4
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - add ipv4 fwmark 0x10001 scheduler wlc
    - add ipv4 fwmark 0x10001 server 10.0.0.11:0 direct weight 1
surplus:
  description: The services that are left to be removed, each by the options that it is known by.
  returned: with O(purge_later)
  type: list
  elements: dict
  sample: [{family: ipv4, fwmark: "0x10001"}]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import boot_file, ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import ServiceTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, ipvs, ipvs_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

DESTINATION = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "forwarding": {"type": "str", "choices": list(ipvs.FORWARDING), "default": "direct"},
    "weight": {"type": "int", "default": 1},
    **{name: {"type": "int"} for name in ("upper_threshold", "lower_threshold", "tunnel_port")},
    "tunnel_type": {"type": "str", "choices": list(ipvs.TUNNEL_TYPES)},
    "tunnel_checksum": {"type": "str", "choices": list(ipvs.TUNNEL_CHECKSUMS)},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "fwmark": {"type": "str"},
    "family": {"type": "str", "choices": ["ipv4", "ipv6"]},
    "vip": {"type": "str"},
    "protocol": {"type": "str", "choices": list(values.TRANSPORTS)},
    "port": {"type": "int"},
    "scheduler": {"type": "str", "default": "wlc"},
    "persistent": {"type": "int"},
    "persistent_netmask": {"type": "str"},
    "flags": {"type": "list", "elements": "str", "choices": list(ipvs.FLAGS)},
    "persistence_engine": {"type": "str"},
    "destinations": {"type": "list", "elements": "dict", "options": DESTINATION},
}
SPEC = one_or_many("services", OPTIONS, identity="fwmark", alternative="vip").merge(
    ArgumentSpec(
        {
            "purge_fwmarks": {"type": "str"},
            "purge_destinations": {"type": "bool", "default": True},
            **{name: {"type": "bool", "default": False} for name in ("purge_later", "keep_weights")},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    entries = objects(params, "services", OPTIONS)
    target = ipvs_options.target(params, entries)
    file = boot_file.boot_file(params["file"], "ipvs_service", boot_lines.of_services)
    if target.desired.present:
        names = ("scheduler", "persistence_engine")
        ipvs_modules.require(*([(f"{label}{name}", entry[name]) for label, entry in entries] for name in names))
    with Session(NETLINK_GENERIC, read_only=check_mode) as session:
        return target.told(converge(ServiceTable(session, target.in_scope), target.desired, check_mode, file))


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
