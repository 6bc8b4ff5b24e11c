"""Everything about a host that this collection may change, as text. ``python -m proof.state NAME`` notes it."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from lab.topology import DEFAULT_HOSTS
from proof.guests import record_folder, run

# ipvsadm would load ip_vs by asking.
_DUMP = """
for family in -4 -6; do
  ip -d $family rule show; ip -d $family route show table all | sort; ip $family address show
done
nft -j list ruleset
if test -e /proc/net/ip_vs; then ipvsadm -Sn; else echo no ip_vs; fi
sysctl -a 2> /dev/null | grep -E 'arp_|rp_filter|forwarding|src_valid_mark|net.ipv4.vs|ip_forward'
sha256sum /etc/sysctl.d/* /etc/modules-load.d/*
"""


def dump(host: str) -> str:
    """One host's state."""
    return run(host, _DUMP)


def note(name: str) -> None:
    """Write the state of every host to ``NAME.state``."""
    with ThreadPoolExecutor() as pool:
        states = dict(zip(DEFAULT_HOSTS, pool.map(dump, DEFAULT_HOSTS), strict=True))
    record_folder().mkdir(parents=True, exist_ok=True)
    (record_folder() / f"{name}.state").write_text(json.dumps(states, indent=1))


if __name__ == "__main__":
    note(sys.argv[1])
