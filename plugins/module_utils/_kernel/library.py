# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is used of pyroute2: constants and message classes. A host without it gets one clear error, no traceback."""

from __future__ import annotations

from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing

netlink: Any = None
rtnl: Any = None
_failure = ""

__all__ = ["netlink", "require", "rtnl"]

try:
    from pyroute2 import netlink
    from pyroute2.netlink import rtnl
except ImportError as error:
    _failure = str(error)


def require() -> None:
    """Raise Missing where pyroute2 cannot be imported by the Python that runs the module."""
    if _failure:
        raise Missing(
            f"The Python library pyroute2 (0.7.2 or newer) cannot be imported on this host: {_failure}.",
            "install the package python3-pyroute2, or pyroute2 from PyPI for ansible_python_interpreter.",
        )
