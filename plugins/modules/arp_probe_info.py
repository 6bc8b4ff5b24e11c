#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: arp_probe_info
short_description: Ask a link who has an address
version_added: 0.1.0
description:
  - Asks, as a neighbour would, who has each address, by ARP or neighbour discovery, and returns the MACs of all that
    answer. Changes nothing here. Those that are asked learn the address and MAC of this host, as from any neighbour.
  - Two hosts that answer for one address are both told. The kernel would keep one of them, and C(arping) shows one.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_RAW
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  targets:
    description: The addresses to ask for, of both families.
    type: list
    elements: str
    required: true
  interface:
    description: The interface to ask on. Either this or O(interface_with) is required.
    type: str
  interface_with:
    description: Ask on the interface that has one of these addresses.
    type: list
    elements: str
  seconds:
    description: How long to wait for answers. Each question is asked twice in that time.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Ask on the router who has the VIPs
  lvs.vipless.arp_probe_info:
    interface: eth1
    targets: [203.0.113.10, "2001:db8:f::10"]
  register: heard

- name: Ask on whichever interface is on the directors' link, and wait longer
  lvs.vipless.arp_probe_info:
    interface_with: [10.0.0.1, "2001:db8:a::1"]
    targets: [203.0.113.10]
    seconds: 3

- name: Nobody has
  ansible.builtin.assert:
    that: heard | lvs.vipless.query('answers[?macs]') == []
    fail_msg: "{{ heard | lvs.vipless.query('answers[?macs].target') | join(', ') }} is answered for."
"""

RETURN = r"""
interface:
  description: The interface that was asked on.
  returned: success
  type: str
  sample: eth1
answers:
  description: Who answered for each address, in the order of O(targets).
  returned: success
  type: list
  elements: dict
  contains:
    target:
      description: The address.
      returned: always
      type: str
    macs:
      description: Each MAC that answered.
      returned: always
      type: list
      elements: str
    asked:
      description: Whether it could be asked. The interface must have an address of the family.
      returned: always
      type: bool
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import asking, surroundings
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "targets": {"type": "list", "elements": "str", "required": True},
        "interface": {"type": "str"},
        "interface_with": {"type": "list", "elements": "str"},
        "seconds": {"type": "float", "default": 1.0},
    },
    mutually_exclusive=[("interface", "interface_with")],
    required_one_of=[("interface", "interface_with")],
)


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    targets = [plain.address(f"targets[{place}]", text) for place, text in enumerate(params["targets"])]
    require_interfaces([("interface", params["interface"])])
    with Session(read_only=True) as session:
        own = surroundings.own_addresses(session)
    interface = asking.interface_of(own, params["interface"], params["interface_with"] or [])
    # Of two, a global one: it is there already when a link-local one is still being looked for on the link.
    ordered = sorted((text for text, device in own.items() if device == interface), key=asking.is_global)
    mine = {plain.address("own", text)[0]: text for text in ordered}
    heard = asking.Link(interface, mine).who_has(targets, params["seconds"])
    answers = [{"target": t, "macs": heard.get(t, []), "asked": t in heard} for _family, t in targets]
    return {"changed": False, "interface": interface, "answers": answers}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
