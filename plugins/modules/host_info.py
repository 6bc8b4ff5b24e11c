#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Read what decides about packets beside rules, routes and marks
version_added: 0.1.0
description:
  - Reads the kernel settings that are in force on each interface, the host's addresses, the state of systemd units, and
    who else manages its network. Changes nothing, and needs no privilege.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options:
  units:
    description: Units of systemd whose state is to be read, such as V(lvs-vipless-director.service).
    type: list
    elements: str
    default: []
  sysctls:
    description: Kernel parameters to read, written as for M(lvs.vipless.sysctl).
    type: list
    elements: str
    default: []
  towards:
    description: Addresses, of which the interface that leads there is to be told.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Read what is around
  lvs.vipless.host_info:
    units: [lvs-vipless-director.service]
    sysctls: [net.ipv4.vs.expire_nodest_conn]
    towards: [198.51.100.7]
  register: around

- name: Nobody undoes the rules
  ansible.builtin.assert:
    that: around | lvs.vipless.query('managers[?harmful]') == []
    fail_msg: "{{ around | lvs.vipless.query('managers[?harmful].remedy') | join(' ') }}"
"""

RETURN = r"""
interfaces:
  description: >-
    The settings in force on each interface but C(lo). For all but forwarding, the kernel takes the larger of C(all) and
    the interface's own.
  returned: success
  type: dict
  sample: {eth0: {rp_filter: 0, src_valid_mark: 0, arp_ignore: 1, arp_announce: 2, forwarding: 1, forwarding6: 1}}
addresses:
  description: The interface of each address of this host, but for those on C(lo).
  returned: success
  type: dict
  sample: {10.0.0.2: eth0}
towards:
  description: The interface that leads to each address of O(towards), or null where none does.
  returned: success
  type: dict
  sample: {198.51.100.7: eth0}
sysctls:
  description: The value of each parameter of O(sysctls), or null where the kernel has no such one.
  returned: success
  type: dict
  sample: {net.ipv4.vs.expire_nodest_conn: "1"}
sysctls_at_boot:
  description: >-
    The file that decides about each parameter of O(sysctls) at boot, and its value there, or null where no file does.
    The value is null where the file only keeps the parameter from being set.
  returned: success
  type: dict
  sample:
    net.ipv4.vs.expire_nodest_conn: {file: /etc/sysctl.d/90-lvs-vipless-director.conf, value: "1"}
units:
  description: Whether each unit of O(units) is enabled and active. Empty where systemd does not run.
  returned: success
  type: dict
  sample: {lvs-vipless-director.service: {enabled: true, active: true}}
markers:
  description: >-
    Each chain of nftables or iptables-nft of others that may change the marks of packets. None where the module does
    not run as root.
  returned: success
  type: list
  elements: dict
  contains:
    chain:
      description: Its family, table and name.
      returned: always
      type: str
      sample: ip mangle PREROUTING
    bits:
      description: The bits that it may change. All of them where that depends on the packet.
      returned: always
      type: str
      sample: "0xff0000"
managers:
  description: >-
    Other programs that manage the network of this host, and each chain of nftables or iptables-nft that drops what it
    does not name, where the module runs as root.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      returned: always
      type: str
      sample: systemd-networkd
    harmful:
      description: Whether it would undo what this collection does.
      returned: always
      type: bool
    concern:
      description: What it does.
      returned: always
      type: str
    remedy:
      description: What to do, where it is harmful.
      returned: always
      type: str
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import (
    marking,
    nft,
    surroundings,
    sysctl,
    sysctl_source,
)
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.delivery import way_out
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import plain
from ansible_collections.lvs.vipless.plugins.module_utils._model.managers import filters, judge
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import path_of
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {name: {"type": "list", "elements": "str", "default": []} for name in ("units", "sysctls", "towards")}
)


def run(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    targets = {text: plain.address("towards", text) for text in params["towards"]}
    paths = {name: path_of("sysctls", name) for name in params["sysctls"]}
    decided = sysctl_source.at_boot(paths.values())
    units = surroundings.units(params["units"])
    ruleset = nft.ruleset()
    with Session(read_only=True) as session:
        addresses = surroundings.own_addresses(session)
        towards = {text: way_out(session, family, address) for text, (family, address) in targets.items()}
    return {
        "changed": False,
        "interfaces": surroundings.settings(),
        "addresses": addresses,
        "towards": towards,
        "sysctls": {name: sysctl.read(path) for name, path in paths.items()},
        "sysctls_at_boot": {name: one._asdict() if (one := decided[path]) else None for name, path in paths.items()},
        "units": {name: units[name]._asdict() for name in params["units"] if name in units},
        "managers": [*judge(units, surroundings.files()), *filters(ruleset)],
        "markers": marking.others(ruleset),
    }


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
