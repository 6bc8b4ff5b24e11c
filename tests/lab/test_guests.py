"""The guests are what the topology says, seen from inside them."""

from __future__ import annotations

import json
import time

import pytest

from lab.topology import DEFAULT_HOSTS, HOSTS
from lab_command import LabCommand


@pytest.fixture(scope="module")
def whole(the_lab: LabCommand) -> LabCommand:
    the_lab.run("up", "--clean")
    return the_lab


@pytest.mark.parametrize("name", DEFAULT_HOSTS)
def test_addresses_and_default_routes(whole: LabCommand, name: str) -> None:
    seen = whole.on(name, "hostname; ip -j address; ip -j route show default; ip -j -6 route show default")
    hostname, addresses, *routes = seen.splitlines()
    assert hostname == name
    found = {
        link["ifname"]: {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] == "global"}
        for link in json.loads(addresses)
    }
    host = HOSTS[name]
    assert found == {"lo": set(), **{card.name: set(card.addresses) for card in host.interfaces}}
    gateways = [(route["gateway"], route["dev"]) for family in routes for route in json.loads(family)]
    assert gateways == [(address, card.name) for card in host.interfaces for address in card.gateways]


def test_only_the_router_forwards(whole: LabCommand) -> None:
    for name in DEFAULT_HOSTS:
        seen = whole.on(name, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding")
        assert seen.split() == (["1", "1"] if name == "router" else ["0", "0"]), name


def test_the_client_reaches_a_realserver_through_the_router(whole: LabCommand) -> None:
    for address in (HOSTS["rs1"].interfaces[0].ipv4, HOSTS["rs1"].interfaces[0].ipv6):
        assert "ttl=63" in whole.on("client", f"ping -c 3 -W 10 {address}")


def test_networkd_is_left_as_debian_has_it(whole: LabCommand) -> None:
    assert whole.on("director1", "ls /etc/systemd/networkd.conf.d 2> /dev/null || true") == ""
    assert whole.on(
        "director1", 'networkctl --json=short status eth0 | grep -o \'"AdministrativeState":"[a-z]*"\''
    ) == ('"AdministrativeState":"configured"\n')


def test_the_kernel_has_ipvs_and_the_tools_are_there(whole: LabCommand) -> None:
    whole.on("director1", "modprobe ip_vs && ipvsadm -Ln && nft list ruleset && python3 -c 'import pyroute2, apt'")


_IMPORTS = """
cd $(mktemp -d)
for word in one one two; do
    echo "print('$word')" > sample.py
    python3 -m zipfile -c sample.zip sample.py
    rm sample.py
    PYTHONPATH=sample.zip python3 -c 'import sample'
done
ls /var/cache/lab-bytecode | wc -l
"""


def test_what_is_imported_from_a_zip_file_is_compiled_once(whole: LabCommand) -> None:
    whole.on("director1", "rm -rf /var/cache/lab-bytecode")
    assert whole.on("director1", _IMPORTS).split() == ["one", "one", "two", "2"]


def test_a_guest_survives_a_reboot_of_its_own(whole: LabCommand) -> None:
    machine = whole.processes()["rs2"]
    first = whole.on("rs2", "touch /root/written; sync; cat /proc/sys/kernel/random/boot_id")
    whole.attempt("ssh", "rs2", "systemctl reboot")
    deadline = time.monotonic() + 400
    while (answer := whole.attempt("ssh", "rs2", "cat /proc/sys/kernel/random/boot_id")).stdout in {"", first}:
        assert time.monotonic() < deadline, answer.stderr
        time.sleep(1)
    assert "written" in whole.on("rs2", "ls /root")
    assert whole.processes()["rs2"] == machine
