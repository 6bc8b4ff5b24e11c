# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is used of pyroute2: its constants. A host without it gets one clear error, no traceback.

``import pyroute2`` runs all of the library: a database, an HTTP server, asyncio. That takes ten times as long as the
two modules that are used here, and on a slow host longer than everything else that a task does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing

netlink: Any = None
rtnl: Any = None
_failure = ""

__all__ = ["netlink", "require", "rtnl"]


@contextmanager
def _without_the_rest(package: str) -> Iterator[None]:
    """Let ``import`` find a package's modules without the package's own code, and forget them afterwards.

    Whoever imports the package later in this process gets the whole of it.
    """
    spec = None if package in sys.modules else find_spec(package)
    if spec is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
            del sys.modules[name]


def _constants() -> tuple[Any, Any]:
    from pyroute2 import netlink  # noqa: PLC0415 - the caller says how
    from pyroute2.netlink import rtnl  # noqa: PLC0415

    return netlink, rtnl


try:
    try:
        with _without_the_rest("pyroute2"):
            netlink, rtnl = _constants()
    except (AttributeError, ImportError):
        # A pyroute2 whose modules need the package's own code.
        netlink, rtnl = _constants()
except ImportError as error:
    _failure = str(error)


def require() -> None:
    """Raise Missing where pyroute2 cannot be imported by the Python that runs the module."""
    if _failure:
        raise Missing(
            f"The Python library pyroute2 (0.7.2 or newer) cannot be imported on this host: {_failure}.",
            "install the package python3-pyroute2, or pyroute2 from PyPI for ansible_python_interpreter.",
        )
