#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_unit
short_description: Bring rules, routes, marks and IPVS services back at boot
version_added: 0.1.0
description:
  - Makes, enables and starts a systemd unit that brings back, before the network comes up, what the files in
    C(/etc/lvs-vipless/NAME) hold. It needs no Python. The other modules of this collection write these files through
    their option C(file).
  - These names are read, in this order - C(arp.nft), C(guard.nft), C(tunnels.ip), C(addresses.ip), C(neighbors.ip),
    C(routes.ip), C(hops.ip), C(services.ipvs), C(rules.ip), C(marks.nft),
    C(tproxy.nft).
  - The script C(/etc/lvs-vipless/NAME/restore) does it. It adds what is missing and touches nothing that is there,
    so it may be run at any time. It runs again when C(nftables.service) was started, reloaded or stopped, which flushes
    all tables on Debian, and when the kernel module C(ip_vs) is loaded anew.
  - Where systemd-networkd runs, a drop-in keeps it from deleting rules and routes that it did not make. It honours the
    drop-in from its next start on.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - systemd on the managed host, for O(state=present)
  - root
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  diff_mode:
    description: Shows each line of each file, and whether the unit is enabled and active.
options:
  name:
    description: The directory below C(/etc/lvs-vipless), such as V(director). The unit is C(lvs-vipless-NAME.service).
    type: str
    required: true
  sysctl_file:
    description:
      - The file of kernel parameters that come with a kernel module or an interface, such as those below
        C(net.ipv4.vs), which C(ip_vs) forgets when it is loaded anew.
    type: str
  watch:
    description:
      - Routes to a next hop and neighbour entries vanish when their interface goes down. With V(true) the unit starts
        after the network, keeps running, and restores them whenever an interface comes up or gets an address.
    type: bool
    default: false
  state:
    description:
      - V(present) makes the unit with all that belongs to it, enables and starts it.
      - V(absent) stops and removes all that V(present) makes, and the files that it reads. What the unit brought back
        stays at runtime.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Write what delivers marked packets for the next boot too
  lvs.vipless.ip_rule:
    rules:
      - {family: both, priority: 100, iif: eth0, fwmark: 0x10000/0x10000, table: 100}
    file: /etc/lvs-vipless/director/rules.ip

- name: Bring it back at boot
  lvs.vipless.boot_unit:
    name: director
    sysctl_file: /etc/sysctl.d/90-lvs-vipless-director.conf

- name: Bring back what an interface took along, whenever one comes
  lvs.vipless.boot_unit:
    name: router
    watch: true

- name: Leave nothing behind
  lvs.vipless.boot_unit:
    name: director
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - "add /etc/lvs-vipless/director/restore (0755)"
    - "add lvs-vipless-director.service: enabled"
"""

from contextlib import nullcontext
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_unit import Unit, require_systemd
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_unit
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "sysctl_file": {"type": "str"},
        "watch": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    name = boot_unit.unit_name("name", params["name"])
    reapplied = boot_unit.sysctl_file("sysctl_file", params["sysctl_file"])
    files = boot_unit.files(params["name"], reapplied, watch=params["watch"])
    present = params["state"] == "present"
    if present:
        require_systemd()
    leaving = boot_unit.watch_file(params["name"]) if not params["watch"] else {}
    unit = Unit(name, files, leaving if present else {**leaving, **boot_unit.read_files(params["name"])})
    wanted = unit.wanted() if present else []
    # systemd runs the script that restores, which waits until no module changes anything.
    return converge(unit, Desired(wanted, lambda _found: True), check_mode, alone=nullcontext)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
