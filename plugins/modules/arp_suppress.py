#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_suppress
short_description: Keep a host silent on ARP for addresses that its interfaces do not have
version_added: 0.1.0
description:
  - A realserver of LVS-DR or LVS-TUN has the VIP on C(lo). By default Linux answers ARP for it on every interface, and
    asks for others in its name, and so takes the VIP's traffic away from the director. This module sets C(arp_ignore)
    and C(arp_announce) so that it does neither. Run it before the VIP appears.
  - With O(method=nftables) it keeps silent about the VIPs alone, by an nftables table of family C(arp) of its own,
    whatever interface has them, and leaves the levels as they are. All changes of a run are one transaction.
  - On each interface the larger of its own level and that of C(all) counts. The module tells what counts, and warns
    where that is not what was asked for.
  - IPv4 only, since IPv6 needs nothing of the kind. Neighbour discovery answers for an address only on the interface
    that has it, so nobody answers for a VIP on C(lo).
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - root, to change anything
  - nft (package nftables, 1.0.6 or newer), Linux 5.6 or newer, pyroute2 >= 0.7.2 and CAP_NET_ADMIN, to read too, for
    O(method=nftables)
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  diff_mode:
    description: Shows each value before and after, the running kernel and the file in lines of their own.
options:
  method:
    description:
      - V(sysctl) sets the levels below.
      - V(nftables) drops questions for the VIPs as they arrive, and answers and announcements (gratuitous ARP) of them
        as they leave. Where the host asks for a neighbour in the name of a VIP, the question leaves in the name of
        another of its addresses. Frames that a program sends by a packet socket, as arping does, pass by nftables.
    type: str
    choices: [sysctl, nftables]
    default: sysctl
  vips:
    description:
      - IPv4 addresses and prefixes to keep silent about, exactly these. Required for O(method=nftables), but for
        O(state=absent), which removes the table if they are not given. With the last VIP the table goes.
    type: list
    elements: str
  source:
    description:
      - The address of the host to ask as in place of a VIP, for O(method=nftables). If not given, it is the first
        address of each interface that is no VIP. An interface without one does not ask in the name of a VIP at all.
    type: str
  table:
    description:
      - Name of the table for O(method=nftables). A table of this name that holds anything else is refused, not taken
        over.
    type: str
    default: lvs_vipless
  interfaces:
    description:
      - The interfaces to set. V(all) reaches every interface, those to come too.
      - An interface must exist.
    type: list
    elements: str
    default: [all]
  arp_ignore:
    description:
      - V(0) answers for every address of the host.
      - V(1) answers only for addresses of the interface that was asked on.
      - V(2) answers only if, beside that, the one who asks is in the network of that address.
      - V(3) does not answer for addresses of scope host.
      - V(8) answers for none.
    type: int
    choices: [0, 1, 2, 3, 8]
    default: 1
  arp_announce:
    description:
      - V(0) asks in the name of any address of the host.
      - V(1) avoids one that is not in the network of the address asked for.
      - V(2) takes the address of the interface that fits best.
    type: int
    choices: [0, 1, 2]
    default: 2
  file:
    description:
      - Absolute path of the file that sets the levels at boot, such as C(/etc/sysctl.d/90-lvs-vipless-arp.conf). With
        O(method=nftables), the file that makes the table at boot, such as C(/etc/lvs-vipless/realserver/arp.nft), which
        M(lvs.vipless.boot_unit) reads.
      - Nothing but the running kernel is changed if not given. Its directory must exist, or be below
        C(/etc/lvs-vipless).
      - The file belongs to this module as a whole. It must not exist yet, or must have been written by this module.
    type: str
  force:
    description:
      - With O(method=nftables), keep silent all the same about VIPs that hold an address of one of the host's own
        networks or the address that the controller is connected to. Nobody there finds the host any more then.
    type: bool
    default: false
  state:
    description:
      - V(present) sets the levels in the running kernel, and makes the file hold them and nothing else.
      - V(absent) sets both levels of the interfaces to the kernel's default, which is 0, and removes the file.
      - For O(method=nftables) see O(vips).
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: A realserver does not answer for its VIPs, now and after a reboot
  lvs.vipless.arp_suppress:
    file: /etc/sysctl.d/90-lvs-vipless-arp.conf

