# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlink session: whole dumps, batches with a result per message, the kernel's own words for an error.

Written over a socket instead of pyroute2's, whose dumps drop the errno of NLMSG_DONE and NLM_F_DUMP_INTR, and whose
batches lose the result of each message (RFC 3549; Documentation/userspace-api/netlink/intro.rst).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import KernelError
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.library import netlink, require
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin

_NETLINK_CAP_ACK = 10
_SO_RCVBUFFORCE = 33
_NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_INT = struct.Struct("=i")
_RECEIVE_BYTES = 1 << 18
_BUFFER_BYTES = 8 << 20
_TIMEOUT_SECONDS = 30
_DUMP_ATTEMPTS = 10

CHUNK = 200
"""Messages in one send. The kernel queues an acknowledgement of about 768 bytes for each before we read the first;
the default receive buffer overflows at 277 (measured, Linux 6.1)."""


class Message(NamedTuple):
    """A request: message type, flags beside NLM_F_REQUEST and NLM_F_ACK, and everything after the header, whose length
    is a multiple of four."""

    type: int
    flags: int
    body: bytes


class Result(NamedTuple):
    """The kernel's answer to one message: 0 or an errno, and its words."""

    errno: int
    text: str


class Watched(NamedTuple):
    """The multicast group that tells of changes to a kind of object, and which objects nobody else should change."""

    group: int
    steady: Callable[[bytes], bool]


_DONE = Result(0, "")


