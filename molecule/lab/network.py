"""The lab's network namespace: a bridge per network, a tap device per card of a guest. Nothing outside it changes."""

from __future__ import annotations

import os

from lab.process import run
from lab.settings import Settings
from lab.topology import CONTROLLER_ADDRESS, CONTROLLER_MAC, HOSTS, MANAGEMENT, NETWORKS, Host

# Bridges and taps only carry the guests' frames: the namespace itself must send none, so it has no IPv6, and
# frames must not pass through the netfilter hooks of a host that has br_netfilter loaded.
_SYSCTLS = """
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
for hook in /proc/sys/net/bridge/bridge-nf-call-*; do
    if [ -e "$hook" ]; then echo 0 > "$hook"; fi
done
"""


def enter(settings: Settings) -> list[str]:
    """Return the start of a command line whose command runs in the lab's namespace."""
    return ["nsenter", f"--net={settings.namespace}", "--"]


def tap(host: Host, index: int) -> str:
    """Name the tap device of a host's card; at most 15 bytes."""
    return f"{host.name}-{index}"


def exists(settings: Settings) -> bool:
    """Say whether the namespace is there; a bare file of its name is what a reboot can leave."""
    return os.path.ismount(settings.namespace)


def create(settings: Settings) -> None:
    """Make the namespace with the devices of every declared host, so that one can be started later."""
    run(["ip", "netns", "add", settings.name])
    run([*enter(settings), "sh", "-ec", _SYSCTLS])
    commands = ["link set lo up"]
    for network in NETWORKS:
        # Without snooping a bridge floods multicast, as IPv6 neighbour discovery needs from the first packet on.
        commands.append(f"link add name {network.name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        commands.append(f"link set {network.name} up")
    commands.append(f"link set {MANAGEMENT.name} address {CONTROLLER_MAC}")
    commands.append(f"address add {CONTROLLER_ADDRESS}/{MANAGEMENT.ipv4_length} dev {MANAGEMENT.name}")
    for host in HOSTS.values():
        for index, interface in enumerate(host.interfaces):
            device = tap(host, index)
            commands.append(f"tuntap add dev {device} mode tap")
            commands.append(f"link set {device} master {interface.network.name} up")
    run(["ip", "-n", settings.name, "-batch", "-"], stdin="\n".join(commands) + "\n")


def remove(settings: Settings) -> None:
    """Remove the namespace; its devices go with it."""
    if exists(settings):
        run(["ip", "netns", "delete", settings.name])
    settings.namespace.unlink(missing_ok=True)
