# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module promises, and what readers and writers promise beside it."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of a module, and the Python that each needs."""

    DOCUMENTATION = r"""
requirements:
  - Python 3.9 or newer on the managed host
attributes:
  action_group:
    support: full
    description: C(module_defaults) for C(group/lvs.vipless.lvs) reach this module.
    membership: [lvs.vipless.lvs]
  platform:
    support: full
    description: Which hosts it runs on.
    platforms: linux
"""

    WRITER = r"""
attributes:
  check_mode:
    support: full
    description: Predicts exactly what a run does and changes nothing.
  diff_mode:
    support: full
    description: Shows what there is before and after, a line each.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
"""

    READER = r"""
attributes:
  check_mode:
    support: full
    description: Does the same with and without it.
  diff_mode:
    support: N/A
    description: Nothing changes.
  idempotent:
    support: N/A
    description: Nothing changes.
"""
