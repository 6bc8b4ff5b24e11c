# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that keeps what is there before a change, and puts it back. Pure.

The tools' own listings, as they were before and as they are now, are compared line by line: both are of the same
programs on the same host, so that equal objects have equal lines, whatever the programs' version.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.lvs.vipless.plugins.module_utils._model import boot, lock
from ansible_collections.lvs.vipless.plugins.module_utils._model.undo_listing import LISTING, SAVING

OWNER = "undo_timer"
# In its folder.
SCRIPT = "undo"
ARMED, UNDOING, UNDONE, INCOMPLETE = "armed", "undoing", "undone", "incomplete"
"""One file with these names in turn: to give it another takes no room, where the disk is full."""
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
    return boot.text_of(OWNER, [_INTRODUCTION, _ALONE, assigned, LISTING, SAVING, _PUTTING_BACK, _UNDOING], "#!/bin/sh")


_INTRODUCTION = """\
# save [FILE ...]: keep what is there, but for what has been kept. undo: put it back, once, or again where something was
# left. Undoing writes nothing but what it puts back: it works where the disk is full, as it may be when it is needed.
# No answer that failed is taken for an empty one.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022
cd "${0%/*}" || exit 1
line_end="
"
"""

_ALONE = f"alone() {{ {lock.IN_SHELL}; }}"

_PUTTING_BACK = """
lines() { [ -z "$1" ] || printf '%s\\n' "$1"; }
compared() {
    now=$("$2" "$3") && now=$(lines "$now" | sort) && lines "$now" | comm "$1" - "before/$2$3"
}
missing() { compared -13 "$1" "$2"; }
surplus() { compared -23 "$1" "$2"; }

# add or delete, a kind of object, and which of them.
change() {
    for family in -4 -6; do
        batch=$("$3" "$2" "$family") && [ -n "$batch" ] || continue
        batch=$(lines "$batch" | sed "s/^/$2 $1 /")
        lines "$batch" | sed "s/^/ip $family /"
        lines "$batch" | ip "$family" -force -batch -
        changed=yes
    done
}

# Whether a table is as it was.
same_table() { now=$(table "$1") && was=$(cat "before/$1") && [ "$now" = "$was" ]; }

put_table() {
    same_table "$1" && return
    was=$(cat "before/$1") || return
    if [ -n "$was" ]; then
        made=$(cat "nft/$1") || return
        echo "nft: table $1 as it was"
        { echo "add table $1"; echo "delete table $1"; lines "$made"; } | nft -f -
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
    now=$(services) && was=$(cat services.ipvs) || return
    { lines "$now"; echo =; lines "$was"; } | awk '
        function service() { return $2 " " $3 ($4 == "-6" ? " -6" : "") }
        function object() { return tolower($1) != $1 ? service() : service() " -r " $($4 == "-6" ? 6 : 5) }
        $1 == "=" { past = 1; next }
        !past { there[object()] = service(); destination[object()] = $1 == "-a"; next }
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
        }'
}

put_services() {
    batch=$(service_changes) || return
    batch=$(lines "$batch" | grep "$1") || return
    lines "$batch" | sed 's/^/ipvsadm /'
    # One that it refuses keeps it from the rest.
    lines "$batch" | ipvsadm -R || lines "$batch" | while read -r line; do ipvsadm $line; done
}

same_sysctl() { [ "$(echo $(cat "/proc/sys/$1"))" = "$2" ]; }

put_sysctls() {
    while IFS== read -r key value; do
        [ -w "/proc/sys/$key" ] || continue
        same_sysctl "$key" "$value" && continue
        echo "sysctl $key=$value"
        echo "$value" >"/proc/sys/$key"
    done <sysctls
}

there() { [ -e "$1" ] || [ -L "$1" ]; }
same_file() {
    if [ -L "before/files$1" ]; then
        [ "$(readlink "before/files$1")" = "$(readlink "$1")" ]
    elif there "before/files$1"; then
        cmp -s "before/files$1" "$1"
    else
        ! there "$1"
    fi
}

put_files() {
    while read -r path; do
        saved=before/files$path
        if there "$saved"; then
            same_file "$path" || echo "$path as it was"
            mkdir -p "${path%/*}"
            cp -a "$saved" "$path.undo" && mv -fT "$path.undo" "$path"
        elif there "$path"; then
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
# Whatever could not be looked at is left: the answer is empty only where all was seen to be as before.
left() {
    for kind in rule route address; do
        for family in -4 -6; do
            found=$(missing "$kind" "$family") || echo "not known: $kind $family"
            lines "$found" | sed "s/^/missing: $kind $family /" || echo "missing: $kind $family"
            found=$(surplus "$kind" "$family") || echo "not known: $kind $family"
            lines "$found" | sed "s/^/left: $kind $family /" || echo "left: $kind $family"
        done
    done
    printf '%s\\n%s\\n' "$guards" "$marks" | while read -r name; do
        [ -z "$name" ] || same_table "$name" || echo "not as it was: table $name"
    done
    found=$(service_changes) || echo "not known: IPVS services"
    lines "$found" | while read -r line; do case $line in -[Ee]*) ;; *) echo "ipvsadm $line" ;; esac; done
    while IFS== read -r key value; do
        [ ! -e "/proc/sys/$key" ] || same_sysctl "$key" "$value" || echo "not as it was: sysctl $key"
    done <sysctls || echo "not known: sysctls"
    while read -r path; do same_file "$path" || echo "not as it was: $path"; done <paths || echo "not known: files"
    echo end
}

# Guards before what they guard; what packets are sent to before what sends them there.
undo() {
    for state in armed incomplete; do mv "$state" undoing 2>/dev/null && break; done
    # A filesystem that has become read-only keeps the name.
    [ -e undoing ] || [ -e armed ] || exit 0
    echo "Nobody has confirmed the change: it is undone."
    alone
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
    # What the unit starts waits as well.
    flock -u 9 2>/dev/null
    put_unit
    [ "$mask" -eq 0 ] || [ ! -e no_ip_vs ] || unload_ip_vs
    rest=$(left)
    if [ "$rest" != end ]; then
        lines "${rest%end}" >&2
        mv undoing incomplete
        exit 1
    fi
    mv undoing undone || exit 1
    echo "All is as it was before."
}

case $1 in
    save) shift && save "$@" ;;
    undo) undo ;;
    *) echo "usage: $0 save [FILE ...] | undo" >&2 && exit 2 ;;
esac"""
