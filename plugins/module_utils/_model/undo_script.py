# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that keeps what is there before a change, and puts it back. Pure.

The tools' own listings, as they were before and as they are now, are compared line by line: both are of the same
programs on the same host, so that equal objects have equal lines, whatever the programs' version.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._model import boot

OWNER = "undo_timer"
# In its folder.
SCRIPT = "undo"
ARMED, UNDOING, UNDONE, LEFT_OVER = "armed", "undoing", "undone", "left_over"
ADDRESSES, SERVICES, SYSCTLS, TABLES = "addresses", "services.ipvs", "sysctls", "nft"


def text(protocol: int, guards: Sequence[str], marks: str, fwmarks: tuple[int, int], unit: str) -> str:
    """``guards`` and ``marks`` are nftables tables as ``inet NAME``, ``fwmarks`` the mark and mask of the services
    (mask 0: none). An empty name stands for none."""
    settings = {
        "protocol": str(protocol),
        "guards": "\n".join(guards),
        "marks": marks,
        "fwmark": str(fwmarks[0]),
        "mask": str(fwmarks[1]),
        "unit": unit,
    }
    assigned = "\n".join(f"{name}='{value}'" for name, value in settings.items())
    return boot.text_of(OWNER, [_INTRODUCTION, assigned, _LISTING, _SAVING, _PUTTING_BACK, _UNDOING], "#!/bin/sh")


_INTRODUCTION = """\
# save [FILE ...]: keep what is there, but for what has been kept. undo: put it back, once.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022
cd "${0%/*}" || exit 1
"""

_LISTING = """
# What is there: a line for each object, in the words that ip takes to make it. Numbers, since names can change.
rule() {
    found=$(ip -N "$1" rule show) || return 1
    printf '%s\\n' "$found" | sed -n \\
        -e 's/ \\[detached\\]//; s/ \\[unresolved\\]//; s/lookup \\[l3mdev-table\\]/l3mdev/; s/ipproto-//' \\
        -e "s/^\\([0-9]*\\):[[:space:]]*\\(.* proto $protocol\\)\\$/priority \\1 \\2/p"
}

route() {
    found=$(ip -N -o -d "$1" route show table all protocol "$protocol") || return 1
    printf '%s\\n' "$found" | tr -d '\\\\' | sed -n \\
        -e 's/^1 //; s/^2 /local /; s/^6 /blackhole /; s/^7 /unreachable /; s/^8 /prohibit /; s/^9 /throw /' \\
        -e 's/ error -*[0-9]*//; s/ linkdown//; s/ dead//' -e "s/^\\(..*[^ ]\\) *\\$/\\1 proto $protocol/p"
}

every_address() {
    found=$(ip -N -o "$1" address show) || return 1
    printf '%s\\n' "$found" | tr -d '\\\\' | awk '{
        line = $4 " dev " $2
        for (i = 5; i <= NF && $i != "valid_lft"; i++) {
            if ($i ~ /^(peer|brd|metric|scope|proto)$/) { line = line " " $i " " $(i + 1); i++ }
            else if ($i ~ /^(nodad|noprefixroute)$/) line = line " " $i
        }
        print line
    }'
}

# Of addresses, those that belong to the change.
known() {
    awk 'BEGIN { while ((getline key <"addresses") > 0) known[key] } ($1 " " $3) in known'
}

address() {
    found=$(every_address "$1") || return 1
    printf '%s\\n' "$found" | known
}

# To compare alone. nft 1.0.6 takes neither of its listings back: an icmpx reject becomes another one in text, and a map
# comes before the chains that it jumps to in JSON. Handles are new whenever a table is.
table() {
    found=$(nft list tables) || return 1
    printf '%s\\n' "$found" | grep -qxF "table $1" || return 0
    # $1 is a family and a name.
    found=$(nft -j -s -n list table $1) || return 1
    printf '%s\\n' "$found" | sed -e 's/"handle": [0-9]*, //g; s/, "handle": [0-9]*//g'
}

services() {
    [ -e /proc/net/ip_vs ] || return 0
    found=$(ipvsadm -Sn) || return 1
    printf '%s\\n' "$found" | while read -r verb by number rest; do
        # ipvsadm writes a mark of 32 bits as a negative number.
        if [ "$by" = -f ] && [ $((number & mask)) -eq "$fwmark" ]; then
            echo "$verb -f $((number & 0xffffffff)) $rest"
        fi
    done
}"""

