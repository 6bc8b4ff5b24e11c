# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules whose objects come back at boot."""

from __future__ import annotations


class ModuleDocFragment:
    """The file that keeps objects over a reboot."""

    DOCUMENTATION = r"""
options:
  file:
    description:
      - Absolute path of the file that brings these objects back at boot, in the format of the program that makes such
        objects (C(ip -batch), C(nft --file) or C(ipvsadm --restore)). M(lvs.vipless.boot_unit) reads it at boot, and
        tells by which name in which directory.
      - It holds what this task names and nothing else, and is removed where that is nothing, as with O(state=absent).
        Directories below C(/etc/lvs-vipless) are made as needed.
      - The file must not exist yet, or must have been written by this module.
    type: str
"""
