# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of the script that undoes a change: how it lists what is there, and keeps that. Pure."""

from __future__ import annotations

LISTING = """
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
    awk '
        BEGIN { while ((got = getline key <"addresses") > 0) known[key]; if (got < 0) { broken = 1; exit } }
        ($1 " " $3) in known
        END { exit broken }'
}

address() {
    found=$(every_address "$1") || return 1
    printf '%s\\n' "$found" | known
}

# To compare alone. nft 1.0.6 takes neither of its listings back: an icmpx reject becomes another one in text, and a map
# comes before the chains that it jumps to in JSON. Handles are new whenever a table is.
table() {
    found=$(nft list tables) || return 1
    case "$line_end$found$line_end" in *"${line_end}table $1$line_end"*) ;; *) return 0 ;; esac
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

SAVING = """
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
        known <"before/every_address$family" >new && mv new "before/address$family" || exit 1
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
