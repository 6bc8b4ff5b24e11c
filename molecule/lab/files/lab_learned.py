"""What tasks send of a collection, imported before the next task needs it.

A task comes as a zip file of its module and of the module_utils that this imports. Those are the same from task to
task, and to import them takes an emulated processor longer than all the rest of a task. So the first task leaves them
in a folder, and the server imports what lies there before it forks. A task uses it only where the zip file holds the
very same sources, by their check sums; of a collection that was changed meanwhile nothing is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

FOLDER = Path("/var/cache/lab-learned")
_LOCK = FOLDER / "lock"
_ROOT = "ansible_collections"
# What a task runs; all else is there to be imported.
_MODULES = "/plugins/modules/"

_sums: dict[str, int] = {}
"""CRC-32 of the source of each module that is imported here."""
_seen = 0


class Asked:
    """Comes before all that find modules: as a task begins to import a collection, its zip file is looked at."""

    settled = False

    @classmethod
    def find_spec(cls, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if not cls.settled and name.partition(".")[0] == _ROOT:
            # Python's own search path begins with a zip file that there need not be; the server has no other.
            archives = [entry for entry in sys.path if entry.endswith(".zip") and Path(entry).exists()]
            if archives:
                cls.settled = True
                _settle(archives[0])
        return None


def _settle(archive: str) -> None:
    """In a task's process: use what is imported already if the task has sent the same, and leave behind what is new."""
    with zipfile.ZipFile(archive) as file:
        sent = {_name(info.filename): info for info in file.infolist() if _is_shared(info.filename)}
        same = all(known == sent[name].CRC for name, known in _sums.items() if name in sent)
        for name in _sums:
            if hasattr(sys.modules[name], "__path__"):
                # What is not there yet is imported from what was sent. In place: the search under way has this list.
                sys.modules[name].__path__[:] = [f"{archive}/{name.replace('.', '/')}"]
            elif not same:
                package, _dot, own = name.rpartition(".")
                delattr(sys.modules[package], own)
                del sys.modules[name]
        if same and sent.keys() - _sums.keys():
            _leave(file, [info for name, info in sent.items() if name not in _sums])


def _is_shared(path: str) -> bool:
    return path.startswith(f"{_ROOT}/") and path.endswith(".py") and _MODULES not in path


def _name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _leave(archive: zipfile.ZipFile, found: list[zipfile.ZipInfo]) -> None:
    with contextlib.suppress(OSError), _alone():
        for info in found:
            archive.extract(info, FOLDER)
        os.utime(_LOCK)


def import_new() -> None:
    """In the server: import what tasks have left since the last time."""
    global _seen  # noqa: PLW0603 - of the one server
    with contextlib.suppress(OSError):
        written = _LOCK.stat().st_mtime_ns
        if written != _seen:
            with _alone():
                _import_all()
            _seen = written


def _import_all() -> None:
    sys.path.insert(0, str(FOLDER))
    for path in sorted(FOLDER.rglob("*.py")):
        name = _name(str(path.relative_to(FOLDER)))
        # One that cannot be imported here is imported, or reported, by the tasks that need it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
            _sums[name] = zlib.crc32(path.read_bytes())
    sys.path.remove(str(FOLDER))
    # What is there now stays: the collector of a fork need not look at it, nor copy it by doing so.
    gc.freeze()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the folder; BlockingIOError where another process does."""
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    with _LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
