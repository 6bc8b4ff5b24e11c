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


_TASK = """
/usr/local/bin/lab-python << 'END'
import runpy, sys, tempfile, zipfile
sources = {
    "": "", "x/": "", "x/y/": "", "x/y/plugins/": "", "x/y/plugins/modules/": "", "x/y/plugins/module_utils/": "",
    "x/y/plugins/module_utils/word.py": "WORD = %r",
    "x/y/plugins/modules/say.py":
        "from ansible_collections.x.y.plugins.module_utils import word; print(word.WORD, 'zip' in word.__file__)",
}
with tempfile.TemporaryDirectory() as folder:
    sys.path.insert(0, folder + "/payload.zip")
    with zipfile.ZipFile(sys.path[0], "w") as file:
        for path, source in sources.items():
            file.writestr("ansible_collections/" + path + ("" if path.endswith(".py") else "__init__.py"), source)
    runpy.run_module("ansible_collections.x.y.plugins.modules.say", run_name="__main__")
END
"""


def test_what_a_task_sends_again_is_imported_once_and_what_it_changed_is_its_own(whole: LabCommand) -> None:
    said = [whole.on("director1", _TASK % word).strip() for word in ("one", "one", "two", "one")]
    assert said == ["one True", "one False", "two True", "one False"]


_SESSION = """
echo "$SSH_CONNECTION"
env -u SSH_CONNECTION sh -c '/usr/local/bin/lab-python && true' << 'END'
import os
print(os.environ["SSH_CONNECTION"])
END
"""


def test_a_task_that_sudo_started_knows_its_ssh_session(whole: LabCommand) -> None:
    session, told = whole.on("director1", _SESSION).splitlines()
    assert session == told


_SHELL = """
getent passwd root | cut -d: -f7
/usr/local/bin/lab-shell -c "/bin/sh -c '/usr/local/bin/lab-python && sleep 0'" << 'END'
import os
print(open(f"/proc/{os.getppid()}/cmdline").read().split("\\0")[1])
END
/usr/local/bin/lab-shell -c 'echo {any,other} command; exit 3' || echo $?
"""


def test_the_shell_of_root_hands_tasks_over_and_is_a_shell_to_all_else(whole: LabCommand) -> None:
    said = whole.on("director1", _SHELL).splitlines()
    assert said == ["/usr/local/bin/lab-shell", "/usr/local/lib/lab_python.py", "any other command", "3"]


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
