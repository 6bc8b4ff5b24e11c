# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab, the demonstration and the tests stand on: Debian packages, a virtual environment, a collections path.

Needs only the standard library, so that a fresh Debian 12 machine's own python3 can run it. Everything it makes, but
the Debian packages, lies in one cache directory: `$LVS_LAB_CACHE`, else `$XDG_CACHE_HOME/lvs-vipless`, else
`~/.cache/lvs-vipless`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.requirements import DEBIAN_PACKAGES as LAB_PACKAGES
from lab.requirements import add_system_directories_to_path
from lab.settings import cache_directory

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = CHECKOUT / "requirements.txt", CHECKOUT / "requirements-dev.txt"
# Tests and benchmarks on this machine's own kernel call ip, nft and ping; Debian's python3 wants python3-venv for a
# virtual environment.
DEBIAN_PACKAGES = sorted({"iproute2", "iputils-ping", "nftables", "python3-venv", *LAB_PACKAGES})
OLDEST_PYTHON = (3, 11)
CORE = "LVS_ANSIBLE_CORE"
"""A release of ansible-core, such as 2.16, to set up and run everything with; the newest if not set."""
PROGRESS_SECONDS = 15


class SetUpError(Exception):
    """The machine cannot become what is needed; the message is one sentence for the person in front of it."""


@dataclass(frozen=True)
class Environment:
    """What `ensure` has set up.

    cache: the cache directory, shared by all checkouts. python: that of the virtual environment. collections: the path
    in which `ansible_collections/lvs/vipless` is this checkout. ansible: the home of Ansible and of molecule's state.
    """

    cache: Path
    python: Path
    collections: Path
    ansible: Path

    def variables(self) -> dict[str, str]:
        """Return the environment variables for its tools: this process's own, with the tools' places set."""
        return {
            **os.environ,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOME": str(self.ansible),
            "LVS_LAB_CACHE": str(self.cache),
            # Ansible refuses to run in a locale that is not UTF-8; every Debian machine has this one.
            "LC_ALL": "C.UTF-8",
            # Lines must show when they are written, also where a test reads them through a pipe.
            "PYTHONUNBUFFERED": "1",
        }


def _checkout_directory() -> Path:
    """Return the part of the cache for this checkout alone, as molecule knows a checkout by its last name only."""
    return cache_directory() / "checkouts" / _digest(str(CHECKOUT).encode())


def link_collection() -> Path:
    """Return a collections path whose `ansible_collections/lvs/vipless` is this checkout."""
    root = _checkout_directory()
    link = root / "ansible_collections" / "lvs" / "vipless"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place, so that two processes which start together both find a whole link.
        fresh = link.with_name(f"vipless.{os.getpid()}")
        fresh.symlink_to(CHECKOUT)
        fresh.replace(link)
    return root


def ensure() -> Environment:
    """Set up what is missing, telling about it on standard error, and return it; says nothing where nothing is missing.

    Raises SetUpError where the machine does not allow it.
    """
    add_system_directories_to_path()
    _check_machine()
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "set-up.lock"):
        _install_debian_packages(cache / "set-up.log")
        python = _virtual_environment(cache)
        collections = link_collection()
    return Environment(cache, python, collections, ansible=_checkout_directory() / "ansible")


def ensure_or_exit() -> Environment:
    """Do what `ensure` does for a command: where it fails, end the process with the sentence that says why."""
    try:
        return ensure()
    except SetUpError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{sys.argv[0]}: interrupted; the next start does what is left.")


def _check_machine() -> None:
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise SetUpError(f"{sys.executable} is Python {sys.version.split()[0]}: Python {wanted} or newer is needed.")
    if os.geteuid() != 0:
        raise SetUpError(
            "the lab makes network namespaces and virtual machines: run this as root (with sudo, for example)."
        )
    if shutil.which("apt-get") is None:
        raise SetUpError("apt-get was not found: the lab is made of Debian packages and needs Debian 12 or newer.")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, so that commands started together set up one after the other.

    The programs that set up inherit it: where this process is killed, the next one waits for their end.
    """
    with path.open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("waiting for a set-up that is under way …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_debian_packages(log: Path) -> None:
    missing = _missing_debian_packages()
    if not missing:
        return
    apt = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=300"]
    _run([*apt, "update"], "reading the list of Debian packages", log)
    _run([*apt, "install", "--yes", "--no-install-recommends", *missing], f"installing {', '.join(missing)}", log)


def _missing_debian_packages() -> list[str]:
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *DEBIAN_PACKAGES]
    # dpkg-query exits 1 when it does not know one of the names, and still lists the others.
    listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    states = (line.split() for line in listed.splitlines())
    installed = {name for state, name in states if state == "installed"}
    return [name for name in DEBIAN_PACKAGES if name not in installed]


def _virtual_environment(cache: Path) -> Path:
    """Return the python of the virtual environment for these requirements; make it where it is missing or half made."""
    interpreter = f"{sys.version} {os.path.realpath(sys.base_prefix)}"
    core = _chosen_core()
    told = (path.read_bytes() for path in REQUIREMENTS)
    directory = cache / f"python-{_digest(interpreter.encode(), *told, *(text.encode() for text in core))}"
    python, complete = directory / "bin" / "python", directory / "complete"
    if complete.exists() and python.exists():
        return python
    shutil.rmtree(directory, ignore_errors=True)
    log = cache / "set-up.log"
    _run([sys.executable, "-m", "venv", str(directory)], "making a virtual environment", log)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS[-1])]
    _run([*pip, *core], "installing Ansible, Molecule and the test tools into it", log)
    complete.touch()
    return python


def _chosen_core() -> list[str]:
    """What pip is asked for beside the requirements: the release of ansible-core, where CORE chooses one."""
    release = os.environ.get(CORE, "")
    if release and not re.fullmatch(r"2\.[0-9]+", release):
        raise SetUpError(f"{CORE}={release!r} is no release of ansible-core, such as 2.19.")
    return [f"ansible-core=={release}.*"] if release else []


def _run(command: list[str], what: str, log: Path) -> None:
    """Run a command with its output in `log`, telling every few seconds that it still works."""
    _tell(f"{what} …")
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # For the lock, which is inheritable.
            close_fds=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        while True:
            try:
                code = process.wait(timeout=PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                _tell(f"  … still at it after {time.monotonic() - started:.0f} s")
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetUpError(f"{what} failed (exit code {code} of `{' '.join(command[:4])} …`), the end of {log}:\n{tail}")


def _tell(line: str) -> None:
    print(f"[set-up] {line}", file=sys.stderr, flush=True)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
