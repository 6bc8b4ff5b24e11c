# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of sets and maps as nft lists them (libnftables-json(5)). Pure."""

from __future__ import annotations

from typing import Any


def bare(element: Any) -> Any:  # noqa: ANN401 - what nft lists: text, a number or an object
    """An element, or its key, without the comment that somebody has put on it, which wraps it."""
    return element["elem"]["val"] if isinstance(element, dict) and "val" in element.get("elem", {}) else element
