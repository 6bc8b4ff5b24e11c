#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_address
short_description: Manage addresses of devices
version_added: 0.1.0
description:
  - Adds, changes and removes addresses, such as the VIP that a realserver of LVS-DR holds on C(lo).
  - An IPv4 address is known by itself, its prefix length and its device; an IPv6 address by itself and its device,
    because no device has it with two lengths. It is changed in place where the kernel can do that. The scope of an
    IPv4 address and the length of an IPv6 address it cannot change, so that address is removed and added at once.
  - IPv6 addresses are added without duplicate address detection, which hosts that share a VIP would fail.
  - Other addresses are left alone.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to change anything
notes:
  - With the last IPv4 address of a device the kernel takes away all IPv4 routes of that device, those of others too.
    What must stay is better a route on C(lo).
  - At boot the addresses come back without their owner, since C(ip) sets it from iproute2 6.3 on only. One without an
    owner that O(file) names is therefore taken as this module's own.
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
  - lvs.vipless.owner
attributes:
  diff_mode:
    description: Shows the addresses in scope before and after, a line each.
options:
  addresses:
    description: Addresses of several devices or scopes in one call, instead of the options below.
    type: list
    elements: dict
    suboptions:
      prefixes:
        description:
          - Addresses with their prefix length, of both families if wanted. One without a length is alone in its prefix.
          - Give a VIP on C(lo) no length, or C(/32) and C(/128). With a shorter one IPv4 takes every address of the
            prefix for the host's own (the C(lo:0) of the LVS-HOWTO), and IPv6 sends what is meant for them to C(lo).
        type: list
        elements: str
        required: true
      device: &device
        description: The device. It must exist, unless O(state=absent).
        type: str
        default: lo
      scope: &scope
        description:
          - Scope of IPv4 addresses, which decides what a packet of the host may have them as its source for.
            V(host) for addresses in 127.0.0.0/8 and V(global) for others if not given.
          - The scope of an IPv6 address lies in the address and cannot be given.
        type: str
        choices: [global, link, host]
      protocol: &protocol
        description:
          - Protocol number by which the owner of the address is known, 5 to 255. Kernels before 5.18 keep none.
          - Numbers of routing daemons and DHCP clients are refused, which are 8 to 18, 42, 84, 99 and 186 to 198.
        type: str
        default: "117"
  prefixes:
    description: See O(addresses[].prefixes). Either this or O(addresses) is required.
    type: list
    elements: str
  device: *device
  scope: *scope
  protocol: *protocol
  state:
    description:
      - Whether the addresses should exist. V(present) takes over an address that is there, and marks it.
      - V(absent) removes only addresses that carry the protocol given; where the kernel keeps none, whatever is named.
  purge:
    description:
      - Also remove every address, of any device, that carries O(purge_protocol) and is not listed in O(addresses).
      - Where the kernel keeps no protocol, nothing is known to be ours, and nothing more is removed.
  force:
    description:
      - Skip the safety refusals. Without it the module refuses to remove the address that the controller is connected
        to, or one that would take others with it (C(promote_secondaries)); to add a next hop's address or the
        controller's, a prefix on C(lo) that holds an address of another device, or one on another device that would
        have the controller in its network; and to take over an address that
        the kernel made by itself.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: The VIPs of a realserver
  lvs.vipless.ip_address:
    prefixes: [203.0.113.10, "2001:db8:f::10"]

- name: These VIPs and no others of ours
  lvs.vipless.ip_address:
    purge: true
    addresses:
      - {prefixes: [203.0.113.10, 203.0.113.11]}
      - {prefixes: [198.51.100.7/24], device: eth1}

- name: A VIP that other networks do not hear of, with a number of its own, now and after a reboot
  lvs.vipless.ip_address:
    purge: true
    purge_protocol: "118"
    addresses:
      - {prefixes: [203.0.113.10], device: eth1, scope: link, protocol: "118"}
    file: /etc/lvs-vipless/realserver/addresses.ip

- name: Remove it again, although the controller is connected to it
  lvs.vipless.ip_address:
    prefixes: [203.0.113.10]
    device: eth1
    protocol: "118"
    force: true
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add ipv4 203.0.113.10/32 dev lo scope global proto 117"]
"""

from dataclasses import replace
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.address_guard import guard
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.addresses import AddressList, keeps_owner
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import address, boot_lines, values
from ansible_collections.lvs.vipless.plugins.module_utils._model.address_restored import Restored
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

OPTIONS: dict[str, dict[str, Any]] = {
    "prefixes": {"type": "list", "elements": "str", "required": True},
    "device": {"type": "str", "default": "lo"},
    "scope": {"type": "str", "choices": list(address.SCOPES)},
    "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
}
SPEC = one_or_many("addresses", OPTIONS, identity="prefixes").merge(
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
    entries = objects(params, "addresses", OPTIONS)
    named = values.distinct(pair for label, entry in entries for pair in address.parse(entry, label))
    file = boot_file(params["file"], "ip_address", boot_lines.of_addresses)
    purged = values.owner("purge_protocol", params["purge_protocol"])
    if present:
        require_interfaces((f"{label}device", entry["device"]) for label, entry in entries)
    families = values.FAMILIES.values() if params["purge"] else {a.family for a in named}
    with Session(read_only=check_mode) as session:
        if not keeps_owner(session):
            named = [replace(a, protocol=address.UNOWNED) for a in named]
        restored = Restored(file.content() if file else ())
        listed = {(a.key, a.length, a.protocol) for a in named}
        if present:
            ours = restored.owned_by(purged)
            desired = Desired(named, lambda found: params["purge"] and ours(found), restored.complete)
        else:
            desired = Desired(unwanted=lambda found: (found.key, found.length, found.protocol) in listed)
        return converge(AddressList(session, families, None if params["force"] else guard), desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
