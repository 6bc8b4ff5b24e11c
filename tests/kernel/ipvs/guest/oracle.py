"""What ipvsadm says about the kernel, and what the module's options mean, in the same words."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from tool import ipvsadm

from namespace import Namespace

ServiceKey = tuple[str, ...]
Services = dict[ServiceKey, dict[str, Any]]

_PROTOCOLS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}
_FORWARDING = {"-g": "direct", "-i": "tunnel", "-m": "masquerade"}
# Without a value.
_SWITCHES = {"-6", "-o", *_FORWARDING}
_ALONE = {"ipv4": "255.255.255.255", "ipv6": "128"}


def listed(netns: Namespace) -> Services:
    """`ipvsadm -Sn`: each service with its options, and its destinations with theirs."""
    found: Services = {}
    for line in ipvsadm(netns, "-Sn").splitlines():
        command, *words = shlex.split(line)
        options = _options(words)
        key = _key(options)
        if command == "-A":
            persistent = options.get("-p")
            service = {"scheduler": options["-s"], "persistent": persistent, "destinations": {}}
            service["netmask"] = options.get("-M", _ALONE[key[0]]) if persistent else None
            service["rest"] = _rest(options, {"-s", "-p", "-M"})
            found[key] = service
        else:
            address, port = _endpoint(options["-r"])
            forwarding = next(name for switch, name in _FORWARDING.items() if switch in options)
            destination = {"forwarding": forwarding, "weight": int(options["-w"])}
            destination["rest"] = _rest(options, {"-r", "-w", *_FORWARDING}, {"--tun-type": "ipip"})
            found[key]["destinations"][address, port] = destination
    return found


def meant(services: Iterable[Mapping[str, Any]]) -> Services:
    """The same from the options of ipvs_service, written down once more."""
    found: Services = {}
    for service in services:
        if "fwmark" in service:
            key = (service["family"], "fwmark", str(int(service["fwmark"], 0)))
        else:
            version = ipaddress.ip_address(service["vip"]).version
            key = (f"ipv{version}", service["protocol"], service["vip"], str(service["port"]))
        persistent = service.get("persistent")
        netmask = service.get("persistent_netmask", {"ipv4": "32", "ipv6": "128"}[key[0]])
        if key[0] == "ipv4" and "." not in netmask:
            netmask = str(ipaddress.ip_network(f"0.0.0.0/{netmask}").netmask)
        found[key] = {
            "scheduler": service.get("scheduler", "wlc"),
            "persistent": None if persistent is None else str(persistent),
            "netmask": None if persistent is None else netmask,
            "rest": {},
            "destinations": {
                (one["address"], str(one.get("port", service.get("port", 0)))): {
                    "forwarding": one.get("forwarding", "direct"),
                    "weight": one.get("weight", 1),
                    "rest": {},
                }
                for one in service.get("destinations", [])
            },
        }
    return found


def _options(words: list[str]) -> dict[str, str]:
    found = {}
    left = iter(words)
    for word in left:
        found[word] = "" if word in _SWITCHES else next(left)
    return found


def _key(options: Mapping[str, str]) -> ServiceKey:
    if "-f" in options:
        # It writes the larger half of them as negative numbers.
        return ("ipv6" if "-6" in options else "ipv4", "fwmark", str(int(options["-f"]) & 0xFFFFFFFF))
    switch = next(switch for switch in _PROTOCOLS if switch in options)
    address, port = _endpoint(options[switch])
    return (f"ipv{ipaddress.ip_address(address).version}", _PROTOCOLS[switch], address, port)


def _endpoint(text: str) -> tuple[str, str]:
    address, _colon, port = text.rpartition(":")
    return address.strip("[]"), port


def _rest(options: Mapping[str, str], known: set[str], usual: Mapping[str, str] | None = None) -> dict[str, str]:
    """What ipvsadm says beyond the module's options."""
    identity = {"-f", "-6", *_PROTOCOLS}
    noise = {name for name, value in (usual or {}).items() if options.get(name) == value}
    return {name: value for name, value in options.items() if name not in known | identity | noise}
