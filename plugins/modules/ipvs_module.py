#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_module
short_description: Load ip_vs with its schedulers, now and at boot
version_added: 0.1.0
description:
  - Loads the kernel modules of IPVS and writes the files that load them at boot, C(/etc/modules-load.d/NAME.conf) and,
    where an option of ip_vs is given, C(/etc/modprobe.d/NAME.conf).
  - An option of ip_vs counts when it is loaded. Where it is loaded with another value, the module warns, tells what to
    run, and leaves it loaded. It unloads nothing that anybody uses.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - root, to change anything
  - A kernel with ip_vs, and modprobe, for O(state=present)
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  check_mode:
    description:
      - Predicts exactly what a run does and changes nothing.
      - For O(state=absent), what uses ip_vs at that moment counts. Services that a play would have removed keep it.
  diff_mode:
    description: Shows the lines of both files, and the modules in the running kernel.
options:
  name:
    description:
      - Name of the two files, without C(.conf). They must not exist yet, or must have been written by this module.
    type: str
    default: lvs-vipless
  conn_tab_bits:
    description:
      - The table of connections has 2 to the power of this many rows, 8 to 20, and up to 27 on
        newer 64-bit kernels. The kernel's own default (12, as a rule) or what another file sets counts if not given.
      - A row takes 8 bytes, whether it is used or not. With more connections than rows, each packet looks through
        more of them.
    type: int
  schedulers:
    description:
      - Schedulers to load too, such as V(wlc). The kernel loads those of services by itself, which takes a moment.
    type: list
    elements: str
    default: []
  persistence_engines:
    description: Persistence engines to load too, such as V(sip).
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) loads what is not loaded, and makes the files hold this and nothing else.
      - V(absent) removes the files. If they loaded ip_vs, and neither a service nor another file in
        C(/etc/modules-load.d) needs it, it is unloaded with its schedulers.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: A table for a million connections
  lvs.vipless.ipvs_module:
    name: lvs-vipless-director
    conn_tab_bits: 20
    schedulers: [wlc, mh]
    persistence_engines: [sip]
  register: loaded

- name: Say what is to be done, if it is
  ansible.builtin.debug:
    var: loaded.reload_steps
  when: loaded.reload_needed

- name: Load ip_vs no more
  lvs.vipless.ipvs_module:
    name: lvs-vipless-director
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - "add /etc/modules-load.d/lvs-vipless-director.conf (0644)"
    - "add /etc/modules-load.d/lvs-vipless-director.conf: ip_vs"
    - "add loaded: ip_vs"
conn_tab_bits:
  description: What ip_vs was found loaded with, or null where it was not loaded.
  returned: success
  type: int
  sample: 12
reload_needed:
  description: Whether the running ip_vs has another value than O(conn_tab_bits).
  returned: success
  type: bool
reload_steps:
  description: The commands that load it anew, once no traffic comes here. Empty where that is not needed.
  returned: success
  type: list
  elements: str
  sample: [ipvsadm -C, modprobe -r ip_vs_wlc ip_vs, modprobe ip_vs]
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_loading, ipvs_modules
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs_module
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "default": "lvs-vipless"},
        "conn_tab_bits": {"type": "int"},
        **{n: {"type": "list", "elements": "str", "default": []} for n in ("schedulers", "persistence_engines")},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    wanted = ipvs_module.parse(params)
    if present:
        ipvs_modules.require(
            *([(option, name) for name in params[option]] for option in ("schedulers", "persistence_engines"))
        )
    found = ipvs_loading.bits()
    desired = Desired(wanted.lines() if present else [], lambda _found: True)
    result = converge(ipvs_loading.Modules(wanted, leaves=not present), desired, check_mode)
    if present and found is None and not check_mode:
        ipvs_loading.require_bits(wanted.bits)
    steps, warnings = ipvs_module.reload(wanted, found, ipvs_loading.users()) if present else ([], [])
    told = {"conn_tab_bits": found, "reload_needed": bool(steps), "reload_steps": steps}
    return {**result, **told, "warnings": warnings}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
