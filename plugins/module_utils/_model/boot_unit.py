# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit that brings a directory of boot files back, and what keeps others from undoing it. Pure.

One script restores what is missing and touches nothing that is there, so that it may run at any time: at boot before
the network (systemd.special(7), network-pre.target), after nftables.service has flushed the ruleset, after ip_vs was
loaded anew, and by hand.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot, lock

OWNER = "boot_unit"
OWNERS = {
    "arp.nft": "arp_suppress",
    "guard.nft": "vip_guard",
    "tunnels.ip": "ip_tunnel",
    "addresses.ip": "ip_address",
    "neighbors.ip": "static_neighbor",
    "routes.ip": "ip_local_route",
    "hops.ip": "ip_route",
    "services.ipvs": "ipvs_service",
    "rules.ip": "ip_rule",
    "marks.nft": "fwmark",
    "tproxy.nft": "tproxy",
}
"""The files that are read, and the module that writes each."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]+")
SYSTEMD = "/etc/systemd"
WANTS = f"{SYSTEMD}/system/multi-user.target.wants"
"""Where systemctl enables a unit."""
_SHEBANG = "#!/bin/sh"


class File(NamedTuple):
    """One file that the unit needs."""

    path: str
    mode: int
    text: str


def unit_name(option: str, name: str) -> str:
    """The unit of a directory's name, or BadInput."""
    if not _NAME.fullmatch(name):
        raise BadInput(option, name, "is not a name of lower-case letters, digits, - and _, at most 32.")
    return f"lvs-vipless-{name}.service"


def sysctl_file(option: str, path: str | None) -> str:
    """The path as a shell script can hold it, or BadInput."""
    if path and not _PATH.fullmatch(path):
        raise BadInput(option, path, "is not an absolute path of letters, digits and . _ / -.")
    return path or ""


def files(name: str, reapplied: str, *, watch: bool) -> list[File]:
    """All files of a unit. ``reapplied`` sets the keys that ip_vs forgets when it is loaded anew; ``watch`` restores
    whenever an interface or an address comes."""
    directory = f"{boot.ROOT}/{name}"
    script = f"{directory}/restore"
    unit = unit_name("name", name)
    watching = [_script(f"{directory}/watch", _WATCH.format(script=script))] if watch else []
    return [
        _script(script, _SCRIPT.format(directory=directory, sysctl=reapplied, alone=lock.IN_SHELL)),
        *watching,
        _plain(f"{SYSTEMD}/system/{unit}", (_WATCHING if watch else _UNIT).format(name=name, directory=directory)),
        _plain(f"{SYSTEMD}/system/nftables.service.d/lvs-vipless-{name}.conf", _AFTER_NFTABLES.format(script=script)),
        _plain(f"{SYSTEMD}/networkd.conf.d/90-lvs-vipless-{name}.conf", _NETWORKD),
        _plain(f"/etc/udev/rules.d/90-lvs-vipless-{name}.rules", _AFTER_IP_VS.format(unit=unit)),
    ]


def read_files(name: str) -> dict[str, str]:
    """The files that a unit reads, each with its owner."""
    return {f"{boot.ROOT}/{name}/{file}": owner for file, owner in OWNERS.items()}


def paths(name: str) -> list[str]:
    """Every file that a unit can have, and what enables it."""
    made = [file.path for file in files(name, "", watch=True)]
    return [*made, *read_files(name), f"{WANTS}/{unit_name('name', name)}"]


def watch_file(name: str) -> dict[str, str]:
    """The script that only a unit with ``watch`` has."""
    return {f"{boot.ROOT}/{name}/watch": OWNER}


def _script(path: str, content: str) -> File:
    return File(path, 0o755, boot.text_of(OWNER, [content], _SHEBANG))


def _plain(path: str, content: str) -> File:
    return File(path, 0o644, boot.text_of(OWNER, [content]))