_SAVING = """
keep() {
    [ -e "before/$1" ] && return
    name=$1
    shift
    "$@" >new && sort -o new new && mv new "before/$name" || exit 1
}

# A table is no list: its lines have an order.
keep_table() {
    [ -e "before/$1" ] || { table "$1" >new && mv new "before/$1"; } || exit 1
}

keep_file() {
    grep -qxF "$1" paths && return
    if [ -e "$1" ] || [ -L "$1" ]; then
        mkdir -p "before/files${1%/*}" && cp -a "$1" "before/files$1" || exit 1
    fi
    directory=${1%/*}
    while [ ! -d "$directory" ]; do
        echo "$directory" >>no_directories
        directory=${directory%/*}
    done
    echo "$1" >>paths
}

save() {
    mkdir -p before || exit 1
    : >>paths
    : >>no_directories
    for family in -4 -6; do
        keep "rule$family" rule "$family"
        keep "route$family" route "$family"
        keep "every_address$family" every_address "$family"
    done
    printf '%s\\n%s\\n' "$guards" "$marks" | while read -r name; do
        if [ -n "$name" ]; then keep_table "$name"; fi
    done || exit 1
    for path in "$@"; do keep_file "$path"; done
    if [ ! -e kept ]; then
        if [ -n "$unit" ] && systemctl is-active --quiet "$unit"; then : >active; fi
        if [ ! -e /proc/net/ip_vs ]; then : >no_ip_vs; fi
        : >kept
    fi
}"""

_PUTTING_BACK = """
listed() { "$1" "$2" >"now.$1$2" && sort -o "now.$1$2" "now.$1$2"; }
missing() { listed "$1" "$2" && comm -13 "now.$1$2" "before/$1$2"; }
surplus() { listed "$1" "$2" && comm -23 "now.$1$2" "before/$1$2"; }

# add or delete, a kind of object, and which of them.
change() {
    for family in -4 -6; do
        "$3" "$2" "$family" | sed "s/^/$2 $1 /" >batch
        [ -s batch ] || continue
        sed "s/^/ip $family /" batch
        ip "$family" -force -batch batch
        changed=yes
    done
}

put_table() {
    table "$1" >now.table || return
    cmp -s now.table "before/$1" && return
    if [ -s "before/$1" ]; then
        echo "nft: table $1 as it was"
        { echo "add table $1"; echo "delete table $1"; cat "nft/$1"; } | nft -f -
    else
        echo "nft delete table $1"
        nft delete table $1
    fi
}

# Those that were there (yes), or those that were not (no).
put_guards() {
    printf '%s\\n' "$guards" | while read -r name; do
        [ -n "$name" ] || continue
        was=no
        [ ! -s "before/$name" ] || was=yes
        if [ "$was" = "$1" ]; then put_table "$name"; fi
    done
}

# What ipvsadm has to do. The kernel edits in place, so that connections stay. Of what is equal in the listing the
# thresholds may differ, which it does not show: all that stays is edited.
service_changes() {
    [ "$mask" -ne 0 ] || return 0
    services >now.services || return
    awk '
        function service() { return $2 " " $3 ($4 == "-6" ? " -6" : "") }
        function object() { return tolower($1) != $1 ? service() : service() " -r " $($4 == "-6" ? 6 : 5) }
        BEGIN {
            while ((getline <"now.services") > 0) {
                there[object()] = service()
                destination[object()] = $1 == "-a"
            }
        }
        {
            wanted[object()]
            if (object() in there) { sub(/^-A/, "-E"); sub(/^-a/, "-e") }
            print
        }
        END {
            for (one in there) {
                if (one in wanted) continue
                if (!destination[one]) print "-D " one
                else if (there[one] in wanted) print "-d " one
            }
        }' services.ipvs
}

put_services() {
    service_changes | grep "$1" >batch || return
    sed 's/^/ipvsadm /' batch
    # One that it refuses keeps it from the rest.
    ipvsadm -R <batch || while read -r line; do ipvsadm $line; done <batch
}

put_sysctls() {
    while IFS== read -r key value; do
        [ -w "/proc/sys/$key" ] || continue
        [ "$(echo $(cat "/proc/sys/$key"))" = "$value" ] && continue
        echo "sysctl $key=$value"
        echo "$value" >"/proc/sys/$key"
    done <sysctls
}

put_files() {
    while read -r path; do
        saved=before/files$path
        if [ -e "$saved" ] || [ -L "$saved" ]; then
            cmp -s "$saved" "$path" || echo "$path as it was"
            mkdir -p "${path%/*}"
            cp -a "$saved" "$path.undo" && mv -fT "$path.undo" "$path"
        elif [ -e "$path" ] || [ -L "$path" ]; then
            echo "remove $path"
            rm -f "$path"
        fi
    done <paths
    sort -ru no_directories | while read -r directory; do rmdir "$directory" 2>/dev/null; done
}

put_unit() {
    [ -n "$unit" ] || { put_files; return; }
    [ -e active ] || systemctl stop "$unit" 2>/dev/null
    put_files
    systemctl daemon-reload
    if [ -e active ]; then systemctl start "$unit"; fi
}

# The kernel keeps it where somebody has a service. One that went lets go of its scheduler a moment later.
unload_ip_vs() {
    for _ in 1 2 3 4 5; do
        modules=$(awk '$1 ~ /^ip_vs/ { print $1 }' /proc/modules)
        [ -n "$modules" ] || return
        modprobe -r $modules 2>/dev/null && echo "modprobe -r" $modules && return
        sleep 1
    done
}"""

