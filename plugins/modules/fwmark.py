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
  - A mark is known by its family, VIP, protocol, ports, source and interface. A run changes marks in up to four
    transactions, each of which is done whole or not at all, while packets keep being marked - what marks lead to is
    made, new ones are added, others take the places of old ones, and what is left over goes. A run that is killed can
    leave the marks of some of these steps; the next one goes on from there.
  - Where the table has lost or changed a part, the part is repaired. When the last mark goes, the table goes.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - nft (package nftables, 1.0.6 or newer) on the managed host, and Linux 5.6 or newer
  - CAP_NET_ADMIN, to read the table too, so that check mode needs it
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
attributes:
  diff_mode:
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
          - Two entries for one packet must differ in what they name. Of those, one with O(marks[].iif) goes before one
            without, then one with O(marks[].sources) before one without, then ports before protocols before V(any).
            Two of one kind may not share a packet.
        type: list
        elements: str
        required: true
      ports:
        description:
          - Destination ports and ranges of them, such as V(tcp/80), V(udp/4000-4999) or V(sctp/2905), and protocols as
            a whole, such as V(tcp), V(icmp), V(icmpv6), V(gre), V(esp), V(ah) or a number.
          - V(any) alone stands for every protocol and port.
          - Fragments after the first have no port, and ICMP errors none of their own, so that entries with ports miss
            them. V(any) marks both. Where the host tracks connections, fragments are put together before.
        type: list
        elements: str
        required: true
      sources:
        description: Addresses or prefixes that packets come from. Any if not given.
        type: list
        elements: str
      iif:
        description: Names of the interfaces that packets come in on. They need not exist. Any if not given.
        type: list
        elements: str
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
  sources:
    description: See O(marks[].sources).
    type: list
    elements: str
  iif:
    description: See O(marks[].iif).
    type: list
    elements: str
  mark: *mark
  table:
    description: Name of the table. A table of this name that holds anything else is refused, not taken over.
    type: str
    default: lvs_vipless
  hooks:
    description:
      - Where packets are marked. V(prerouting) marks what comes in, V(output) what this host sends itself, which then
        looks for another route.
      - As it is if not given, and V(prerouting) for a new table.
    type: list
    elements: str
    choices: [prerouting, output]
  new_connections:
    description:
      - Only the first packet of a connection is looked up. Its mark is saved in that of the connection (the bits of
        O(marks[].mark)'s mask alone), and later packets of the same direction get it from there. What comes back is
        not marked. Needs connection tracking, so that a packet that belongs to no connection it knows stays unmarked.
      - Connections keep their mark while any entry of the table gives it, and lose it with the last.
      - As it is if not given, and V(false) for a new table.
    type: bool
  exclude_macs:
    description:
      - Source MAC addresses whose packets are not marked in V(prerouting), such as those of another director, which has
        marked them already. An empty list removes all.
      - As it is if not given.
    type: list
    elements: str
  force:
    description:
      - Mark all the same what the controller is connected to, and special addresses, such as link-local ones.
    type: bool
    default: false
  state:
    description: Whether packets should get the marks. For V(absent) the mark need not be given.
  purge:
    description: Also remove every mark in the table that is not listed in O(marks).
notes:
  - Packets are marked at priority -145, after what others do at priority mangle (-150). Those that this host sends
    itself pass prerouting only where they come back through the loopback device.
  - While the kernel changes the marks of many prefixes or ranges of ports, C(nft list) shows neither the old ones nor
    the new ones for some milliseconds. On Linux 6.17 and newer packets match all the same; on older kernels they may
    match neither. Single addresses with single ports change at once.
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

- name: Pings and web traffic of one network that come in on eth0, unless the other director has sent them on
  lvs.vipless.fwmark:
    table: lvs_office
    vips: [203.0.113.10]
    ports: [icmp, tcp/80]
    sources: [198.51.100.0/24]
    iif: [eth0]
    mark: "3"
    exclude_macs: ["52:54:00:12:34:56"]

- name: All TCP and UDP traffic, chosen by a connection's first packet, and this host's own traffic too
  lvs.vipless.fwmark:
    table: lvs_target
    vips: [0.0.0.0/0, "::/0"]
    ports: [tcp, udp]
    mark: "0x20000/0x20000"
    new_connections: true
    hooks: [prerouting, output]

- name: The marks come back at boot
  lvs.vipless.fwmark:
    purge: true
    marks:
      - {vips: [203.0.113.10], ports: [tcp/80], mark: "0x10001"}
    file: /etc/lvs-vipless/director/marks.nft

- name: Packets for one VIP get no mark any more, whichever it was
  lvs.vipless.fwmark:
    vips: [203.0.113.10]
    ports: [tcp/80]
    state: absent

- name: Balance sshd, though the playbook itself comes in by it
  lvs.vipless.fwmark:
    table: lvs_ssh
    vips: [203.0.113.22]
    ports: [tcp/22]
    mark: "0x10022"
    force: true
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

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.controller import protected_connection
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_rules import HOOKS
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_table import Entry, MarkTable, complete
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired
from ansible_collections.lvs.vipless.plugins.module_utils._safety import refuse_odd

OPTIONS: dict[str, dict[str, Any]] = {
    "vips": {"type": "list", "elements": "str", "required": True},
    "ports": {"type": "list", "elements": "str", "required": True},
    "sources": {"type": "list", "elements": "str"},
    "iif": {"type": "list", "elements": "str"},
    "mark": {"type": "str"},
}
SPEC = one_or_many("marks", OPTIONS, identity="vips").merge(
    ArgumentSpec(
        {
            "table": {"type": "str", "default": "lvs_vipless"},
            "hooks": {"type": "list", "elements": "str", "choices": list(HOOKS)},
            "new_connections": {"type": "bool"},
            "exclude_macs": {"type": "list", "elements": "str"},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    entries = objects(params, "marks", OPTIONS)
    labelled = [pair for label, entry in entries for pair in mark_options.parse(entry, label, present)]
    table = mark_options.table(params, labelled)
    named = values.distinct(labelled)
    if present:
        mark_options.refuse_overlaps(labelled)
        refuse_odd("vips", () if params["force"] else {mark.vip for mark in named})
        wanted: list[Entry] = [table, *named] if named else []
        desired: Desired[Entry] = Desired(wanted, lambda _found: params["purge"], complete)
    else:
        keys = frozenset(m.key for m in named)
        desired = Desired(unwanted=lambda found: found.within(keys))
    file = boot_file(params["file"], "fwmark", MarkTable(table.name).written_out)
    connection = protected_connection(params["force"])
    return converge(MarkTable(table.name, connection=connection), desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
