"""The lab's hosts and networks, declared once; everything else is derived from here.

    client --- outside --- router --- inside --- director1, director2, proxy, rs1, rs2

Every guest has a management interface besides, which carries ssh and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A LAN of the lab: one bridge. ipv6 is empty where the network has none."""

    number: int
    name: str
    ipv4: str
    ipv4_length: int
    ipv6: str
    ipv6_length: int


OUTSIDE = Network(1, "outside", "198.51.100.", 24, "2001:db8:c::", 64)
INSIDE = Network(2, "inside", "10.0.0.", 24, "2001:db8:a::", 64)
# Not one of the documentation prefixes: those are for clients, realservers and VIPs of the tests.
MANAGEMENT = Network(3, "mgmt", "192.168.117.", 24, "", 0)
NETWORKS = (OUTSIDE, INSIDE, MANAGEMENT)
CONTROLLER_ADDRESS = f"{MANAGEMENT.ipv4}254"
# Fixed, since guests that wake from a snapshot know it from before.
CONTROLLER_MAC = "52:54:00:17:03:fe"

MANAGEMENT_INTERFACE = "mgmt0"


@dataclass(frozen=True)
class Interface:
    """One network card of a host. suffix: last part of its address in both families. gateway: suffix of the router."""

    host_number: int
    name: str
    network: Network
    suffix: int
    gateway: int | None = None

    @property
    def mac(self) -> str:
        """Unique in the lab; 52:54:00 is QEMU's prefix. Guests find their configuration by it."""
        return f"52:54:00:17:{self.network.number:02x}:{self.host_number:02x}"

    @property
    def ipv4(self) -> str:
        return f"{self.network.ipv4}{self.suffix}"

    @property
    def ipv6(self) -> str:
        """Empty where the network has no IPv6. The suffix reads the same in both families: .11 and ::11."""
        return f"{self.network.ipv6}{self.suffix}" if self.network.ipv6 else ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """With prefix lengths."""
        ipv4 = f"{self.ipv4}/{self.network.ipv4_length}"
        return (ipv4, f"{self.ipv6}/{self.network.ipv6_length}") if self.ipv6 else (ipv4,)

    @property
    def gateways(self) -> tuple[str, ...]:
        if self.gateway is None:
            return ()
        return (f"{self.network.ipv4}{self.gateway}", f"{self.network.ipv6}{self.gateway}")


@dataclass(frozen=True)
class Host:
    """One guest. group: its inventory group. forwards: whether it forwards packets from the start."""

    number: int
    name: str
    group: str
    interfaces: tuple[Interface, ...]
    forwards: bool = False

    @property
    def management(self) -> Interface:
        return self.interfaces[-1]

    @property
    def machine_id(self) -> str:
        """Guests share one image; this keeps what derives from the machine id apart."""
        return f"{self.number:032x}"


def _host(number: int, name: str, group: str, *lans: tuple[Network, int, int | None], forwards: bool = False) -> Host:
    cards = [
        Interface(number, f"eth{index}", network, suffix, gateway)
        for index, (network, suffix, gateway) in enumerate(lans)
    ]
    # The last card, so that the kernel's own names of the others are already the final ones.
    cards.append(Interface(number, MANAGEMENT_INTERFACE, MANAGEMENT, number))
    return Host(number, name, group, tuple(cards), forwards)


HOSTS: dict[str, Host] = {
    host.name: host
    for host in (
        _host(1, "client", "clients", (OUTSIDE, 10, 1)),
        _host(2, "router", "routers", (OUTSIDE, 1, None), (INSIDE, 1, None), forwards=True),
        _host(3, "director1", "directors", (INSIDE, 2, 1)),
        _host(4, "director2", "directors", (INSIDE, 3, 1)),
        _host(5, "rs1", "realservers", (INSIDE, 11, 1)),
        _host(6, "rs2", "realservers", (INSIDE, 12, 1)),
        _host(7, "proxy", "proxies", (INSIDE, 4, 1)),
    )
}
# Every other one begins as a copy of it: see blank.py.
BLANK = Host(0xFE, "blank", "", ())
DEFAULT_HOSTS = ("client", "router", "director1", "rs1", "rs2")
