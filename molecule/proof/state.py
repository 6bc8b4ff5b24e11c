"""Everything about a host that this collection may change, as text.

``python -m proof.state NAME`` notes it; with ``--like OTHER`` it fails where it differs from what was noted so.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.topology import DEFAULT_HOSTS
from proof.guests import record_folder, run

# ipvsadm would load ip_vs by asking.
_DUMP = """
for family in -4 -6; do
  ip -d $family rule show; ip -d $family route show table all | sort; ip $family address show
done
nft --stateless -j list ruleset | sed 's/, "handle": [0-9]*//g'
if test -e /proc/net/ip_vs; then ipvsadm -Sn; else echo no ip_vs; fi
sysctl -a 2> /dev/null | grep -E 'arp_|rp_filter|forwarding|src_valid_mark|net.ipv4.vs|ip_forward'
folders="/etc/sysctl.d /etc/modules-load.d /etc/modprobe.d /etc/systemd /etc/udev /etc/lvs-vipless"
find $folders -type f 2> /dev/null | sort | xargs sha256sum
"""


def dump(host: str) -> str:
    """One host's state."""
    return run(host, _DUMP)


def note(name: str, hosts: Sequence[str]) -> dict[str, str]:
    """Write the state of every host to ``NAME.state``, and give it."""
    with ThreadPoolExecutor() as pool:
        states = dict(zip(hosts, pool.map(dump, hosts), strict=True))
    record_folder().mkdir(parents=True, exist_ok=True)
    (record_folder() / f"{name}.state").write_text(json.dumps(states, indent=1))
    return states


def differences(states: dict[str, str], other: str) -> list[str]:
    """What differs from the state that was noted by another name, in lines as ``diff`` writes them."""
    before = json.loads((record_folder() / f"{other}.state").read_text())
    found = []
    for host, text in states.items():
        lines = difflib.unified_diff(before[host].splitlines(), text.splitlines(), other, host, lineterm="", n=0)
        found += list(lines)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--like", metavar="OTHER")
    parser.add_argument("--hosts", default=",".join(DEFAULT_HOSTS), help="names, separated by commas")
    arguments = parser.parse_args()
    noted = note(arguments.name, arguments.hosts.split(","))
    left = differences(noted, arguments.like) if arguments.like else []
    if left:
        sys.exit("\n".join(["the hosts are not as they were:", *left]))
