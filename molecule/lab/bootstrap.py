"""Root filesystems from Debian packages, made in a folder that does not outlive a build that failed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import apt_sources
from lab.console import say
from lab.errors import LabError

_PROGRESS_SECONDS = 20.0


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Yield a fresh folder in the parent, gone afterwards; what a killed build left goes first."""
    for stale in parent.glob("build-*"):
        _remove_tree(stale)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=parent))
    try:
        yield work
    finally:
        _remove_tree(work)


def _remove_tree(folder: Path) -> None:
    """Remove a root filesystem, but never through a mount (the host's /sys or /dev) that a killed build left in it."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    inside = [mount.split()[1] for mount in mounts if mount.split()[1].startswith(f"{folder}/")]
    if inside:
        raise LabError(f"{inside[0]} is still mounted, left by a build that was killed: unmount it, then try again.")
    shutil.rmtree(folder)


def bootstrap(
    release: str, variant: str, packages: Sequence[str], root: Path, lock: int, options: Sequence[str] = ()
) -> None:
    """Fill a new folder from packages of a Debian release and what they depend on; the rest is mmdebstrap(1)'s."""
    source_list = root.with_name("sources.list")
    source_list.write_text("".join(f"{source.line()}\n" for source in apt_sources.sources(release)), encoding="utf-8")
    transport = [f"--aptopt={option}" for option in apt_sources.transport_options()]
    argv = ["mmdebstrap", "--mode=root", "--format=directory", f"--variant={variant}"]
    argv += [f"--include={','.join(packages)}", *transport, *options]
    _run_with_progress([*argv, release, str(root), str(source_list)], root.with_name("mmdebstrap.log"), lock)


def _run_with_progress(argv: list[str], log: Path, lock: int) -> None:
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=(lock,)
        )
        while (status := _ended(process)) is None:
            say(f"  … {time.monotonic() - started:.0f} s: {_tail(log, 1)}")
    if status != 0:
        complaint = "mmdebstrap could not unpack Debian packages (can this machine install packages?)"
        raise LabError(f"{complaint}:\n{_tail(log, 15)}")


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=_PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    except KeyboardInterrupt:
        # The terminal interrupts mmdebstrap too: let it unmount what it mounted before its folder is removed.
        process.wait()
        raise


def _tail(log: Path, count: int) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
