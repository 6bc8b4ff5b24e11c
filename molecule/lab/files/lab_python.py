"""A Python that has started already, for the tasks of the tests' scenarios.

Starting Python and importing the standard library and Ansible's module_utils took most of a task's time on an emulated
processor. This server has done both; for each caller it forks, takes over the caller's files, environment and
directory, and runs the program that comes on standard input. The caller is lab-python, which hands its process id and
ssh session over and waits for the exit code.
"""

from __future__ import annotations

import argparse
import ast
import base64
import codecs
import contextlib
import ctypes
import dataclasses
import datetime
import decimal
import fcntl
import gc
import grp
import importlib
import inspect
import ipaddress
import json
import locale
import logging
import os
import pathlib
import platform
import pwd
import random
import select
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import syslog
import tempfile
import threading
import traceback
import types
import typing
import urllib.parse
import zipfile
import zipimport
from importlib.machinery import ModuleSpec, PathFinder

import lab_learned

SOCKET = "/run/lab-python"
# What modules import, and this program does not use itself: imported here, it is there in every fork.
WARM = (
    argparse, ast, base64, dataclasses, datetime, decimal, fcntl, grp, importlib, inspect, ipaddress, json, locale,
    logging, pathlib, platform, pwd, random, select, selectors, shlex, shutil, subprocess, syslog, tempfile, threading,
    typing, urllib.parse, zipfile, zipimport,
)  # fmt: skip
ANSIBLE = "/usr/local/lib/lab-ansible"
"""The controller's own module_utils, as the image was built with them."""
ANSIBLE_WARM = (
    "_internal._ansiballz._loader", "_internal._json._legacy_encoder", "_internal._json._profiles._module_legacy_c2m",
    "_internal._json._profiles._module_legacy_m2c", "basic", "common.dict_transformations", "common.file",
    "common.respawn", "common.text.converters", "facts.system.chroot", "service", "urls",
)  # fmt: skip
_PIDFD_GETFD = 438
_STANDARD_FILES = (0, 1, 2)


class Sent:
    """Finds what a caller's zip file has of `ansible` and this process has not, such as the module itself."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        folder = name.rpartition(".")[0].replace(".", "/")
        places = [f"{entry}/{folder}" for entry in sys.path if entry.endswith(".zip")]
        return PathFinder.find_spec(name, places) if name.startswith("ansible.") else None


def _imported() -> None:
    """Import what is in this release of Ansible; one that has it elsewhere sends it along."""
    sys.path.insert(0, ANSIBLE)
    for name in ANSIBLE_WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(f"ansible.module_utils.{name}")
    sys.path.remove(ANSIBLE)
    # How zip files write names, and where the zip file of a task is put: found out once.
    codecs.lookup("cp437")
    tempfile.gettempdir()
    sys.meta_path.append(Sent)
    sys.meta_path.insert(0, lab_learned.Asked)


def _taken_over(pid: int, session: str) -> None:
    """Make this process's files, environment and directory those of another (pidfd_getfd(2), proc(5))."""
    libc = ctypes.CDLL(None, use_errno=True)
    caller = os.pidfd_open(pid)
    for number in _STANDARD_FILES:
        descriptor = libc.syscall(_PIDFD_GETFD, caller, number, 0)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.close(caller)
    with open(f"/proc/{pid}/environ", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0") if entry]
    os.environb.clear()
    os.environb.update({name: value for name, _sign, value in pairs})
    if not {"LC_ALL", "LC_CTYPE", "LANG"} & os.environ.keys():
        # A new interpreter would have set it (PEP 538), and what it starts would have inherited it.
        os.environ["LC_CTYPE"] = "C.UTF-8"
    # An ancestor may have it instead.
    os.environ["SSH_CONNECTION"] = session
    os.chdir(f"/proc/{pid}/cwd")


def _exit_code(program: str) -> int:
    """Run a program as `python3 -` does."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = ["-"]
    try:
        exec(compile(program, "<stdin>", "exec"), main.__dict__)  # noqa: S102 - that is the caller's wish
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:  # noqa: BLE001 - as an interpreter tells of it
        traceback.print_exc()
        return 1
    return 0


def _served(connection: socket.socket) -> None:
    """Be the program of one caller, to the end of this process."""
    code = 255
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        pid, session = connection.recv(256).decode().split(" ", 1)
        _taken_over(int(pid), session)
        # They stay open to the end.
        sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
        random.seed()
        code = _exit_code(sys.stdin.read())
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(code).encode())
    finally:
        os._exit(code & 255)


def _notify(state: str) -> None:
    """Tell the service manager (sd_notify(3)): the guest's snapshot is taken after that."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), os.environ["NOTIFY_SOCKET"])


def main() -> None:
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pathlib.Path(SOCKET).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        os.umask(0o077)
        listener.bind(SOCKET)
        os.umask(0o022)
        _imported()
        listener.listen(16)
        _notify("READY=1")
        # What is there now stays: the collector of a fork need not look at it, nor copy it by doing so.
        gc.freeze()
        while True:
            connection, _address = listener.accept()
            lab_learned.import_new()
            with connection:
                if os.fork() == 0:
                    _served(connection)


if __name__ == "__main__":
    main()
