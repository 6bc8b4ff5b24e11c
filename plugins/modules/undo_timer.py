#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: undo_timer
short_description: Let a host undo changes by itself unless they are confirmed in time
version_added: 0.1.0
description:
  - Armed before a change, it keeps what is there of all that the change owns, and starts a timer of systemd. When the
    timer ends, the host puts back what was there, whether or not the controller still reaches it. What others own is
    not touched.
  - Confirmed after the change, over a connection that was made anew, it ends the timer and leaves nothing behind.
  - Where an earlier change of the same name waits for its confirmation, what was there before that one stays what will
    be put back, and the timer starts anew. Who armed it before can confirm it no more (O(token)).
  - A change that has a protocol number, a table, services or a unit in common with one of another name that waits is
    refused.
  - C(sh /run/lvs-vipless/undo/NAME/undo undo) puts back at once. The script needs no Python. What it does at the end of
    the timer is in the journal of the unit C(undo-lvs-vipless-NAME).
  - It adds before it removes where the kernel lets it. A table of nftables that differs is replaced as a whole, in one
    transaction. Rules of equal priority come back in any order.
  - A reboot ends the timer. The host then has what the boot unit brings back.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - systemd on the managed host
  - ip, and of nft and ipvsadm what the options need
  - root
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  check_mode:
    description: Changes nothing, and tells of a timer that is there.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: partial
    description: Never reports a change. With O(state=armed) a second run begins the time anew.
options:
  name:
    description: Name of the timer. One name is one change that is undone as a whole.
    type: str
    required: true
  state:
    description:
      - V(armed) keeps what is there and starts the timer.
      - V(confirmed) ends it. Where none waits, it does nothing. Where the changes have been undone, it undoes what ran
        after that too, fails, and says when that was.
    type: str
    choices: [armed, confirmed]
    default: armed
  token:
    description:
      - For O(state=confirmed), what RV(token) was when this run armed the timer. Where another run has armed it since,
        nothing is confirmed, since that run may not be the one that still reaches the host.
      - Without it, whatever waits is confirmed.
    type: str
  timeout:
    description: Seconds to wait for the confirmation. It must be longer than all that happens until then.
    type: int
  protocol:
    description: Protocol number of the rules, routes and addresses that belong to the change.
    type: str
    default: "117"
  addresses:
    description:
      - The addresses that the change may make. Existing ones are found by their protocol number; iproute2 before 6.3,
        which undoes the change, does not show that number.
    type: list
    elements: dict
    default: []
    suboptions:
      prefixes:
        description: Addresses, with or without a prefix length.
        type: list
        elements: str
        required: true
      device:
        description: The device that holds them.
        type: str
        default: lo
  arp_table:
    description: The table of M(lvs.vipless.arp_suppress).
    type: str
  guard_table:
    description: The table of M(lvs.vipless.vip_guard).
    type: str
  mark_table:
    description: The table of M(lvs.vipless.fwmark).
    type: str
  fwmarks:
    description:
      - IPVS services with these bits in their mark belong to the change, as MARK/MASK. Without it, no service does.
      - If C(ip_vs) was not loaded, it is unloaded where nobody has a service.
    type: str
  sysctls:
    description: Names of kernel parameters that the change may set.
    type: list
    elements: str
    default: []
  unit:
    description: >-
      The unit of M(lvs.vipless.boot_unit), with all its files, whether it is enabled, and whether it is active.
    type: str
  files:
    description: Further files that belong to the change.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Undo what follows unless it is confirmed within three minutes
  lvs.vipless.undo_timer:
    name: director
    timeout: 180
    protocol: "117"
    addresses:
      - {prefixes: [203.0.113.10], device: lo}
    arp_table: lvs_vipless
    guard_table: lvs_vipless_guard
    mark_table: lvs_vipless
    fwmarks: 0x10000/0x10000
    sysctls: [net.ipv4.vs.expire_nodest_conn]
    unit: director
    files: [/etc/sysctl.d/90-lvs-vipless-director.conf]
  register: armed

- name: Come back
  ansible.builtin.wait_for_connection:
    timeout: 60

- name: Keep what was changed
  lvs.vipless.undo_timer:
    name: director
    state: confirmed
    token: "{{ armed.token }}"
"""

RETURN = r"""
changed:
  description: >-
    Always V(false). An armed timer is gone when the change is confirmed, so that a second run of the same play has
    changed nothing.
  returned: success
  type: bool
remaining:
  description: Seconds until the changes are undone, or null where nothing waits for a confirmation.
  returned: success
  type: int
  sample: 180
token:
  description: What tells this arming from others.
  returned: with O(state=armed), but for check mode
  type: str
  sample: 3f0c1b5e9d2a7746
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.boot_unit import require_systemd
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.undo import Timer
from ansible_collections.lvs.vipless.plugins.module_utils._model import undo, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

ADDRESS = {
    "prefixes": {"type": "list", "elements": "str", "required": True},
    "device": {"type": "str", "default": "lo"},
}
SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["armed", "confirmed"], "default": "armed"},
        "timeout": {"type": "int"},
        "protocol": {"type": "str", "default": str(values.OWN_PROTOCOL)},
        "addresses": {"type": "list", "elements": "dict", "default": [], "options": ADDRESS},
        # Nothing secret: it tells one run from another.
        "token": {"type": "str", "no_log": False},
        **{name: {"type": "str"} for name in ("arp_table", "guard_table", "mark_table", "fwmarks", "unit")},
        **{name: {"type": "list", "elements": "str", "default": []} for name in ("sysctls", "files")},
    },
    required_if=[("state", "armed", ("timeout",))],
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    timer = Timer(undo.name("name", params["name"]))
    owned = undo.parse(params)
    armed = params["state"] == "armed"
    seconds = undo.seconds("timeout", params["timeout"]) if armed else 0
    require_systemd("leave undo_timer out (director_confirm_timeout: 0).")
    require_net_admin()
    told = {}
    if not check_mode and armed:
        told = {"token": timer.arm(owned, seconds)}
    elif not check_mode:
        timer.confirm(params["token"])
    return {"changed": False, "remaining": timer.remaining(), **told}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
