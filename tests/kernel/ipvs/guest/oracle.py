"""What ipvsadm says about the kernel, and what the module's options mean, in the same words."""

from __future__ import annotations

import ipaddress
import platform
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from tool import ipvsadm

from namespace import Namespace

ServiceKey = tuple[str, ...]
Services = dict[ServiceKey, dict[str, Any]]

# Debian builds this one for Linux 6.12 and not for 6.1.
_TWOS = "" if platform.release().startswith("6.1.") else "twos, "
SCHEDULERS = f"dh, fo, lblc, lblcr, lc, mh, nq, ovf, rr, sed, sh, {_TWOS}wlc, wrr"
"""All that the guest's kernel has."""

_PROTOCOLS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}
_FORWARDING = {"-g": "direct", "-i": "tunnel", "-m": "masquerade"}
_CHECKSUMS = {"--tun-nocsum": "none", "--tun-csum": "csum", "--tun-remcsum": "remcsum"}
# Without a value.
_SWITCHES = {"-6", "-o", *_FORWARDING, *_CHECKSUMS}
_ALONE = {"ipv4": "255.255.255.255", "ipv6": "128"}


def listed(netns: Namespace) -> Services:
    """`ipvsadm -Sn`: each service with its options, and its destinations with theirs. It tells of no thresholds."""
    found: Services = {}
    limits = thresholds(netns)
    for line in ipvsadm(netns, "-Sn").splitlines():
        command, *words = shlex.split(line)
        options = _options(words)
        key = _key(options)
        if command == "-A":
            persistent = options.get("-p")
            flags = [*options.get("-b", "").split(","), "one-packet" if "-o" in options else ""]
            found[key] = {
                "scheduler": options["-s"],
                "persistent": persistent,
                "netmask": options.get("-M", _ALONE[key[0]]) if persistent else None,
                "flags": sorted(filter(None, flags)),
                "engine": options.get("--pe", ""),
                "destinations": {},
                "rest": _rest(options, {"-s", "-p", "-M", "-b", "-o", "--pe"}),
            }
        else:
            endpoint = _endpoint(options["-r"])
            forwarding = next(name for switch, name in _FORWARDING.items() if switch in options)
            checksum = next((name for switch, name in _CHECKSUMS.items() if switch in options), "none")
            known = {"-r", "-w", "--tun-type", "--tun-port", *_FORWARDING, *_CHECKSUMS}
            found[key]["destinations"][endpoint] = {
                "forwarding": forwarding,
                "weight": int(options["-w"]),
                "tunnel": (options.get("--tun-type", "ipip"), int(options.get("--tun-port", "0")), checksum),
                "thresholds": limits[key][endpoint],
                "rest": _rest(options, known),
            }
    return found


def thresholds(netns: Namespace) -> dict[ServiceKey, dict[tuple[str, str], tuple[int, int]]]:
    """`ipvsadm -Ln --thresholds`: the upper and the lower one of each destination."""
    found: dict[ServiceKey, dict[tuple[str, str], tuple[int, int]]] = {}
    key: ServiceKey = ()
    for line in ipvsadm(netns, "-Ln --thresholds").splitlines():
        words = line.split()
        if words and words[0] in {"TCP", "UDP", "SCTP"}:
            address, port = _endpoint(words[1])
            key = (f"ipv{ipaddress.ip_address(address).version}", words[0].lower(), address, port)
        elif words and words[0] == "FWM":
            key = ("ipv6" if "IPv6" in words else "ipv4", "fwmark", str(int(words[1]) & 0xFFFFFFFF))
        elif words and words[0] == "->" and words[1] != "RemoteAddress:Port":
            found.setdefault(key, {})[_endpoint(words[1])] = (int(words[2]), int(words[3]))
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
            "flags": sorted(service.get("flags", [])),
            "engine": service.get("persistence_engine", ""),
            "rest": {},
            "destinations": {
                (one["address"], str(one.get("port", service.get("port", 0)))): {
                    "forwarding": one.get("forwarding", "direct"),
                    "weight": one.get("weight", 1),
                    "tunnel": (
                        one.get("tunnel_type", "ipip"),
                        one.get("tunnel_port", 0),
                        one.get("tunnel_checksum", "none"),
                    ),
                    "thresholds": (one.get("upper_threshold", 0), one.get("lower_threshold", 0)),
                    "rest": {},
                }
                for one in service.get("destinations", [])
            },
        }
    return found


def lines(services: Services) -> list[list[str]]:
    """Services and destinations as the diff writes them, the words of each in an order of their own."""
    found = []
    for (family, *rest), service in services.items():
        name = (
            [family, "fwmark", f"{int(rest[1]):#x}"] if rest[0] == "fwmark" else [family, rest[0], _joined(*rest[1:])]
        )
        words = [*name, "scheduler", service["scheduler"], *service["flags"]]
        if service["persistent"]:
            words += ["persistent", service["persistent"]]
            mask = service["netmask"]
            words += [] if mask == _ALONE[family] else ["netmask", _length(mask)]
        words += ["engine", service["engine"]] if service["engine"] else []
        found.append(sorted(words))
        for endpoint, one in service["destinations"].items():
            words = [*name, "server", _joined(*endpoint), one["forwarding"], "weight", str(one["weight"])]
            kind, port, checksum = one["tunnel"]
            if one["tunnel"] != ("ipip", 0, "none"):
                words += ["tunnel-type", kind]
                words += ["tunnel-port", str(port)] if port else []
                words += ["tunnel-checksum", checksum] if checksum != "none" else []
            for limit, value in zip(("upper", "lower"), one["thresholds"], strict=True):
                words += [limit, str(value)] if value else []
            found.append(sorted(words))
    return sorted(found)


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _length(mask: str) -> str:
    return str(ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen) if "." in mask else mask


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


def _rest(options: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """What ipvsadm says beyond the module's options."""
    identity = {"-f", "-6", *_PROTOCOLS}
    return {name: value for name, value in options.items() if name not in known | identity}
