#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_rule
short_description: Manage routing policy rules
version_added: 0.1.0
description:
  - Adds and removes rules of the routing policy database, as C(ip rule) does, without ever flushing it.
  - A rule is known by its family, priority, protocol and full selector. Table, action and all that belongs to them are
    what the rule does. To change it, the new rule is added before the old one is removed.
  - Rules that carry another protocol number belong to others and are left alone.
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
    description: Shows the rules in scope before and after, a line each.
options:
  rules:
    description: Many rules in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      priority:
        description:
          - The place of the rule in the order of evaluation, 0 to 4294967295. Lower is earlier.
          - Required for every rule, because the kernel would otherwise add the same rule twice.
        type: int
        required: true
      family: &family
        description:
          - Address family. V(both) makes the pair.
          - Taken from O(from) or O(to) where one of them is given; required otherwise.
        type: str
        choices: [ipv4, ipv6, both]
      from: &from
        description:
          - Source prefixes or addresses. Each makes a rule of its own, with each prefix of O(to) that has its family.
          - Ten thousand of them in one entry are quicker than ten thousand entries, and shorter.
        type: list
        elements: str
      to: &to
        description: Destination prefixes or addresses. Each makes a rule of its own, as for O(from).
        type: list
        elements: str
      iif: &iif
        description: Name of the interface that the packet came in on. It must exist, unless O(force) is set.
        type: str
      fwmark: &fwmark
        description: Firewall mark as V(MARK) or V(MARK/MASK), decimal or with 0x. Every bit must lie within the mask.
        type: str
      oif: &oif
        description:
          - Name of the interface that the socket of a packet of this host's own is bound to. It must exist, unless
            O(force) is set.
        type: str
      tos: &tos
        description: Type of service, decimal or with 0x. The two lowest bits are those of ECN and cannot be set.
        type: str
      dscp: &dscp
        description: Differentiated services code point, 0 to 63. Needs Linux 6.12. Cannot go with the type of service.
        type: int
      ipproto: &ipproto
        description: Transport protocol, V(tcp), V(udp), V(sctp), V(icmp), V(icmpv6), V(gre), V(esp), V(ah) or a number.
        type: str
      sport: &sport
        description: Source port, or a range such as V(1000-1999).
        type: str
      dport: &dport
        description: Destination port, or a range such as V(1000-1999).
        type: str
      uidrange: &uidrange
        description: User of the socket, or a range such as V(1000-1999).
        type: str
      not: &not
        description:
          - The rule takes the packets that its selectors, taken together, do not match.
          - Cannot go with more than one prefix in O(from) or O(to).
        type: bool
        default: false
      action: &action
        description:
          - What becomes of the packets. V(lookup) looks in a table, and goes on with the next rule where that has no
            route. V(goto) goes on with a later rule, V(nop) with the next one. The others refuse the packet.
          - V(lookup) if not given, or V(goto) where its target is given.
        type: str
        choices: [lookup, goto, nop, blackhole, unreachable, prohibit]
      table: &table
        description: Routing table that the rule leads to, by number or as V(main), V(default) or V(local).
        type: str
      l3mdev: &l3mdev
        description: In place of a table, the rule leads to that of the VRF which the packet's interface belongs to.
        type: bool
        default: false
      goto: &goto
        description: Priority of the rule to go on with. It must be higher than that of this rule.
        type: int
      suppress_prefixlength: &suppress_prefixlength
        description: Routes of the table whose prefix is this long or shorter do not count.
        type: int
      suppress_ifgroup: &suppress_ifgroup
        description: Routes of the table to interfaces of this group do not count.
        type: int
      protocol: &protocol
        description:
          - Routing protocol number by which the owner of the rule is known, 5 to 255.
          - Numbers of routing daemons and DHCP clients are refused, which are 8 to 18, 42, 84, 99 and 186 to 198.
        type: str
        default: "117"
  priority:
    description: See O(rules[].priority). Either this or O(rules) is required.
    type: int
  family: *family
  from: *from
  to: *to
  iif: *iif
  fwmark: *fwmark
  oif: *oif
  tos: *tos
  dscp: *dscp
  ipproto: *ipproto
  sport: *sport
  dport: *dport
  uidrange: *uidrange
  not: *not
  action: *action
  table: *table
  l3mdev: *l3mdev
  goto: *goto
  suppress_prefixlength: *suppress_prefixlength
  suppress_ifgroup: *suppress_ifgroup
  protocol: *protocol
  state:
    description: Whether the rules should exist. For V(absent) what they do need not be given, and does not count.
  purge:
    description: Also remove every rule that carries O(purge_protocol) and is not listed in O(rules).
  force:
    description:
      - Skip the safety refusals. Without it the module refuses a rule without selector to a table that holds a local
        default route, one that refuses packets before the rule for table V(main), one by which the answers to the
        controller (or packets to the next hop of a default route) would go nowhere, a rule by firewall mark without
        O(iif) or O(oif) while C(src_valid_mark) is 1, unless every route of its table leaves this host, and an O(iif)
        or O(oif) that does not exist.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Packets that carry the delivery bit and came in on eth0 are delivered locally
  lvs.vipless.ip_rule:
    family: both
    priority: 100
    iif: eth0
    fwmark: 0x10000/0x10000
    table: "100"

