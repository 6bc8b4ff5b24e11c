# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own module class does on a host for whoever uses it: run programs, put files in their place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ansible.module_utils.basic import AnsibleModule


class Module(AnsibleModule):
    """One whose helpers raise what goes wrong: what was done before is then told with it."""

    at_work = False

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)  # type: ignore[no-untyped-call]  # that of Ansible has none

    def fail_json(self, msg: str, **details: Any) -> NoReturn:
        error = _refusal(sys.exc_info()[1])
        if self.at_work and error:
            raise error
        super().fail_json(msg, **details)
        raise AssertionError(msg)


class Done(NamedTuple):
    """A program that has ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


_MODULE: ContextVar[AnsibleModule] = ContextVar("module")


@contextmanager
def helped_by(module: Module) -> Iterator[None]:
    """Let this module's helpers do the work of this thread."""
    token = _MODULE.set(module)
    module.at_work = True
    try:
        yield
    finally:
        module.at_work = False
        _MODULE.reset(token)


def run_program(command: Sequence[str], given: str, environment: Mapping[str, str]) -> Done:
    """Run it to its end, with these additions to the environment. Undecodable bytes become U+FFFD.

    ``given`` is a file of this process's memory, named by one more argument. A program that ends without reading its
    standard input is an error of the pipe to Ansible, which then loses what it wrote.
    """
    with open(os.memfd_create("given"), "wb") as file:
        file.write(given.encode())
        file.flush()
        ended = _MODULE.get().run_command(
            [*command, *([f"/dev/fd/{file.fileno()}"] if given else [])],
            pass_fds=[file.fileno()],
            environ_update=dict(environment),
            errors="replace",
            expand_user_and_vars=False,
            handle_exceptions=False,
        )
    return Done(*ended)


def put(fresh: Path, path: Path, mode: int) -> None:
    """Rename a whole file to the place of the old one, with the SELinux context of that place. Raise OSError.

    Where a container has the old one mounted alone, which nothing can be renamed to, it is overwritten.
    """
    try:
        _MODULE.get().atomic_move(str(fresh), str(path), unsafe_writes=True)
    except Exception as error:  # noqa: BLE001  # what it raises differs by its release
        raise _refusal(error) or error from None
    # It takes them from the old file, or from the umask.
    os.chown(path, 0, 0)
    path.chmod(mode)


def _refusal(error: BaseException | None) -> OSError | None:
    """The system's own words behind what Ansible made of them."""
    while error:
        if isinstance(error, OSError):
            return error
        error = error.__context__
    return None
