#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_tunnel
short_description: Manage tunnel interfaces that decapsulate packets
version_added: 0.1.0
description:
  - Makes the tunnel interfaces with which a realserver of LVS-Tun decapsulates the director's packets, and brings them
    up.
  - Each kernel module for tunnels has one interface of its own that takes packets from any address to any (C(tunl0),
    C(ip6tnl0), C(gre0), C(ip6gre0)). It is brought up by its name, and loads its kernel module by that. It cannot be
    removed - it goes down, and its kernel module stays loaded until the next boot, as somebody else may need it.
  - A tunnel is known by its name. Its alias says whose it is. A tunnel of somebody else is never changed; where it is
    already as asked for, it is taken as it is.
  - What comes out of a tunnel is answered on another interface, so that C(rp_filter) of the tunnel must be 0, which
    M(lvs.vipless.sysctl) sets. The larger of it and that of C(all) counts. The module refuses IPv4 tunnels while that
    of C(all) is not 0, and names the file that sets it.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - pyroute2 >= 0.7.2 on the managed host
  - CAP_NET_ADMIN, to change anything
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
attributes:
  diff_mode:
    description: Shows the tunnels in scope before and after, a line each.
options:
  tunnels:
    description: Many tunnels in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the interface. C(tunl0), C(ip6tnl0), C(gre0) and C(ip6gre0) come with the kernel module of their
            type.
        type: str
        required: true
      type: &type
        description:
          - V(ipip) carries IPv4 in IPv4, and V(ip6tnl) carries both families in IPv6, as IPVS sends them by default.
          - V(gre) and V(ip6gre) carry both families, in IPv4 and in IPv6, as IPVS sends them with tunnel type C(gre).
        type: str
        choices: [ipip, ip6tnl, gre, ip6gre]
        default: ipip
      local: &local
        description: The address of this host that packets in the tunnel are sent to, if not any. This is the RIP.
        type: str
      remote: &remote
        description:
          - The address that they come from, if not any. Anybody who can send packets to this host can otherwise make
            them come out of the tunnel, with any source address.
        type: str
  name:
    description: See O(tunnels[].name). Either this or O(tunnels) is required.
    type: str
  type: *type
  local: *local
  remote: *remote
  owner:
    description: The alias of the tunnels, by which they are known.
    type: str
    default: lvs.vipless
  state:
    description: Whether the tunnels should be there and up. V(absent) removes only tunnels whose alias is O(owner).
  purge:
    description: Also remove every tunnel whose alias is O(owner) and that is not listed in O(tunnels).
  force:
    description: Make IPv4 tunnels even while C(rp_filter) of C(all) is not 0.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Unpack what directors send, in both families
  lvs.vipless.ip_tunnel:
    tunnels:
      - {name: tunl0}
      - {name: ip6tnl0, type: ip6tnl}

- name: Only what one director sends
  lvs.vipless.ip_tunnel:
    name: director1
    local: 10.0.0.11
    remote: 10.0.0.2

- name: Tunnels of another program that shares this host, and no others of its alias, after a reboot too
  lvs.vipless.ip_tunnel:
    tunnels:
      - {name: gre0, type: gre}
    owner: office
    purge: true
    force: true
    file: /etc/lvs-vipless/office/tunnels.ip

- name: No tunnel from that director any more
  lvs.vipless.ip_tunnel:
    name: director1
    local: 10.0.0.11
    remote: 10.0.0.2
    state: absent

- name: Take what comes out, whatever way leads back
  lvs.vipless.sysctl:
    values:
      net.ipv4.conf.director1.rp_filter: 0
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample: ["add tunl0 type ipip local any remote any up alias lvs.vipless"]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.tunnels import TunnelLinks
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_lines, tunnel, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": list(tunnel.FAMILIES), "default": "ipip"},
    "local": {"type": "str"},
    "remote": {"type": "str"},
}
SPEC = one_or_many("tunnels", OPTIONS, identity="name").merge(
    ArgumentSpec(
        {
            "owner": {"type": "str", "default": tunnel.OWNER},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    own = tunnel.owner("owner", params["owner"])
    entries = objects(params, "tunnels", OPTIONS)
    named = values.distinct((f"{label}name", tunnel.parse(entry, label, own)) for label, entry in entries)
    file = boot_file(params["file"], "ip_tunnel", boot_lines.of_tunnels)
    desired = tunnel.desired(named, own, present=params["state"] == "present", purge=params["purge"])
    with Session(read_only=check_mode) as session:
        links = TunnelLinks(session, [one.name for one in named], force=params["force"])
        return converge(links, desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