- name: Deliver three VIPs by destination, and remove every other rule of ours
  lvs.vipless.ip_rule:
    purge: true
    rules:
      - {priority: 100, to: [203.0.113.10, 203.0.113.11], table: "100"}
      - {priority: 100, to: "2001:db8:f::10", iif: eth0, table: "100"}

- name: Web traffic of all users but root goes by a table of its own, other than to networks that main knows
  lvs.vipless.ip_rule:
    rules:
      - {priority: 200, family: ipv4, table: main, suppress_prefixlength: 0}
      - {priority: 201, family: ipv4, ipproto: tcp, dport: 80-89, uidrange: 1-65535, table: "200"}

- name: A client and a class of traffic pass over the rules for VRFs, and nothing leaves by eth9
  lvs.vipless.ip_rule:
    rules:
      - {priority: 300, from: 198.51.100.7, tos: "0x10", goto: 1001}
      - {priority: 301, from: 198.51.100.7, dscp: 46, sport: "5060", ipproto: udp, goto: 1001}
      - {priority: 302, family: both, not: true, oif: eth9, action: nop}
      - {priority: 1000, family: both, l3mdev: true}
      - {priority: 1001, family: both, oif: eth9, action: prohibit}
      - {priority: 1002, family: ipv4, iif: eth1, table: "201", suppress_ifgroup: 7}

- name: Rules with a number of one's own, and no others with it, now and after a reboot
  lvs.vipless.ip_rule:
    purge: true
    purge_protocol: "118"
    rules:
      - {priority: 110, to: [203.0.113.0/24], table: "100", protocol: "118"}
    file: /etc/lvs-vipless/office/rules.ip

- name: Deliver every packet, in a host that is reached another way
  lvs.vipless.ip_rule:
    family: ipv4
    priority: 120
    table: "100"
    force: true

- name: Deliver marked packets no longer
  lvs.vipless.ip_rule:
    family: both
    priority: 100
    iif: eth0
    fwmark: 0x10000/0x10000
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add ipv4 100: from all fwmark 0x10000/0x10000 iif eth0 lookup 100 proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import RuleList, require_dscp
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, ownership, rule_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import ACTIONS
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "priority": {"type": "int", "required": True},
    "family": {"type": "str", "choices": ["ipv4", "ipv6", "both"]},
    **{name: {"type": "list", "elements": "str"} for name in ("from", "to")},
    **{name: {"type": "str"} for name in ("iif", "oif", "fwmark", "tos")},
    "dscp": {"type": "int"},
    **{name: {"type": "str"} for name in ("ipproto", "sport", "dport", "uidrange")},
    "not": {"type": "bool", "default": False},
    "action": {"type": "str", "choices": list(ACTIONS)},
    "table": {"type": "str"},
    "l3mdev": {"type": "bool", "default": False},
    **{name: {"type": "int"} for name in ("goto", "suppress_prefixlength", "suppress_ifgroup")},
    "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
}
SPEC = one_or_many("rules", OPTIONS, identity="priority").merge(
    ArgumentSpec(
        {
            "purge_protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    entries = objects(params, "rules", OPTIONS)
    named = values.distinct(pair for label, entry in entries for pair in rule_options.parse(entry, label, present))
    if present and not params["force"]:
        require_interfaces((f"{label}{name}", entry[name]) for label, entry in entries for name in ("iif", "oif"))
    require_dscp((f"{label}dscp", entry["dscp"]) for label, entry in entries)
    owner = values.owner("purge_protocol", params["purge_protocol"])
    desired = ownership.desired(named, present, owner if params["purge"] else 0)
    file = boot_file(params["file"], "ip_rule", boot_lines.of_rules)
    families = values.FAMILIES.values() if params["purge"] else {r.family for r in named}
    owners = {owner, *(r.protocol for r in named)}
    with Session(read_only=check_mode) as session:
        return converge(RuleList(session, families, owners, params["force"]), desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
