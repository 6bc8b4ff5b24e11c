#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_guard
short_description: Keep a director's own daemons from answering at the VIPs
version_added: 0.1.0
description:
  - Where a VIP is an address of the director or a local route in table C(local), whatever listens on all addresses of
    the director answers there too, such as its sshd. This module refuses what comes in for a VIP and has no firewall
    mark by which IPVS would balance it, as a closed port would.
  - ICMP passes. IPVS takes errors to the realserver that they are about, and the director answers pings.
  - The guard is an nftables table of family C(inet) of its own, with a set of VIPs for each family. More VIPs do not
    make more rules. No other table is read or touched. All changes of a run are one transaction.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - nft (package nftables, 1.0.6 or newer) on the managed host, and Linux 5.6 or newer
  - CAP_NET_ADMIN, to read the table too, so that check mode needs it
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  diff_mode:
    description: Shows the VIPs before and after, a line each, and the table.
options:
  vips:
    description:
      - Addresses and prefixes to guard, of both families if wanted, exactly these. One that lies in another needs no
        place of its own. Required for O(state=present). Without any the table goes.
    type: list
    elements: str
  mask:
    description: The bits of the firewall mark by which IPVS's packets are known. One of them is enough to pass.
    type: str
    default: "0x10000"
  table:
    description: Name of the table. A table of this name that holds anything else is refused, not taken over.
    type: str
    default: lvs_vipless_guard
  file:
    description:
      - Absolute path of the file that brings the table back at boot, in the format of C(nft --file), such as
        C(/etc/lvs-vipless/director/guard.nft). M(lvs.vipless.boot_unit) reads it at boot.
      - It is removed where the table is. Directories below C(/etc/lvs-vipless) are made as needed.
      - The file must not exist yet, or must have been written by this module.
    type: str
  force:
    description:
      - Guard VIPs all the same that hold an address of one of the host's own networks or the address that the
        controller is connected to, and special ones, such as link-local ones. Nobody reaches the host there then.
    type: bool
    default: false
  state:
    description: Whether the VIPs should be guarded. V(absent) removes the table.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Refuse what is meant for the VIPs and is not balanced
  lvs.vipless.vip_guard:
    vips: [203.0.113.10, 203.0.113.64/26, "2001:db8:f::/64"]

- name: The same for other marks, in a table of another name, after a reboot too
  lvs.vipless.vip_guard:
    vips: [198.51.100.64/26]
    mask: "0x20000"
    table: lvs_office_guard
    file: /etc/lvs-vipless/office/guard.nft

- name: Let the host answer for itself again
  lvs.vipless.vip_guard:
    state: absent

- name: Guard an address of one of the host's own networks too
  lvs.vipless.vip_guard:
    vips: [10.0.0.40]
    table: lvs_own_guard
    force: true
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - "add table inet lvs_vipless_guard refuses what has no bit of 0x10000"
    - "add ipv4 vip 203.0.113.10"
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.guard_table import GuardTable
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.host import protected_addresses
from ansible_collections.lvs.vipless.plugins.module_utils._model import vip_guard
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "vips": {"type": "list", "elements": "str"},
        "mask": {"type": "str", "default": "0x10000"},
        "table": {"type": "str", "default": "lvs_vipless_guard"},
        "file": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    table, vips = vip_guard.parse(params)
    desired = vip_guard.desired(table, vips, params["state"] == "present")
    file = boot_file(params["file"], "vip_guard", GuardTable(table.name).written_out)
    return converge(GuardTable(table.name, protected_addresses(params["force"])), desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
