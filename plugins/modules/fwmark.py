#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fwmark
short_description: Mark packets for VIPs
version_added: 0.1.0
description:
  - Gives packets for VIPs a firewall mark as they arrive. By the mark a routing rule delivers them and IPVS balances
    them.
  - The marks live in an nftables table of family C(inet) of their own, with maps that a packet looks its destination
    address, protocol and port up in. More VIPs do not make more rules. No other table is read or touched.
  - A mark is known by its family, VIP, protocol and ports. All changes of a run are one transaction, which is done
    whole or not at all, while packets keep being marked.
  - Where the table has lost or changed a part, the part is repaired. When the last mark goes, the table goes.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - nft (package nftables, 1.0.6 or newer) on the managed host, and Linux 5.6 or newer
  - CAP_NET_ADMIN, to read the table too, so that check mode needs it
attributes:
  check_mode:
    support: full
    description: Predicts exactly what a run does and changes nothing.
  diff_mode:
    support: full
    description: Shows the marks in scope before and after, a line each, and the table.
options:
  marks:
    description: Many marks in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      vips:
        description:
          - Addresses or prefixes that packets are sent to, of both families if wanted.
          - No two entries may share an address and a port, since a packet has one mark.
        type: list
        elements: str
        required: true
      ports:
        description:
          - Destination ports and ranges of them, such as V(tcp/80), V(udp/4000-4999) or V(sctp/2905).
          - V(any) alone stands for every protocol and port. It may overlap entries with ports, which go first.
          - Fragments after the first have no port, and ICMP errors none of their own, so that entries with ports miss
            them. V(any) marks both. Where the host tracks connections, fragments are put together before.
        type: list
        elements: str
        required: true
      mark: &mark
        description:
          - The mark as V(MARK) or V(MARK/MASK), decimal or with 0x. Every bit must lie within the mask. Bits of the
            packet's mark outside the mask are kept.
          - Required, but for O(state=absent).
        type: str
  vips:
    description: See O(marks[].vips). Either this or O(marks) is required.
    type: list
    elements: str
  ports:
    description: See O(marks[].ports). Required with O(vips).
    type: list
    elements: str
  mark: *mark
  table:
    description: Name of the table. A table of this name that holds anything else is refused, not taken over.
    type: str
    default: lvs_vipless
  state:
    description: Whether packets should get the marks. For V(absent) the mark need not be given.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description: Also remove every mark in the table that is not listed in O(marks).
    type: bool
    default: false
notes:
  - Packets are marked in hook prerouting at priority mangle (-150). Packets that this host sends itself pass it only
    where they come back through the loopback device.
"""

EXAMPLES = r"""
- name: Mark web traffic to two VIPs, and keep no other mark
  lvs.vipless.fwmark:
    purge: true
    marks:
      - vips: [203.0.113.10, "2001:db8:f::10"]
        ports: [tcp/80, tcp/443, udp/443]
        mark: "0x10001"
      - vips: [203.0.113.64/26]
        ports: [any]
        mark: "0x10002"

- name: Set one bit of the mark for a range of ports, and leave the others to other programs
  lvs.vipless.fwmark:
    vips: [203.0.113.10]
    ports: [tcp/30000-30999]
    mark: "0x10000/0x10000"
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add table inet lvs_vipless", "add ipv4 203.0.113.10 tcp/80 mark 0x10001"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_table import Entry, MarkTable
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark, values
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

OPTIONS: dict[str, dict[str, Any]] = {
    "vips": {"type": "list", "elements": "str", "required": True},
    "ports": {"type": "list", "elements": "str", "required": True},
    "mark": {"type": "str"},
}
SPEC = one_or_many("marks", OPTIONS, identity="vips").merge(
    ArgumentSpec({"table": {"type": "str", "default": "lvs_vipless"}})
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    name = mark.table_name("table", params["table"])
    entries = objects(params, "marks", OPTIONS)
    labelled = [pair for label, entry in entries for pair in mark.parse(entry, label, present)]
    named = values.distinct(labelled)
    if present:
        mark.refuse_overlaps(labelled)
        wanted: list[Entry] = [mark.Table(name), *named] if named else []
        desired: Desired[Entry] = Desired(wanted, lambda _found: params["purge"])
    else:
        keys = frozenset(m.key for m in named)
        desired = Desired(unwanted=lambda found: found.within(keys))
    return converge(MarkTable(name), desired, check_mode)


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs())
    try:
        result = run(module.params, module.check_mode)
    except LvsError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
