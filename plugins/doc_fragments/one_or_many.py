# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options beside one object or a list of them. Each module says what the words mean for its objects."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation of module_utils/_argspec.py, one_or_many."""

    DOCUMENTATION = r"""
options:
  state:
    description: Whether the objects should exist.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description: Also remove every other object in scope.
    type: bool
    default: false
"""
