#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tproxy
short_description: Give packets for any address to a daemon of this host
version_added: 0.1.0
description:
  - Packets for addresses that this host does not have reach a local daemon, such as squid or haproxy. With
    O(method=tproxy) their header stays intact, so that the daemon sees both addresses, and answers as the address that
    the client asked.
  - The packets that stay here get a firewall mark. A routing rule for each interface (M(lvs.vipless.ip_rule)) and a
    local default route in a table of its own (M(lvs.vipless.ip_local_route)) deliver them; see the example. A rule
    without an interface delivers nothing while C(src_valid_mark) is 1.
  - A packet of a connection that the daemon has made or taken is found by its socket, whatever its address, and ICMP
    errors about it too. So a daemon can ask the origin in the client's name, provided that the answers pass this host.
    The rule for that is always there.
  - All lives in an nftables table of family C(inet) of its own, with maps that a packet is looked up in. More VIPs do
    not make more rules. No other table is read or touched. What is known, repaired and changed at once is as in
    M(lvs.vipless.fwmark).
  - Packets that this host sends itself are not given to the daemon.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - nft (package nftables, 1.0.6 or newer) on the managed host, and Linux 5.10 or newer
  - CAP_NET_ADMIN, to read the table too, so that check mode needs it
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
  - lvs.vipless.file
  - lvs.vipless.one_or_many
attributes:
  diff_mode:
    description: Shows the entries in scope before and after, a line each, and the table.
options:
  method:
    description:
      - V(tproxy) needs a daemon with the socket option IP_TRANSPARENT, such as squid with C(http_port 3129 tproxy) or
        haproxy with C(bind :3129 transparent). It may listen on every address, or on those of
        O(entries[].to_addresses), be they 127.0.0.1 and ::1 or a VIP. A daemon without that option gets nothing, as if
        it were down.
      - V(redirect) rewrites the destination to an address of this host (network address translation), and the kernel
        tells a daemon that asks for SO_ORIGINAL_DST what it was, such as squid with C(http_port 3129 intercept). It
        needs no mark, rule and route. Any daemon can be reached so, one that listens on 127.0.0.1 alone too, where
        C(route_localnet) is 1 on the interface that packets come in on.
      - A table has one method. To change it, remove the table or name another.
    type: str
    choices: [tproxy, redirect]
    default: tproxy
  entries:
    description: Many entries in one call, instead of one through the options below.
    type: list
    elements: dict
    suboptions:
      vips:
        description:
          - Addresses or prefixes that packets are sent to, of both families if wanted; V(0.0.0.0/0) and V(::/0) are
            all.
          - Which of two entries for one packet counts is as in M(lvs.vipless.fwmark), and two of one kind may not share
            one.
        type: list
        elements: str
        required: true
      ports:
        description: >-
          Destination ports and ranges of them, such as V(tcp/80), V(udp/53) or V(tcp/8000-8999), and V(tcp) or V(udp)
          for all their ports. Without O(entries[].to_port) and O(entries[].to_addresses), other protocols and V(any)
          too.
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
      to_port: &to_port
        description:
          - The port that the daemon listens on. That of the packet if not given.
          - Required for O(method=redirect).
        type: int
      to_addresses: &to_addresses
        description:
          - The address that the daemon listens on, one for each family of the VIPs. Not needed where it listens on
            every address. For O(method=redirect) it must be an address of this host; the first of the interface that
            the packet came in on if not given.
          - Without this and O(entries[].to_port), packets get the mark alone and meet the sockets of their own address
            and port. An IPv4 daemon needs IP_TRANSPARENT then too, for its answers.
        type: list
        elements: str
      own_addresses: &own_addresses
        description:
          - Also take packets for the addresses that this host has, such as a VIP on C(lo), and those that it broadcasts
            for.
          - With V(false) this host's own services stay reachable whatever the entry names.
        type: bool
        default: false
      when_down: &when_down
        description:
          - What becomes of the packets while no socket takes them. Required, but for O(state=absent).
          - V(open) lets them go on to the address that they were sent to. That needs forwarding, and clients pass the
            daemon by.
          - V(closed) drops them, so that a client waits, and is answered if the daemon is back soon. With
            O(method=redirect), and for IPv6 without O(entries[].to_port) and O(entries[].to_addresses), the kernel
            refuses the connection.
        type: str
        choices: [open, closed]
  vips:
    description: See O(entries[].vips). Either this or O(entries) is required.
    type: list
    elements: str
  ports:
    description: See O(entries[].ports). Required with O(vips).
    type: list
    elements: str
  sources:
    description: See O(entries[].sources).
    type: list
    elements: str
  iif:
    description: See O(entries[].iif).
    type: list
    elements: str
  to_port: *to_port
  to_addresses: *to_addresses
  own_addresses: *own_addresses
  when_down: *when_down
  mark:
    description:
      - The mark of packets that are delivered locally, as V(MARK) or V(MARK/MASK), decimal or with 0x. Bits outside the
        mask are kept.
      - Required for O(method=tproxy), but for O(state=absent).
    type: str
  new_connections:
    description:
      - With V(true), only TCP connections that begin are given to the daemon. Those that were on their way to others
        before go on, also when a daemon that was down with O(entries[].when_down=open) comes back. The bits of O(mark)
        are set in the connection's mark for that, which needs connection tracking.
      - With V(false), each packet counts, and such a connection is reset.
      - As it is if not given, and V(true) for a new table. For O(method=tproxy).
    type: bool
  exclude:
    description:
      - Addresses or prefixes that packets go on to as if there were no daemon, whatever the entries name. A daemon asks
        with the address of this host, so that it reaches what the client may not, such as the metadata service of a
        cloud. An empty list removes all.
      - V(::/96) and V(::ffff:0:0/96) are always excluded, since a daemon takes them for the IPv4 address inside.
      - As it is if not given.
    type: list
    elements: str
  close_ports:
    description:
      - With V(true), other hosts cannot ask the daemon itself, by connecting to O(entries[].to_port) at an address of
        this host. Such a request has no destination but the daemon, which some daemons then ask again and again.
        This host's own connections over C(lo) still can, and so can those to a port whose entry has
        O(entries[].own_addresses) or O(entries[].to_addresses).
      - As it is if not given, and V(false) for a new table.
    type: bool
  exclude_macs:
    description:
      - Source MAC addresses whose packets go on, such as those of another proxy. An empty list removes all.
      - As it is if not given.
    type: list
    elements: str
  table:
    description: Name of the table. A table of this name that holds anything else is refused, not taken over.
    type: str
    default: lvs_tproxy
  purge:
    description: With O(entries), remove every other entry of the table. An empty list then removes the table.
  force:
    description:
      - Take all the same what the controller is connected to.
    type: bool
    default: false
  state:
    description: V(absent) needs the VIPs and ports of an entry alone, with its sources and interfaces, if any.
