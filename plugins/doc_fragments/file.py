# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules whose objects come back at boot."""

from __future__ import annotations

_FILE = r"""
options:
  file:
    description:
      - Absolute path of the file that brings these objects back at boot, in the format of C(TOOL).
        M(lvs.vipless.boot_unit) reads it at boot, and tells by which name in which directory.
      - It holds what this task names and nothing else, and is removed where that is nothing, as with O(state=absent).
        Directories below C(/etc/lvs-vipless) are made as needed.
      - The file must not exist yet, or must have been written by this module.
    type: str
"""


class ModuleDocFragment:
    """One for each tool that reads the file."""

    DOCUMENTATION = _FILE.replace("TOOL", "ip -batch")
    NFT = _FILE.replace("TOOL", "nft --file")
    IPVSADM = _FILE.replace("TOOL", "ipvsadm --restore")
