"""A network namespace of a test's own, and modules called inside it as Ansible would call them."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import ansible.module_utils.basic
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import basic

_CLONE_NEWNET = 0x40000000
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_NET_ADMIN = 12
_OWN_ROUTE, _MULTICAST_ROUTE = f"{IPv6Address('2001:db8:a::2'):x}/80", f"{IPv6Address('ff00::'):x}/08"
"""As /proc/net/ipv6_route has them: hexadecimal, the length too."""
_TENTATIVE = 0x40
"""IFA_F_TENTATIVE of include/uapi/linux/if_addr.h, in /proc/net/if_inet6."""
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


class Namespace:
    """Made with a loopback and a veth pair that is up: v0 (10.0.0.2/24, 2001:db8:a::2/64) and v1, which stays bare."""

    def __init__(self) -> None:
        self.name = f"lvstest-{os.getpid()}-{next(_numbers)}"

    def __enter__(self) -> Namespace:
        _run("ip", "netns", "add", self.name)
        lines = (
            "link set lo up",
            "link add v0 type veth peer name v1",
            # A link-local address would come a second later, when its detection of duplicates ends.
            "link set v0 addrgenmode none",
            "link set v1 addrgenmode none",
            "link set v0 up",
            "link set v1 up",
            "address add 10.0.0.2/24 dev v0",
            "address add 2001:db8:a::2/64 dev v0 nodad",
            "route add default via 10.0.0.1",
            "route add default via 2001:db8:a::1",
        )
        self.batch(*lines)
        self._await_routes(f"{_OWN_ROUTE} ", f"{_MULTICAST_ROUTE} v0", f"{_MULTICAST_ROUTE} v1")
        return self

    def __exit__(self, *_error: object) -> None:
        _run("ip", "netns", "delete", self.name)

    def await_address(self, address: str) -> None:
        """An IPv6 address that was added can be a source, and packets for it are delivered, from here on."""
        if ":" in address:
            number = f"{int(IPv6Address(address)):032x}"
            self._await_routes(f"{number}/80 ")
            _await_nothing(lambda: {number} & self._tentative())

    def _await_routes(self, *routes: str) -> None:
        """The routes that go with an IPv6 address and a link are there from here on."""
        _await_nothing(lambda: set(routes) - self._ipv6_routes())

    def _ipv6_routes(self) -> set[str]:
        """Destination and length, alone and with the interface."""
        listed = self._listed("ipv6_route")
        return {f"{one[0]}/{one[1]} {device}" for one in listed for device in ("", one[-1])}

    def _tentative(self) -> set[str]:
        """The IPv6 addresses that the kernel looks for at others still, or is about to see that it need not."""
        return {one[0] for one in self._listed("if_inet6") if int(one[4], 16) & _TENTATIVE}

    def _listed(self, file: str) -> list[list[str]]:
        """The words of each line of a file of /proc/net."""
        with self.entered():
            return [line.split() for line in Path("/proc/thread-self/net", file).read_text().splitlines()]

    def ip(self, arguments: str) -> str:
        """Run ip(8) inside: ``ip("rule add priority 5 table 7")``."""
        return _run("ip", "-n", self.name, *arguments.split())

    def batch(self, *lines: str) -> None:
        """The same for many lines, in a fraction of the time."""
        _run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines))

    def ip_json(self, arguments: str) -> list[dict[str, Any]]:
        """What ``ip -j -d`` shows: the oracle."""
        found: list[dict[str, Any]] = json.loads(_run("ip", "-n", self.name, "-j", "-d", *arguments.split()) or "[]")
        return found

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command inside."""
        return _run("ip", "netns", "exec", self.name, *command, stdin=stdin)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, inside the namespace, where Ansible helps those who call parts of a module."""
        with Path("/proc/thread-self/ns/net").open("rb") as home, Path("/run/netns", self.name).open("rb") as there:
            _setns(there.fileno())
            try:
                with basic.helped_by(helpers()):
                    yield
            finally:
                _setns(home.fileno())

    @contextmanager
    def watching_rules(self) -> Iterator[list[str]]:
        """What ``ip monitor rule`` shows; whole when the block has ended."""

        def sign(number: int) -> str:
            self.ip(f"rule add priority {20000 + number} nop")
            self.ip(f"rule delete priority {20000 + number}")
            return f"Deleted {20000 + number}:"

        with self._monitoring("rule", sign) as seen:
            yield seen

    @contextmanager
    def watching_links(self) -> Iterator[list[str]]:
        """What ``ip monitor link`` shows, with lines about lo; whole when the block has ended."""

        def sign(number: int) -> str:
            self.ip(f"link set lo mtu {10000 + number}")
            return f" mtu {10000 + number} "

        with self._monitoring("link", sign) as seen:
            yield seen

    @contextmanager
    def _monitoring(self, what: str, sign: Callable[[int], str]) -> Iterator[list[str]]:
        """Signs are given at both ends until the monitor has shown one: it does not say when it begins to listen.

        Each is another, since the kernel tells of nothing that stays as it is.
        """
        seen: list[str] = []
        signs = map(sign, itertools.count())
        command = ["ip", "-n", self.name, "-oneline", "monitor", what]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            reader = threading.Thread(target=seen.extend, args=(process.stdout,))
            reader.start()
            try:
                _await_sign(signs, seen)
                yield seen
                _await_sign(signs, seen)
            finally:
                process.terminate()
                reader.join()

    def call(self, module: str, *, check: bool = False, **params: Any) -> dict[str, Any]:
        """Run a module's work inside, its parameters validated by Ansible's own validator first."""
        with self.entered():
            return call(module, check=check, **params)


@contextmanager
def without_net_admin() -> Iterator[None]:
    """This thread, without CAP_NET_ADMIN in its effective set (capset(2)); it stays permitted, so it can come back."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _libc.capget(header, data)
    held = data[0]
    data[0] = held & ~(1 << _CAP_NET_ADMIN)
    if _libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")
    try:
        yield
    finally:
        data[0] = held
        _libc.capset(header, data)


