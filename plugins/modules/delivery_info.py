#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: delivery_info
short_description: Ask whether packets would be delivered to this host
version_added: 0.1.0
description:
  - Asks the kernel's own lookup what becomes of a packet that comes in, and through which rule and table. No packet is
    sent. Changes nothing, and needs no privilege.
  - The lookup begins after nftables has had the packet, so that it does not see marks being set. Give the mark that
    the packet would have as O(fwmark).
  - It tells of delivery, the condition of a service that listens there or of IPVS. What is behind, such as a service of
    IPVS, is told by M(lvs.vipless.ipvs_info).
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  packets:
    description: Many packets in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      destination:
        description: Destination address of the packet, such as a VIP.
        type: str
        required: true
      source: &source
        description:
          - Source address of the packet, such as a client. Required, since IPv4 checks the way back to it.
        type: str
      iif: &iif
        description: Name of the interface that the packet comes in on. Required. It must exist.
        type: str
      fwmark: &fwmark
        description: Firewall mark that the packet has, decimal or with 0x.
        type: str
        default: "0"
      protocol: &protocol
        description: Transport protocol. V(icmp) is ICMPv6 in a packet of IPv6. The kernel's lookup takes no others.
        type: str
        choices: [tcp, udp, icmp]
        default: tcp
      source_port: &source_port
        description: Source port.
        type: int
      destination_port: &destination_port
        description: Destination port.
        type: int
  destination:
    description: See O(packets[].destination). Either this or O(packets) is required.
    type: str
  source: *source
  iif: *iif
  fwmark: *fwmark
  protocol: *protocol
  source_port: *source_port
  destination_port: *destination_port
"""

EXAMPLES = r"""
- name: Would a client's request for the VIP be delivered to this director?
  lvs.vipless.delivery_info:
    destination: 203.0.113.10
    source: 198.51.100.7
    iif: eth0
    fwmark: "0x10001"
  register: found

- name: Say so if not
  ansible.builtin.assert:
    that: found.packets[0].delivered
    fail_msg: "{{ found.packets[0].summary }}"

- name: The same for many, with the ports that rules may look at
  lvs.vipless.delivery_info:
    packets:
      - {destination: 203.0.113.10, source: 198.51.100.7, iif: eth0, protocol: udp, source_port: 1024,
         destination_port: 53}
      - {destination: "2001:db8:f::10", source: "2001:db8:c::7", iif: eth0, fwmark: "0x10001"}
"""

RETURN = r"""
packets:
  description: What becomes of each packet, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    destination:
      description: Destination address.
      returned: always
      type: str
    source:
      description: Source address.
      returned: always
      type: str
    iif:
      description: Interface that the packet comes in on.
      returned: always
      type: str
    delivered:
      description: Whether it is delivered to this host.
      returned: always
      type: bool
    type:
      description: Type of the route that it takes, such as V(local) or V(unicast), or null where it has none.
      returned: always
      type: str
      sample: local
    table:
      description: Table of that route.
      returned: always
      type: str
      sample: "100"
    device:
      description: Device of that route.
      returned: always
      type: str
      sample: lo
    gateway:
      description: Next hop of that route.
      returned: always
      type: str
    rule:
      description:
        - The rule that led there, as O(lvs.vipless.ip_rule#module:rules) takes it, or the one that refuses the packet.
        - Null where that cannot be told, as where a rule before it has selectors that M(lvs.vipless.ip_rule) has not.
      returned: always
      type: dict
    reason:
      description: Why it is not delivered, and what to do.
      returned: always
      type: str
    forwards:
      description: Whether the host forwards what comes in on this interface and is not for itself.
      returned: always
      type: bool
      sample: true
    summary:
      description: All of it in a sentence.
      returned: always
      type: str
      sample: >-
        203.0.113.10 from 198.51.100.7 on eth0 is delivered here: 'ipv4 local default dev lo table 100 proto 117' by
        rule 'ipv4 100: from all fwmark 0x10000/0x10000 iif eth0 lookup 100 proto 117'.
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import objects, one_or_listed
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.delivery import Lookups, circumstances
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import dump_rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import delivery
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule_match import leading
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "destination": {"type": "str", "required": True},
    "source": {"type": "str"},
    "iif": {"type": "str"},
    "fwmark": {"type": "str", "default": "0"},
    "protocol": {"type": "str", "choices": list(delivery.PROTOCOLS), "default": "tcp"},
    "source_port": {"type": "int"},
    "destination_port": {"type": "int"},
}
SPEC = one_or_listed("packets", OPTIONS, identity="destination")


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    entries = objects(params, "packets", OPTIONS)
    packets = [delivery.parse(entry, label) for label, entry in entries]
    require_interfaces((f"{label}iif", entry["iif"]) for label, entry in entries)
    around = {where: circumstances(*where) for where in {(packet.family, packet.iif) for packet in packets}}
    with Session(read_only=True) as session:
        rules = {family: dump_rules(session, family) for family in {packet.family for packet in packets}}
        lookups, found = Lookups(session), []
        for packet in packets:
            answer = lookups.ask(packet)
            rule = leading(rules[packet.family], packet, answer)
            found.append(delivery.report(packet, answer, rule, around[packet.family, packet.iif]))
    return {"changed": False, "packets": found}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
