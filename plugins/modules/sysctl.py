#!/usr/bin/python
# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl
short_description: Set kernel parameters, now and at boot
version_added: 0.1.0
description:
  - Sets many kernel parameters in one call, in the running kernel and, where O(file) names one, in the file that sets
    them at boot. The two are compared and changed each for itself, so that neither hides that the other differs.
  - The file belongs to the module as a whole. A key that is not listed leaves the file.
  - Where another file sets a key otherwise and is read after O(file) at boot, a warning names it. It is never changed.
author:
  - lvs.vipless contributors (@lvs-vipless)
requirements:
  - root, to change anything
extends_documentation_fragment:
  - lvs.vipless.attributes
  - lvs.vipless.attributes.writer
attributes:
  check_mode:
    description:
      - Predicts exactly what a run does and changes nothing. A value that the kernel refuses is found by a run alone.
      - A key below C(net.ipv4.vs) does not exist before the kernel module ip_vs is loaded. Until then its default
        counts as its value. A key of an interface that does not exist has the value of C(default) until then.
  diff_mode:
    description: Shows each value before and after, the running kernel and the file in lines of their own.
options:
  values:
    description:
      - Keys and their values. Required for O(state=present).
      - A key is written as for C(sysctl). Where the name of an interface has a dot, write a slash in its place
        (C(net.ipv4.conf.eth0/100.rp_filter)), or separate by slashes (C(net/ipv4/conf/eth0.100/rp_filter)).
      - A value is a whole number or text. White space between its words counts as one space. V(true) and V(false)
        are errors, and so are V(yes), V(no), V(on) and V(off) without quotes, which are the same to YAML.
    type: dict
  file:
    description:
      - Absolute path of the file that sets the keys at boot, such as C(/etc/sysctl.d/90-lvs-vipless-director.conf).
        Nothing but the running kernel is changed if not given. Its directory must exist.
      - The file must not exist yet, or must have been written by this module.
    type: str
  state:
    description:
      - V(present) sets the values in the running kernel, and makes the file hold these keys and no others.
      - V(absent) removes the file, which O(file) must then name. The running kernel keeps its values, because what they
        were before is not known; O(values) is not looked at.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Forward packets, now and after a reboot
  lvs.vipless.sysctl:
    file: /etc/sysctl.d/90-lvs-vipless-director.conf
    values:
      net.ipv4.ip_forward: 1
      net.ipv6.conf.all.forwarding: 1
      net.ipv4.conf.eth0/100.rp_filter: 0
      net.ipv4.tcp_rmem: 4096 131072 6291456

- name: Leave the values to others from the next boot on
  lvs.vipless.sysctl:
    file: /etc/sysctl.d/90-lvs-vipless-director.conf
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode, a line a step.
  returned: success
  type: list
  elements: str
  sample:
    - "change runtime net.ipv4.ip_forward = 0 to runtime net.ipv4.ip_forward = 1"
    - "add /etc/sysctl.d/90-lvs-vipless-director.conf (0644 0:0)"
    - "add /etc/sysctl.d/90-lvs-vipless-director.conf net.ipv4.ip_forward = 1"
overridden:
  description: >-
    Keys that another file decides about at boot, in place of O(file). Empty without O(file). Where systemd does not
    run, C(/etc/sysctl.conf) is read after all others; systemd reads it only where a link in C(sysctl.d) leads there.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The key.
      returned: always
      type: str
      sample: net.ipv4.conf.all.rp_filter
    value:
      description: The value that O(values) gives it.
      returned: always
      type: str
      sample: "0"
    file:
      description: The other file.
      returned: always
      type: str
      sample: /etc/sysctl.d/99-hardening.conf
    file_value:
      description: Its value there, or null where the file only keeps the key from being set (C(-key) without a value).
      returned: always
      type: str
      sample: "1"
"""

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._engine import converge
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl import Sysctls, require_keys
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_file import SysctlFile
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.sysctl_source import overridden
from ansible_collections.lvs.vipless.plugins.module_utils._model import sysctl, values
from ansible_collections.lvs.vipless.plugins.module_utils._module import carry_out

SPEC = ArgumentSpec(
    {
        "values": {"type": "dict"},
        "file": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    },
    required_if=[("state", "present", ("values",)), ("state", "absent", ("file",))],
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's work, from options to result."""
    present = params["state"] == "present"
    settings = values.distinct(sysctl.parse(params["values"])) if present else []
    file = SysctlFile("file", params["file"], "sysctl") if params["file"] is not None else None
    require_keys((("values", s.name) for s in settings), read_only=check_mode)
    desired = sysctl.desired(settings, file.path if file else None, with_file=present)
    result = converge(Sysctls((s.name for s in settings), file), desired, check_mode)
    others, warnings = overridden(settings, file)
    return {**result, "overridden": others, "warnings": warnings}


def main() -> None:
    carry_out(SPEC, run)


if __name__ == "__main__":
    main()
