# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection does around its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import basic


def carry_out(spec: ArgumentSpec, work: Callable[[dict[str, Any], bool], dict[str, Any]]) -> None:
    """Take the options, do the work, and end the process with the result, or with what went wrong."""
    module = basic.Module(**spec.to_kwargs())
    try:
        with basic.helped_by(module):
            result = work(module.params, module.check_mode)
    except LvsError as error:
        module.fail_json(msg=str(error), **error.details)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)
