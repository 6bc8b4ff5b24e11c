"""Compile the code of a module once a guest, not once a task.

Ansible sends a module as a zip file of sources, and Python keeps no bytecode of what it imports from one. Half a task's
time on an emulated processor went into compiling the same sources anew.
"""

from __future__ import annotations

import marshal
import os
import zipimport
from _imp import source_hash
from types import CodeType

_FOLDER = "/var/cache/lab-bytecode"
# Of PEP 552's hash, which is there from the start; hashlib would take longer to import than most sources to compile.
_KEY = 0x6C6162
_compile = zipimport._compile_source  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public stands in its place


def _compiled(name: str, source: bytes) -> CodeType:
    path = f"{_FOLDER}/{source_hash(_KEY, source).hex()}"
    try:
        with open(path, "rb") as kept:
            code: CodeType = marshal.loads(kept.read())  # noqa: S302 - only root writes there
    except OSError:
        code = _compile(name, source)
        _keep(path, code)
    return code


def _keep(path: str, code: CodeType) -> None:
    """Write it for the next one, where this user may."""
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(_FOLDER, 0o755, exist_ok=True)  # noqa: PTH103 - pathlib is slow to import
        with open(draft, "wb") as file:
            file.write(marshal.dumps(code))
        os.replace(draft, path)  # noqa: PTH105
    except OSError:
        return


zipimport._compile_source = _compiled  # type: ignore[attr-defined]  # noqa: SLF001