- name: Only on the interface that shares its network with the director
  lvs.vipless.arp_suppress:
    interfaces: [eth1]

- name: Silent about the VIPs alone, while other addresses are answered for on every interface
  lvs.vipless.arp_suppress:
    method: nftables
    vips: [203.0.113.10, 203.0.113.64/26]
    source: 10.0.0.11

- name: Levels of one's own, for all interfaces
  lvs.vipless.arp_suppress:
    interfaces: [all]
    arp_ignore: 2
    arp_announce: 1

- name: Answer for one VIP again, which a table of another name is silent about
  lvs.vipless.arp_suppress:
    method: nftables
    table: lvs_office
    vips: [203.0.113.10]
    state: absent

- name: Silent about an address of one of the host's own networks too, which another path leads to
  lvs.vipless.arp_suppress:
    method: nftables
    vips: [10.0.0.40]
    force: true
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["change runtime net.ipv4.conf.all.arp_ignore = 0 to runtime net.ipv4.conf.all.arp_ignore = 1"]
effective:
  description: What counts on each interface of the host afterwards, or would in check mode.
  returned: for O(method=sysctl)
  type: dict
  sample: {eth0: {arp_ignore: 1, arp_announce: 2}, lo: {arp_ignore: 1, arp_announce: 2}}
overridden:
  description: Keys that another file decides about at boot, in place of O(file), as M(lvs.vipless.sysctl) returns them.
  returned: success
  type: list
  elements: dict
  sample:
    - {key: net.ipv4.conf.all.arp_ignore, value: "1", file: /etc/sysctl.d/99-hardening.conf, file_value: "0"}
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.arp import outcome
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.arp_table import ArpTable, guarded, sources
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl import Sysctls, require_keys
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_file import SysctlFile
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_source import overridden
from ansible_collections.lvs.vipless.plugins.module_utils._model import arp, arp_silence, sysctl, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "method": {"type": "str", "choices": ["sysctl", "nftables"], "default": "sysctl"},
        "vips": {"type": "list", "elements": "str"},
        **{name: {"type": "str"} for name in ("source", "file")},
        "table": {"type": "str", "default": "lvs_vipless"},
        "force": {"type": "bool", "default": False},
        "interfaces": {"type": "list", "elements": "str", "default": [arp.ALL]},
        "arp_ignore": {"type": "int", "choices": list(arp.LEVELS["arp_ignore"]), "default": 1},
        "arp_announce": {"type": "int", "choices": list(arp.LEVELS["arp_announce"]), "default": 2},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    return (_by_nftables if params["method"] == "nftables" else _by_sysctl)(params, present, check_mode)


def _by_nftables(params: dict[str, Any], present: bool, check_mode: bool) -> dict[str, Any]:
    wanted = arp_silence.parse(params, present)
    require_interfaces((option, name) for option, name in arp.labelled(params["interfaces"]) if name != arp.ALL)
    desired = arp_silence.desired(wanted, sources(wanted) if present else (), present)
    file = boot_file(params["file"], "arp_suppress", ArpTable(wanted.table).written_out)
    return {**converge(guarded(wanted, params["force"]), desired, check_mode, file), "overridden": [], "warnings": []}


def _by_sysctl(params: dict[str, Any], present: bool, check_mode: bool) -> dict[str, Any]:
    arp.refuse_others(params)
    names = params["interfaces"]
    asked = {key: params[key] if present else 0 for key in arp.LEVELS}
    settings = values.distinct(arp.settings(names, asked))
    require_interfaces((option, name) for option, name in arp.labelled(names) if name != arp.ALL)
    require_keys(("interfaces", s.name) for s in settings)
    file = SysctlFile("file", params["file"], "arp_suppress") if params["file"] is not None else None
    desired = sysctl.desired(settings, file.path if file else None, with_file=present)
    result = converge(Sysctls((s.name for s in settings), file), desired, check_mode)
    effective, differing = outcome(names, settings, asked)
    others, warned = overridden(settings if present else [], file)
    return {**result, "effective": effective, "overridden": others, "warnings": differing + warned}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