_UNIT = """\
[Unit]
Description=Rules, routes, marks and IPVS services of {name} (lvs.vipless)
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service systemd-sysctl.service nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={directory}/restore

[Install]
WantedBy=multi-user.target"""
_WATCHING = """\
[Unit]
Description=Routes and neighbours of {name} (lvs.vipless)
After=systemd-sysctl.service nftables.service network.target

[Service]
ExecStart={directory}/watch
Restart=always

[Install]
WantedBy=multi-user.target"""
# What comes within a second is one event.
_WATCH = """\
{{ echo start; exec ip -oneline monitor link address; }} |
while read -r _; do
    timeout 1 cat >/dev/null
    {script}
done"""
_AFTER_NFTABLES = """\
[Service]
ExecStartPost=-{script}
ExecReload=-{script}
ExecStopPost=-{script}"""
_NETWORKD = """\
[Network]
ManageForeignRoutingPolicyRules=no
ManageForeignRoutes=no"""
_AFTER_IP_VS = (
    'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", RUN+="/bin/systemctl --no-block try-restart {unit}"'
)
_SCRIPT = """\
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
failed=0
tables=

# What is there already is no failure: EEXIST, as strerror(3) names it.
by_ip() {{
    [ -r "$1" ] || return 0
    for family in -4 -6; do
        grep -q "^$family " "$1" || continue
        said=$(lines_of "$1" | ip "$family" -force -batch - 2>&1 | grep -v -e 'File exists' -e '^Command failed')
        [ -z "$said" ] || {{ echo "$1: $said" >&2; failed=1; }}
    done
}}

lines_of() {{
    case $1 in
        addresses.ip) missing_addresses "$1" ;;
        tunnels.ip) missing_tunnels "$1" ;;
        *) sed -n "s/^$family //p" "$1" ;;
    esac
}}

# The kernel tells of an interface that is set to what it is already, and who watches would restore for ever.
missing_tunnels() {{
    ip -oneline link show up | awk '
        listing {{
            name = $2
            sub("[@:].*", "", name)
            alias[name] = match($0, / alias /) ? substr($0, RSTART + RLENGTH) : ""
            next
        }}
        $1 != family {{ next }}
        $3 == "set" && $5 in alias && ($6 == "up" || $7 == alias[$5]) {{ next }}
        {{ sub(/^-[46] /, ""); print }}
    ' family="$family" listing=1 - listing=0 "$1"
}}

# Of an address the kernel tells in words of its own, by its release, so those that are there are not asked for again.
missing_addresses() {{
    ip "$family" -oneline address show | awk '
        # A device has an IPv6 address once, whatever its length.
        function key(prefix, device) {{ if (prefix ~ /:/) sub("/.*", "", prefix); return prefix " " device }}
        listing {{ there[key($4, $2)]; next }}
        $1 != family {{ next }}
        {{
            for (i = 5; i < NF; i++) if ($i == "dev") device = $(i + 1)
            if (key($4, device) in there) next
            sub(/^-[46] /, "")
            print
        }}
    ' family="$family" listing=1 - listing=0 "$1"
}}

# Into a table that stands go the maps, sets, chains and elements that it lacks, and the rules of chains that lack some.
by_nft() {{
    [ -r "$1" ] || return 0
    table=$(sed -n 's/^add table //p' "$1")
    [ -n "$tables" ] || tables=$(nft list tables && echo end) || {{ tables=; failed=1; return; }}
    if printf '%s\n' "$tables" | grep -qxF "table $table"; then
        # $table is a family and a name.
        standing=$(nft -t list table $table) || {{ failed=1; return; }}
        printf '%s\n' "$standing" | awk '
            FNR == 1 {{ reading++ }}
            reading == 1 && $1 == "chain" {{ chain = $2; next }}
            reading == 1 && $1 == "}}" {{ chain = ""; next }}
            reading == 1 {{ if (chain && $1 != "type" && $1 != "comment") rules[chain]++; next }}
            reading == 2 {{ if ($2 == "rule") wanted[$5]++; next }}
            $2 != "rule" {{ print; next }}
            rules[$5] >= wanted[$5] {{ next }}
            rules[$5] && !flushed[$5]++ {{ print "flush chain", $3, $4, $5 }}
            {{ print }}
        ' - "$1" "$1" | nft -f - || failed=1
    else
        nft -f "$1" || failed=1
    fi
}}

by_ipvsadm() {{
    [ -r "$1" ] || return 0
    there=$(ipvsadm -Sn) || {{ failed=1; return; }}
    if [ -z "$there" ]; then
        grep -v '^#' "$1" | ipvsadm -R || failed=1
    else
        grep -v '^#' "$1" | while read -r line; do ipvsadm $line 2>/dev/null; done
    fi
}}

# What a module removes now does not come back meanwhile.
{alone}

# Silence before addresses; marks last, when all that they lead to is there.
cd {directory} || exit 1
by_nft arp.nft
by_nft guard.nft
by_ip tunnels.ip
by_ip addresses.ip
by_ip neighbors.ip
by_ip routes.ip
by_ip hops.ip
if [ -n "{sysctl}" ] && [ -r "{sysctl}" ]; then sysctl -q -e -p "{sysctl}" || failed=1; fi
by_ipvsadm services.ipvs
by_ip rules.ip
by_nft marks.nft
by_nft tproxy.nft
exit $failed"""
