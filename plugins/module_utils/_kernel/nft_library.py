# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libnftables(3): what nft(8) does, in this process.

A process of nft ends by closing its socket, and what was removed is then freed, for which the kernel waits until no
packet can be looking at it: 7 to 16 ms after a change that took one (synchronize_rcu() in nf_tables_api.c; measured,
Linux 6.18). A socket that stays open after the change leaves that to the end of the run.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import lru_cache

_NAME = "libnftables.so.1"


class Context:
    """One socket of the library, open until nobody has this object any more. Of the namespace that it is made in."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._handle = library.nft_ctx_new(0)
        if not self._handle:
            raise MemoryError(f"{_NAME} gave no context")
        # As the process ends, the kernel closes it.
        weakref.finalize(self, library.nft_ctx_free, self._handle).atexit = False
        library.nft_ctx_buffer_output(self._handle)
        library.nft_ctx_buffer_error(self._handle)

    def run(self, commands: str) -> tuple[int, str]:
        """Carry out the lines in one transaction. Gives what nft(8) would end with and write to its standard error."""
        failed = self._library.nft_run_cmd_from_buffer(self._handle, commands.encode())
        return (1 if failed else 0), self._library.nft_ctx_get_error_buffer(self._handle).decode(errors="replace")


def context() -> Context | None:
    """A new one; None where this Python cannot load the library."""
    library = _load()
    return Context(library) if library else None


@lru_cache(maxsize=1)
def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(_NAME)
    except OSError:
        return None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    for name in ("free", "buffer_output", "buffer_error", "get_error_buffer"):
        getattr(library, f"nft_ctx_{name}").argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library
