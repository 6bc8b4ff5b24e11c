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
  - A rule is known by its family, priority, protocol and full selector. The table is what the rule does. To change it,
    the new rule is added before the old one is removed.
  - Rules that carry another protocol number belong to others and are left alone.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to change anything
attributes:
  check_mode:
    support: full
    description: Predicts exactly what a run does and changes nothing.
  diff_mode:
    support: full
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
        description: Source prefix or address.
        type: str
      to: &to
        description: Destination prefix or address.
        type: str
      iif: &iif
        description: Name of the interface that the packet came in on. It must exist, unless O(force) is set.
        type: str
      fwmark: &fwmark
        description: Firewall mark as V(MARK) or V(MARK/MASK), decimal or with 0x. Every bit must lie within the mask.
        type: str
      table: &table
        description: Routing table that the rule leads to, by number or as V(main), V(default) or V(local).
        type: str
      protocol: &protocol
        description:
          - Routing protocol number (1 to 255), or V(kernel), V(boot) or V(static). It marks the owner of the rule.
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
  table: *table
  protocol: *protocol
  state:
    description: Whether the rules should exist. For V(absent) the table need not be given.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description: Also remove every rule that carries O(purge_protocol) and is not listed in O(rules).
    type: bool
    default: false
  purge_protocol:
    description: The protocol number whose unlisted rules O(purge) removes.
    type: str
    default: "117"
  force:
    description:
      - Skip the safety refusals. Without it the module refuses a rule without selector to a table that holds a local
        default route, a rule by firewall mark without O(iif) while C(src_valid_mark) is 1, and an O(iif) that does
        not exist.
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

- name: Deliver two VIPs by destination, and remove every other rule of ours
  lvs.vipless.ip_rule:
    purge: true
    rules:
      - {priority: 100, to: 203.0.113.10, table: "100"}
      - {priority: 100, to: "2001:db8:f::10", iif: eth0, table: "100"}
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import RuleList
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import rule, values
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

OPTIONS: dict[str, dict[str, Any]] = {
    "priority": {"type": "int", "required": True},
    "family": {"type": "str", "choices": ["ipv4", "ipv6", "both"]},
    "from": {"type": "str"},
    "to": {"type": "str"},
    "iif": {"type": "str"},
    "fwmark": {"type": "str"},
    "table": {"type": "str"},
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
    named = values.distinct((label, r) for label, entry in entries for r in rule.parse(entry, label, present))
    if present and not params["force"]:
        require_interfaces((f"{label}iif", entry["iif"]) for label, entry in entries)
    owner = values.protocol("purge_protocol", params["purge_protocol"])
    keys = frozenset(r.key for r in named)
    if present:
        desired = Desired(named, lambda found: params["purge"] and found.protocol == owner)
    else:
        desired = Desired(unwanted=lambda found: found.key in keys)
    families = values.FAMILIES.values() if params["purge"] else {r.family for r in named}
    owners = {owner, *(r.protocol for r in named)}
    with Session(read_only=check_mode) as session:
        return converge(RuleList(session, families, owners, params["force"]), desired, check_mode)


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs())
    try:
        result = run(module.params, module.check_mode)
    except LvsError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