def call(module: str, *, check: bool = False, **params: Any) -> dict[str, Any]:
    """Run a module's work in the namespace of this process."""
    loaded = importlib.import_module(f"ansible_collections.lvs.vipless.plugins.modules.{module}")
    spec = loaded.SPEC.to_kwargs()
    spec.pop("supports_check_mode")
    # As JSON hands them over: no object stands in two places, which the validator would change twice.
    result = ModuleArgumentSpecValidator(**spec).validate(json.loads(json.dumps(params)))
    if result.error_messages:
        raise ValueError("; ".join(result.error_messages))
    with basic.helped_by(helpers()):
        answer: dict[str, Any] = loaded.run(result.validated_parameters, check)
    return answer


@cache
def helpers() -> basic.Module:
    """Ansible's own for a task without options."""
    ansible.module_utils.basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": {}}'
    # Since 2.19 it says how results are written, which nothing is here.
    ansible.module_utils.basic._ANSIBLE_PROFILE = "legacy"  # type: ignore[attr-defined]
    return basic.Module(argument_spec={})


def _await_nothing(missing: Callable[[], set[str]]) -> None:
    """Wait until nothing is missing: the kernel does some of its work a moment after it has answered, and later on a
    busy machine."""
    ends = time.monotonic() + 10
    while found := missing():
        assert time.monotonic() < ends, found
        time.sleep(0.001)


def _await_sign(signs: Iterator[str], seen: list[str]) -> None:
    ends = time.monotonic() + 30
    given: list[str] = []
    while not any(sign in line for line in seen for sign in given):
        assert time.monotonic() < ends, f"none of {given} was seen"
        given.append(next(signs))
        time.sleep(0.01)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def require_root() -> None:
    """These tests make network namespaces: without root they cannot say anything, so they fail."""
    if os.geteuid() != 0 or not Path("/proc/self/ns/net").exists():
        raise RuntimeError("tests/kernel makes network namespaces: run it as root on Linux")
