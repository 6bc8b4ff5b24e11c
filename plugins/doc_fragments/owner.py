# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules whose objects carry the protocol number of their owner."""

from __future__ import annotations


class ModuleDocFragment:
    """What else belongs to the owner."""

    DOCUMENTATION = r"""
options:
  purge_protocol:
    description: The protocol number whose unlisted objects O(purge) removes.
    type: str
    default: "117"
"""