seealso:
  - module: lvs.vipless.ip_rule
  - module: lvs.vipless.ip_local_route
notes:
  - What the daemon sends to the client has the origin's address as source, and what it sends to the origin in the
    client's name that of the client. Strict reverse path filters of other hosts can drop such packets.
"""

EXAMPLES = r"""
- name: Web traffic that comes in on eth0 goes to squid, with http_port 3129 tproxy, and nowhere while squid is down
  lvs.vipless.tproxy:
    mark: 0x20000/0x20000
    vips: [0.0.0.0/0, "::/0"]
    ports: [tcp/80]
    iif: [eth0]
    exclude: [169.254.0.0/16, 10.0.0.0/8, "fe80::/10"]
    to_port: 3129
    close_ports: true
    when_down: closed
    file: /etc/lvs-vipless/proxy/tproxy.nft

- name: What has the mark is delivered here; eth1 is where the origins answer
  lvs.vipless.ip_local_route:
    prefixes: [0.0.0.0/0, "::/0"]
    table: "102"

- name: One rule for each interface
  lvs.vipless.ip_rule:
    rules:
      - {priority: 101, family: both, iif: eth0, fwmark: 0x20000/0x20000, table: "102"}
      - {priority: 101, family: both, iif: eth1, fwmark: 0x20000/0x20000, table: "102"}

