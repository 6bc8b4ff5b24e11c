#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_rule_info
short_description: Read routing policy rules
version_added: 0.1.0
description:
  - Returns rules as the options of M(lvs.vipless.ip_rule), so that they can be given to it again. Changes nothing, and
    needs no privilege.
  - Rules that the kernel made by itself are left out, unless their protocol is asked for.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  family:
    description: Only rules of this family.
    type: str
    choices: [ipv4, ipv6]
  priority:
    description: Only rules at this priority.
    type: int
  table:
    description: Only rules that lead to this table, by number or as V(main), V(default) or V(local).
    type: str
  protocol:
    description: Only rules with this protocol number (1 to 255), or V(kernel), V(boot) or V(static).
    type: str
"""

EXAMPLES = r"""
- name: Read the rules of this collection
  lvs.vipless.ip_rule_info:
    protocol: "117"
  register: found

- name: Put the same rules on another director
  lvs.vipless.ip_rule:
    rules: "{{ found.rules }}"
    purge: true
  delegate_to: director2

- name: What comes first for IPv4
  lvs.vipless.ip_rule_info:
    family: ipv4
    priority: 100
    table: "100"
"""

RETURN = r"""
rules:
  description:
    - The rules as O(lvs.vipless.ip_rule#module:rules) takes them, in the kernel's order.
    - Those without a protocol number have V(0) as their O(protocol), which M(lvs.vipless.ip_rule) does not take.
      Those with selectors that it has no option for, such as realms, are only in RV(lines).
  returned: success
  type: list
  elements: dict
  sample:
    - {priority: 100, family: ipv4, iif: eth0, fwmark: "0x10000/0x10000", action: lookup, table: "100", protocol: "117"}
lines:
  description: All rules, a line each.
  returned: success
  type: list
  elements: str
  sample: ["ipv4 100: from all fwmark 0x10000/0x10000 iif eth0 lookup 100 proto 117"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import dump_rules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import rule_report, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "family": {"type": "str", "choices": list(values.FAMILIES)},
        "priority": {"type": "int"},
        "table": {"type": "str"},
        "protocol": {"type": "str"},
    }
)


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    wanted = rule_report.wanted(params)
    families = [wanted.family] if wanted.family else values.FAMILIES.values()
    with Session(read_only=True) as session:
        found = [rule for family in families for rule in dump_rules(session, family) if wanted.fits(rule)]
    rules = [rule_report.report(rule) for rule in found if not rule.foreign]
    return {"changed": False, "rules": rules, "lines": [rule.line for rule in found]}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
