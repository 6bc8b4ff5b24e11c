#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_info
short_description: Read IPVS services, their destinations and what they carried
version_added: 0.1.0
description:
  - Returns the virtual services of the kernel's load balancer in this network namespace, with their destinations,
    connections and statistics. Changes nothing, and never loads ip_vs.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, where ip_vs is loaded
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.reader
options: {}
"""

EXAMPLES = r"""
- name: Read the services
  lvs.vipless.ipvs_info:
  register: ipvs

- name: Put the same services on another director
  lvs.vipless.ipvs_service:
    services: "{{ ipvs.configuration }}"
  delegate_to: director2
"""

RETURN = r"""
loaded:
  description: Whether ip_vs is loaded. If it is not, the lists are empty.
  returned: success
  type: bool
version:
  description: Version of ip_vs.
  returned: where it is loaded
  type: str
  sample: 1.2.1
connection_table_size:
  description: Number of rows in the table of connections.
  returned: where it is loaded
  type: int
  sample: 4096
config:
  description: Timeouts and sync daemons, as M(lvs.vipless.ipvs_config) takes them.
  returned: where it is loaded
  type: dict
  sample: {tcp_timeout: 900, tcp_fin_timeout: 120, udp_timeout: 300, daemons: []}
services:
  description: The services with what they carried, sorted by family, firewall mark, protocol, VIP and port.
  returned: success
  type: list
  elements: dict
  contains:
    family:
      description: V(ipv4) or V(ipv6).
      returned: always
      type: str
    fwmark:
      description: Firewall mark, with 0x.
      returned: for a service by firewall mark
      type: str
      sample: "0x10001"
    vip:
      description: Virtual address.
      returned: for a service by VIP
      type: str
    protocol:
      description: V(tcp), V(udp) or V(sctp).
      returned: for a service by VIP
      type: str
    port:
      description: Port, or 0 for every port.
      returned: for a service by VIP
      type: int
    scheduler:
      description: Name of the scheduler.
      returned: always
      type: str
    persistent:
      description: Timeout of a persistent service, in seconds.
      returned: for a persistent service
      type: int
    persistent_netmask:
      description: Prefix length, or an IPv4 netmask that is none.
      returned: for a persistent service
      type: str
    flags:
      description: Flags of the service, as of O(lvs.vipless.ipvs_service#module:services[].flags).
      returned: where there are any
      type: list
      elements: str
    persistence_engine:
      description: Name of the persistence engine.
      returned: where there is one
      type: str
    destinations:
      description: The realservers, sorted by address and port.
      returned: always
      type: list
      elements: dict
      contains:
        address:
          description: Address of the realserver.
          returned: always
          type: str
        port:
          description: Port of the realserver.
          returned: always
          type: int
        forwarding:
          description: V(direct), V(tunnel) or V(masquerade). Other programs can also have made V(local) and V(bypass).
          returned: always
          type: str
        weight:
          description: Weight.
          returned: always
          type: int
        upper_threshold:
          description: With so many connections the destination gets no new ones.
          returned: where there is one
          type: int
        lower_threshold:
          description: Below so many connections the destination gets new ones again.
          returned: where there is one
          type: int
        tunnel_type:
          description: V(gue) or V(gre).
          returned: for a tunnel that is not of type ipip
          type: str
        tunnel_port:
          description: UDP port of the tunnel.
          returned: for a tunnel of type gue
          type: int
        tunnel_checksum:
          description: V(none), V(csum) or V(remcsum).
          returned: for a tunnel that is not of type ipip
          type: str
        active_connections:
          description: TCP and SCTP connections that are established.
          returned: always
          type: int
        inactive_connections:
          description: All other connections, such as those of UDP.
          returned: always
          type: int
        persistent_connections:
          description: Clients that are kept at this realserver.
          returned: always
          type: int
        stats:
          description: As for the service.
          returned: always
          type: dict
    stats:
      description:
        - What was carried since the service was added, as C(connections), C(packets_in), C(packets_out), C(bytes_in)
          and C(bytes_out), and the current rate of each, such as C(connections_per_second).
        - The kernel adds up every two seconds what its processors counted.
      returned: always
      type: dict
configuration:
  description:
    - The same services without what was carried, as O(lvs.vipless.ipvs_service#module:services) takes them. Each has
      the keys of RV(services), but for C(stats) and the three counts of connections of its destinations.
  returned: success
  type: list
  elements: dict
  sample:
    - family: ipv4
      fwmark: "0x10001"
      scheduler: wlc
      destinations: [{address: 10.0.0.11, port: 0, forwarding: direct, weight: 1}]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.genl import NETLINK_GENERIC
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs import read_all
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.ipvs_config import Config, info
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs_config, ipvs_report
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec()


def run(_params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The module's work. It is the same in check mode."""
    loaded = ipvs_modules.loaded()
    found: list[ipvs_report.Listed] = []
    about: dict[str, Any] = {}
    if loaded:
        with Session(NETLINK_GENERIC, read_only=True) as session:
            found = read_all(session)
            about = {**info(session)._asdict(), "config": ipvs_config.report(Config(session).read())}
    return {
        "changed": False,
        "loaded": loaded,
        **about,
        "services": [ipvs_report.report(service) for service in found],
        "configuration": [ipvs_report.configuration(service) for service in found],
    }


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