- name: Two VIPs for a haproxy that listens on loopback alone, with bind 127.0.0.1:8080 transparent
  lvs.vipless.tproxy:
    mark: 0x20000/0x20000
    purge: true
    entries:
      - vips: [203.0.113.10, 203.0.113.20]
        ports: [tcp/80, tcp/443]
        to_port: 8080
        to_addresses: [127.0.0.1]
        when_down: open

- name: The ports of a daemon that listens on them itself, for any address, with IP_TRANSPARENT
  lvs.vipless.tproxy:
    table: lvs_dns
    mark: 0x20000/0x20000
    vips: [203.0.113.53, "2001:db8:f::53"]
    ports: [tcp/53, udp/53]
    when_down: closed

- name: A VIP on lo for a daemon on another port, for each packet and not for those of another proxy
  lvs.vipless.tproxy:
    table: lvs_own
    mark: 0x20000/0x20000
    vips: [203.0.113.30]
    ports: [tcp/80]
    to_port: 8080
    own_addresses: true
    when_down: closed
    new_connections: false
    exclude_macs: ["52:54:00:12:34:56"]

- name: That VIP no more
  lvs.vipless.tproxy:
    table: lvs_own
    vips: [203.0.113.30]
    ports: [tcp/80]
    state: absent

- name: Squid without TPROXY, with http_port 3129 intercept
  lvs.vipless.tproxy:
    method: redirect
    vips: [0.0.0.0/0]
    ports: [tcp/80]
    sources: [198.51.100.0/24]
    to_port: 3129
    when_down: closed

- name: A proxy of the host's own connections, sshd's too
  lvs.vipless.tproxy:
    method: redirect
    table: lvs_all
    vips: [0.0.0.0/0]
    ports: [tcp]
    to_port: 3129
    own_addresses: true
    when_down: closed
    force: true
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - "add table inet lvs_tproxy method tproxy mark 0x20000/0x20000"
    - "add ipv4 0.0.0.0/0 tcp/80 iif eth0 goto tproxy_v4_tcp_any_3129_closed"
"""

from functools import partial
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec, objects, one_or_many
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_file import boot_file
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.controller import protected_connection
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_table import Entry, MarkTable, complete
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.proxy_content import ProxyContent
from ansible_collections.lvs.vipless.plugins.module_utils._model import mark_options, proxy, proxy_options, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

OPTIONS: dict[str, dict[str, Any]] = {
    "vips": {"type": "list", "elements": "str", "required": True},
    "ports": {"type": "list", "elements": "str", "required": True},
    "sources": {"type": "list", "elements": "str"},
    "iif": {"type": "list", "elements": "str"},
    "to_port": {"type": "int"},
    "to_addresses": {"type": "list", "elements": "str"},
    "own_addresses": {"type": "bool", "default": False},
    "when_down": {"type": "str", "choices": [proxy.OPEN, proxy.CLOSED]},
}
SPEC = one_or_many("entries", OPTIONS, identity="vips").merge(
    ArgumentSpec(
        {
            "method": {"type": "str", "choices": list(proxy.METHODS), "default": proxy.TPROXY},
            "mark": {"type": "str"},
            **{name: {"type": "bool"} for name in ("new_connections", "close_ports")},
            **{name: {"type": "list", "elements": "str"} for name in ("exclude", "exclude_macs")},
            "table": {"type": "str", "default": "lvs_tproxy"},
            "force": {"type": "bool", "default": False},
        }
    )
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present, method = params["state"] == "present", params["method"]
    entries = objects(params, "entries", OPTIONS)
    labelled = [pair for label, entry in entries for pair in proxy_options.parse(entry, label, method, present)]
    table = proxy_options.table(params, present and bool(labelled))
    named = values.distinct(labelled)
    if present:
        mark_options.refuse_overlaps(labelled)
        wanted: list[Entry] = [table, *named] if named else []
        desired: Desired[Entry] = Desired(wanted, lambda _found: params["purge"], complete)
    else:
        keys = frozenset(entry.key for entry in named)
        desired = Desired(unwanted=lambda found: found.within(keys))
    content = partial(ProxyContent, wanted=method if present and named else "")
    file = boot_file(params["file"], "tproxy", MarkTable(table.name, content).written_out)
    return converge(MarkTable(table.name, content, protected_connection(params["force"])), desired, check_mode, file)


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