class Session:
    """One netlink socket. ``read_only`` makes every write an error of the program: check mode uses it."""

    def __init__(self, protocol: int = 0, read_only: bool = False) -> None:
        """``protocol`` is NETLINK_ROUTE (0) or another of include/uapi/linux/netlink.h."""
        require()
        self._read_only = read_only
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        for option in (_NETLINK_CAP_ACK, netlink.NETLINK_EXT_ACK, netlink.NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(netlink.SOL_NETLINK, option, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            # Without CAP_NET_ADMIN the kernel caps it at rmem_max; reading still works.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind((0, 0))

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def dump(self, subject: str, kind: int, body: bytes, watched: Watched | None = None) -> list[bytes]:
        """Every object of a kind, each as the bytes after its header. An interrupted dump is taken again.

        ``watched``, for kinds whose dump misses some and repeats others under concurrent change, and no flag tells
        (rules and IPv6 routes, measured on Linux 6.18): a dump during which anything changed is taken again, until two
        agree in what nobody else should change. Where no two agree, all is given that any of them had. Equal objects,
        of which there are such rules, are believed where two dumps show them while nothing changed: a change may show
        in a dump before it is told.
        """
        request = Message(kind, netlink.NLM_F_DUMP, body)
        last: list[bytes] | None = None
        calm: list[bytes] | None = None
        ever: dict[bytes, None] = {}
        for _attempt in range(_DUMP_ATTEMPTS):
            if watched is None:
                found, interrupted = self._dump_once(subject, request)
                if interrupted:
                    continue
                return found
            with _witness(watched.group) as changed:
                found, interrupted = self._dump_once(subject, request)
                if interrupted:
                    continue
                quiet = not changed()
            if quiet and (found == calm or len(set(found)) == len(found)):
                return found
            calm = found if quiet else None
            if last is not None:
                now, then = (dict.fromkeys(filter(watched.steady, one)) for one in (found, last))
                if now == then:
                    return list(dict.fromkeys(found))
                ever.update({**then, **now})
            last = found
        if last is None:
            text = f"changed during each of {_DUMP_ATTEMPTS} attempts to read it whole"
            raise KernelError(subject, errno.EAGAIN, text)
        return list(dict.fromkeys([*last, *ever]))

    def batch(self, messages: Sequence[Message]) -> list[Result]:
        """Send every message, in order, and give the kernel's answer to each. One failure does not stop the rest."""
        if self._read_only:
            raise RuntimeError("a write was attempted in a read-only netlink session")
        if messages:
            require_net_admin()
        results: list[Result] = []
        for start in range(0, len(messages), CHUNK):
            results.extend(self._batch_once(messages[start : start + CHUNK]))
        return results

    def query(self, subject: str, kind: int, body: bytes) -> bytes:
        """One question, one answer (RTM_GET…, genl GETFAMILY): the answer's bytes after its header."""
        first = self._send([Message(kind, netlink.NLM_F_ACK, body)])
        answer = b""
        for sequence, mtype, _flags, payload in self._receive():
            if sequence != first:
                continue
            if mtype == netlink.NLMSG_ERROR:
                result = _result(payload, _flags)
                if result.errno:
                    raise KernelError(subject, result.errno, result.text)
                return answer
            answer = payload
        raise KernelError(subject, errno.ETIMEDOUT)

    def _dump_once(self, subject: str, request: Message) -> tuple[list[bytes], bool]:
        """The objects of a dump, each as the bytes after its header, and whether it was interrupted."""
        first = self._send([request])
        found: list[bytes] = []
        every = 0
        unpack, ends = _HEADER.unpack_from, (netlink.NLMSG_DONE, netlink.NLMSG_ERROR)
        while True:
            data = self._read()
            offset, size = 0, len(data)
            while offset < size:
                length, kind, flags, sequence, _port = unpack(data, offset)
                payload = data[offset + 16 : offset + length]
                offset += (length + 3) & ~3
                if sequence != first:
                    continue
                every |= flags
                if kind not in ends:
                    found.append(payload)
                    continue
                result = _result(payload, flags) if kind == netlink.NLMSG_ERROR else _end(payload)
                if result.errno:
                    raise KernelError(subject, result.errno, result.text)
                return found, bool(every & netlink.NLM_F_DUMP_INTR)

    def _batch_once(self, messages: Sequence[Message]) -> list[Result]:
        """The kernel works through a send in order and answers every failure. Only the last message asks for an answer
        in any case: ten thousand acknowledgements cost more time than the changes."""
        last = len(messages) - 1
        first = self._send(
            [message if place < last else _acknowledged(message) for place, message in enumerate(messages)]
        )
        results = [_DONE] * len(messages)
        for sequence, mtype, flags, payload in self._receive():
            place = sequence - first
            if mtype == netlink.NLMSG_ERROR and 0 <= place <= last:
                results[place] = _result(payload, flags)
                if place == last:
                    break
        return results

    def _send(self, messages: Sequence[Message]) -> int:
        """Send in one call and give the sequence number of the first; the others count up from it."""
        first = self._sequence + 1
        pack, request = _HEADER.pack, netlink.NLM_F_REQUEST
        parts: list[bytes] = []
        for sequence, (kind, flags, body) in enumerate(messages, first):
            parts += (pack(16 + len(body), kind, flags | request, sequence, 0), body)
        self._sequence += len(messages)
        self._socket.send(b"".join(parts))
        return first

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Messages as (sequence, type, flags, payload), until the caller has what it waits for."""
        while True:
            data = self._read()
            offset = 0
            while offset < len(data):
                length, kind, flags, sequence, _port = _HEADER.unpack_from(data, offset)
                yield sequence, kind, flags, data[offset + 16 : offset + length]
                offset += (length + 3) & ~3

    def _read(self) -> bytes:
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except socket.timeout:
            raise KernelError("netlink", errno.ETIMEDOUT, f"no answer within {_TIMEOUT_SECONDS} s") from None


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """The attributes in a buffer as (number, value). The flag bits of the number are cleared (lib/nlattr.c)."""
    found: list[tuple[int, bytes]] = []
    offset, last, unpack = 0, len(data) - 4, _ATTRIBUTE.unpack_from
    while offset <= last:
        length, number = unpack(data, offset)
        if length < 4:
            break
        found.append((number & 0x3FFF, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found


def attribute(number: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), number) + value + bytes(-len(value) % 4)


def _acknowledged(message: Message) -> Message:
    return message._replace(flags=message.flags | netlink.NLM_F_ACK)


def _result(payload: bytes, flags: int) -> Result:
    code = -_INT.unpack_from(payload)[0]
    if not code:
        return _DONE
    # The request's header follows, and without NLM_F_CAPPED the whole request.
    echoed = 16 if flags & netlink.NLM_F_CAPPED else (_HEADER.unpack_from(payload, 4)[0] + 3) & ~3
    return Result(code, _message_text(payload[4 + echoed :]))


@contextmanager
def _witness(group: int) -> Iterator[Callable[[], bool]]:
    """A question that tells whether the kernel announced anything to a group of NETLINK_ROUTE since."""
    listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    with listener:
        listener.bind((0, 1 << (group - 1)))

        def changed() -> bool:
            try:
                listener.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError as error:
                # More than its buffer holds.
                return error.errno == errno.ENOBUFS
            return True

        yield changed


def _end(payload: bytes) -> Result:
    """What NLMSG_DONE says."""
    return Result(-_INT.unpack_from(payload)[0], _message_text(payload[4:]))


def _message_text(data: bytes) -> str:
    for number, value in attributes(data):
        if number == _NLMSGERR_ATTR_MSG:
            return value.rstrip(b"\0").decode(errors="replace")
    return ""
