#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_config
short_description: Set what IPVS keeps beside its services
version_added: 0.1.0
description:
  - Sets the timeouts of connections and runs the sync daemons, through which a director tells another of its
    connections, as C(ipvsadm --set) and C(ipvsadm --start-daemon) do.
  - What is not given stays as it is found.
  - All of this is memory of the running kernel. Nothing but this module brings it back after a reboot, or after
    C(ip_vs) was loaded anew.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to read as well
  - A kernel with ip_vs, which is loaded when it is needed, but not in check mode
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  diff_mode:
    description: Shows timeouts and daemons before and after, a line each.
options:
  tcp_timeout:
    description: Seconds after which an idle TCP connection is forgotten, 1 to 2147483. The kernel begins with 900.
    type: int
  tcp_fin_timeout:
    description: The same for a TCP connection that one side has ended. The kernel begins with 120.
    type: int
  udp_timeout:
    description: The same for what UDP has in place of a connection. The kernel begins with 300.
    type: int
  daemons:
    description:
      - The sync daemons that run, one of each role at most. An empty list stops both.
      - The kernel cannot change a daemon while it runs. Where one of its options changes, it is stopped and started
        again.
    type: list
    elements: dict
    suboptions:
      role:
        description: V(master) tells of the connections of this host, V(backup) takes those of others.
        type: str
        choices: [master, backup]
        required: true
      interface:
        description: Interface that the messages go through. It must exist, and have an address of the group's family.
        type: str
        required: true
      id:
        description: Number of the cluster, 0 to 255. Messages of another number are passed over.
        type: int
        default: 0
      group:
        description: Multicast address that the messages go to. The kernel takes 224.0.0.81 if not given.
        type: str
      port:
        description: UDP port that the messages go to, 1 to 65535. The kernel takes 8848 if not given.
        type: int
      ttl:
        description: Time to live of the messages, 1 to 255. The kernel takes 1 if not given.
        type: int
      maxlen:
        description: Most bytes of connections in a message. The kernel takes what the interface can carry if not given.
        type: int
"""

EXAMPLES = r"""
- name: Idle connections are forgotten after ten minutes, half closed ones and those of UDP after one
  lvs.vipless.ipvs_config:
    tcp_timeout: 600
    tcp_fin_timeout: 60
    udp_timeout: 60

- name: Each of two directors tells the other of its connections
  lvs.vipless.ipvs_config:
    daemons:
      - {role: master, interface: eth1, id: 7}
      - {role: backup, interface: eth1, id: 7, group: 224.0.0.82, port: 8849, ttl: 2, maxlen: 1400}

- name: No director tells another
  lvs.vipless.ipvs_config:
    daemons: []
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["change timeouts tcp 900 tcp_fin 120 udp 300 to timeouts tcp 600 tcp_fin 120 udp 300"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs_config import Config
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.links import require_interfaces
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs_config
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

DAEMON: dict[str, dict[str, Any]] = {
    "role": {"type": "str", "choices": list(ipvs_config.ROLES), "required": True},
    "interface": {"type": "str", "required": True},
    "id": {"type": "int", "default": 0},
    "group": {"type": "str"},
    **{name: {"type": "int"} for name in ("port", "ttl", "maxlen")},
}
SPEC = ArgumentSpec(
    {
        **{f"{name}_timeout": {"type": "int"} for name in ipvs_config.Timeouts._fields},
        "daemons": {"type": "list", "elements": "dict", "options": DAEMON},
    }
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    desired = ipvs_config.desired(params)
    entries = enumerate(params["daemons"] or [])
    require_interfaces((f"daemons[{place}].interface", entry["interface"]) for place, entry in entries)
    ipvs_modules.require([], [])
    with Session(NETLINK_GENERIC, read_only=check_mode) as session:
        return converge(Config(session), desired, check_mode)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
