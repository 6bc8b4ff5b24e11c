# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that give packets to a daemon: as nft(8) takes them, and as it lists them. Pure.

A packet of a connection that a daemon has is found by its socket, in either direction; one that begins a connection is
looked up in the maps. A listening socket counts for no connection, and neither does what is left of an ended one for a
packet that begins another (nf_tproxy_handle_time_wait4() in net/ipv4/netfilter/nf_tproxy_ipv4.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from ipaddress import ip_address, ip_network
from operator import or_
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_layout import Expression, chain_of
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_rules import LOOKUPS, MACS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import protocol_number
from ansible_collections.lvs.vipless.plugins.module_utils._model.proxy import DELIVER, REDIRECT, TPROXY, Target
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import FULL_MASK, IPV6, Network

BASE = {
    # After priority mangle, where others set whole marks; of two chains at one priority the newer one is first.
    TPROXY: {"type": "filter", "hook": "prerouting", "prio": -145, "policy": "accept"},
    REDIRECT: {"type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"},
}
"""Before the routing decision; redirect at priority dstnat."""
NEVER = ("::/96", "::ffff:0.0.0.0/96")
"""A daemon takes these for the IPv4 address inside (IP6T_SO_ORIGINAL_DST), be it 127.0.0.1 or one behind a firewall."""

CLOSED = "closed_ports"
"""The chain with the ports that only this host itself may ask. It is there where ports are to be closed."""

_FLAGS = {"payload": {"protocol": "tcp", "field": "flags"}}
_SYN, _LOOKED_AT = 0x02, 0x17
"""Of FIN, SYN, RST and ACK, a packet that begins a connection has SYN alone."""
_LOCAL = 2
"""RTN_LOCAL"""
_STAYING = [_LOCAL, 3, 5]
"""With RTN_BROADCAST and RTN_MULTICAST."""


def _match(left: Expression, right: Expression, op: str = "==") -> Expression:
    return {"match": {"op": op, "left": left, "right": right}}


def _begins(op: str) -> tuple[str, Expression]:
    return f"tcp flags & (fin|syn|rst|ack) {op} syn", _match({"&": [_FLAGS, _LOOKED_AT]}, _SYN, op)


def _goto(chain: str) -> Expression:
    return {"goto": {"target": chain}}


def _socket(key: str, chain: str) -> Rule:
    return f"socket {key} 1 goto {chain}", [_match({"socket": {"key": key}}, 1), _goto(chain)]


def entrance(method: str, marking: str, exclude_macs: bool) -> list[Rule]:
    """The rules of the base chain. ``marking`` is the chain that sets the mark."""
    found: list[Rule] = []
    if exclude_macs:
        ether = {"payload": {"protocol": "ether", "field": "saddr"}}
        found.append((f"ether saddr @{MACS} return", [_match(ether, f"@{MACS}"), {"return": None}]))
    if method == TPROXY:
        text, begins = _begins("==")
        found.append((f"{text} goto {LOOKUPS}", [begins, _goto(LOOKUPS)]))
        found += [_socket("wildcard", LOOKUPS), _socket("transparent", marking)]
    return [*found, (f"goto {LOOKUPS}", [_goto(LOOKUPS)])]


def gate() -> Rule:
    """The rule that leads what other hosts ask at this host itself to the chain of closed ports."""
    outside = _match({"meta": {"key": "iifname"}}, "lo", "!=")
    here = _match({"fib": {"result": "type", "flags": ["daddr"]}}, _LOCAL)
    return f'iifname != "lo" fib daddr type local jump {CLOSED}', [outside, here, {"jump": {"target": CLOSED}}]


def closing(targets: Iterable[Target]) -> list[Rule]:
    """The rules that keep other hosts from the daemon itself: a connection to its port has no destination to ask for
    but this host. A target that may be meant for the host's own addresses keeps its port open."""
    found = list(targets)
    kept = {(one.protocol, one.port) for one in found if one.own}
    ports = {(one.protocol, one.port) for one in found if one.port and not one.address}
    return [_closing(*port) for port in sorted(ports - kept)]


def _closing(protocol: str, port: int) -> Rule:
    match = _match({"payload": {"protocol": protocol, "field": "dport"}}, port)
    return f"{protocol} dport {port} drop", [match, {"drop": None}]


def leaving(prefixes: Iterable[str]) -> list[Rule]:
    """The rules that let packets for these destinations go on as if there were no daemon."""
    return [_leaving(ip_network(prefix)) for prefix in (*NEVER, *prefixes)]


def _leaving(prefix: Network) -> Rule:
    family = "ip" if prefix.version == 4 else "ip6"
    address = str(prefix.network_address)
    whole = prefix.prefixlen == prefix.max_prefixlen
    right: Expression = address if whole else {"prefix": {"addr": address, "len": prefix.prefixlen}}
    match = _match({"payload": {"protocol": family, "field": "daddr"}}, right)
    return f"{family} daddr {prefix} return", [match, {"return": None}]


def left(rules: Sequence[list[Expression]]) -> list[str]:
    """The destinations of such rules, as long as no others come."""
    found = []
    for rule in rules:
        match = rule[0].get("match", {}) if len(rule) == 2 and "return" in rule[1] else {}
        if match.get("left", {}).get("payload", {}).get("field") != "daddr":
            break
        right = match["right"]
        found.append(f"{right['prefix']['addr']}/{right['prefix']['len']}" if isinstance(right, dict) else right)
    return [str(ip_network(one)) for one in found]


def tracking(mark: int, mask: int) -> Rule:
    """The rule that lets the connections go on that were not taken when they began."""
    text, later = _begins("!=")
    key: Expression = {"ct": {"key": "mark"}}
    kept = "ct mark" if mask == FULL_MASK else f"ct mark & {mask:#x}"
    match = _match(key if mask == FULL_MASK else {"&": [key, mask]}, mark, "!=")
    return f"{text} {kept} != {mark:#x} return", [later, match, {"return": None}]


def giving(target: Target, mark: int, mask: int) -> list[Rule]:
    """The rules of a target's chain."""
    found: list[Rule] = []
    if not target.own:
        fib = {"fib": {"result": "type", "flags": ["daddr"]}}
        text = "fib daddr type { local, broadcast, multicast } return"
        found.append((text, [_match(fib, {"set": _STAYING}), {"return": None}]))
    marking = chain_of(mark, mask)
    if target.how == REDIRECT:
        return [*found, _redirecting(target)]
    if target.how == DELIVER:
        return [*found, (f"goto {marking}", [_goto(marking)]) if target.closed else _socket("transparent", marking)]
    text, match, where = _socket_of(target)
    found.append((f"{text} goto {marking}", [match, {"tproxy": where}, _goto(marking)]))
    return [*found, ("drop", [{"drop": None}])] if target.closed else found


def _redirecting(target: Target) -> Rule:
    text, match, where = _socket_of(target)
    if target.address:
        return text, [match, {"dnat": where}]
    return text, [match, {"redirect": {"port": target.port}}]


def _socket_of(target: Target) -> tuple[str, Expression, dict[str, Any]]:
    """What leads to a target's socket: the text of the whole, the match of its protocol, and where it is."""
    family = "ip6" if target.family == IPV6 else "ip"
    where: dict[str, Any] = {"family": family}
    address = target.address
    if address:
        where["addr"] = address
        address = f"[{address}]" if target.family == IPV6 else address
    if target.port:
        where["port"] = target.port
        address += f":{target.port}"
    number = protocol_number(target.protocol)
    step = f"dnat {family}" if target.address else "redirect"
    does = f"tproxy {family}" if target.how == TPROXY else step
    match = _match({"meta": {"key": "l4proto"}}, number)
    return f"meta l4proto {number} {does} to {address}", match, where


def folded(expression: Expression) -> Expression:
    """A listed expression with flags as one number, and prefixes as Python writes them.

    nft 1.0.6 lists flags as a list, newer ones as a bitwise or.
    """
    if isinstance(expression, list):
        return [folded(one) for one in expression]
    if not isinstance(expression, dict):
        return expression
    if expression.keys() == {"&"}:
        first, second = expression["&"]
        return {"&": [folded(first), _number(second)]}
    if expression.keys() == {"addr", "len"}:
        # Of an IPv4 address inside, each writes what it likes.
        return {**expression, "addr": str(ip_address(expression["addr"]))}
    return {key: folded(value) for key, value in expression.items()}


def _number(flags: Expression) -> Expression:
    parts = flags.get("|") if isinstance(flags, dict) else flags
    if not isinstance(parts, list):
        return flags
    numbers = [_number(part) for part in parts]
    return reduce(or_, numbers) if all(isinstance(number, int) for number in numbers) else flags