_UNDOING = """
left() {
    for kind in rule route address; do
        for family in -4 -6; do
            listed "$kind" "$family" || echo "not known: $kind $family"
            missing "$kind" "$family" | sed "s/^/missing: $kind $family /"
            surplus "$kind" "$family" | sed "s/^/left: $kind $family /"
        done
    done
    printf '%s\\n%s\\n' "$guards" "$marks" | while read -r name; do
        [ -n "$name" ] || continue
        table "$name" >now.table && cmp -s now.table "before/$name" || echo "not as it was: table $name"
    done
    service_changes >batch || echo "not known: IPVS services"
    grep -v '^-[Ee]' batch
}

# Guards before what they guard; what packets are sent to before what sends them there.
undo() {
    mv armed undoing 2>/dev/null || exit 0
    echo "Nobody has confirmed the change: it is undone."
    for family in -4 -6; do known <"before/every_address$family" >"before/address$family"; done
    put_guards yes
    for kind in address route rule; do change add "$kind" missing; done
    put_services '^-[AaEe]'
    put_sysctls
    [ -z "$marks" ] || put_table "$marks"
    # The kernel may take an equal one in the place of what is meant, or hold what is to come for equal: then once more.
    for _ in 1 2 3; do
        changed=no
        for kind in rule route address; do change delete "$kind" surplus; done
        for kind in address route rule; do change add "$kind" missing; done
        [ "$changed" = yes ] || break
    done
    put_services '^-[Dd]'
    put_guards no
    put_unit
    [ "$mask" -eq 0 ] || [ ! -e no_ip_vs ] || unload_ip_vs
    left >left_over
    date '+%F %T %Z' >undoing
    mv undoing undone
    if [ -s left_over ]; then
        cat left_over >&2
        exit 1
    fi
    echo "All is as it was before."
}

case $1 in
    save) shift && save "$@" ;;
    undo) undo ;;
    *) echo "usage: $0 save [FILE ...] | undo" >&2 && exit 2 ;;
esac"""
