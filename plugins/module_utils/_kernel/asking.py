# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the link, and to whoever takes a connection: RFC 826, RFC 4861, RFC 9293."""

from __future__ import annotations

import errno
import fcntl
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing, describe
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import links
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.inet import packed, text
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6

_ETH_P_ARP = 0x0806
_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_REQUEST, _ARP_REPLY = 1, 2
_SOLICITATION = struct.Struct("!BBHI16sBB6s")
_NS, _NA = 135, 136
_SIOCGIFHWADDR = 0x8927
_REPEATS = 2
"""A frame may be lost; who answers, answers both times."""
_AT_ONCE = 100
"""A packet socket's buffer takes 256 frames, of others' too (net.core.rmem_default): what is asked is read at once."""
_PAUSE_SECONDS = 0.02


class Link:
    """An interface, as one that asks on it. ``own`` has an address of it for each family that can be asked."""

    def __init__(self, interface: str, own: Mapping[int, str]) -> None:
        self._interface = interface
        self._own = own
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            self._mac = _mac_of(any_socket, interface)

    def who_has(self, targets: Sequence[tuple[int, str]], seconds: float) -> dict[str, list[str]]:
        """The MACs that answer for each address, by ARP or by neighbour discovery, until so many seconds are over.

        Raise Missing where nobody can be asked, as on an interface that is down.
        """
        try:
            return self._heard(targets, seconds)
        except OSError as error:
            what = f"Nobody can be asked on {self._interface}: {describe(error.errno or 0)}."
            raise Missing(what, "bring it up, or name another.") from None

    def _heard(self, targets: Sequence[tuple[int, str]], seconds: float) -> dict[str, list[str]]:
        with ExitStack() as open_ones:
            waiting = open_ones.enter_context(selectors.DefaultSelector())
            sockets = self._open(open_ones)
            heard: dict[str, set[str]] = {target: set() for family, target in targets if family in sockets}
            for family, link in sockets.items():
                waiting.register(link, selectors.EVENT_READ, family)
            asked = [(family, target) for family, target in targets if target in heard]
            parts = [asked[place : place + _AT_ONCE] for place in range(0, len(asked), _AT_ONCE)]
            for _repeat in range(_REPEATS):
                for part in parts:
                    for family, target in part:
                        self._ask(sockets[family], family, target)
                    _take(heard, _answers(waiting, _PAUSE_SECONDS))
                _take(heard, _answers(waiting, seconds / _REPEATS))
        return {target: sorted(macs) for target, macs in heard.items()}

    def _open(self, open_ones: ExitStack) -> dict[int, socket.socket]:
        """A socket for each family that can be asked."""
        tried = {family: self._opened(open_ones, family) for family in self._own}
        return {family: link for family, link in tried.items() if link}

    def _opened(self, open_ones: ExitStack, family: int) -> socket.socket | None:
        """None where this host's own address is still being looked for on the link."""
        try:
            link = open_ones.enter_context(_raw(family))
            self._bind(link, family)
        except PermissionError:
            raise Missing("This process has no CAP_NET_RAW, which asking needs.", "use become: true.") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return None
            raise
        return link

    def _bind(self, link: socket.socket, family: int) -> None:
        if family == IPV4:
            link.bind((self._interface, _ETH_P_ARP))
            return
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode())
        # With any other hop limit a solicitation counts as one from beyond the link.
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        link.bind((self._own[IPV6], 0, 0, links.number(self._interface)))

    def _ask(self, link: socket.socket, family: int, target: str) -> None:
        wanted = packed(target)
        if family == IPV4:
            asked = _ARP.pack(1, 0x0800, 6, 4, _ARP_REQUEST, self._mac, packed(self._own[IPV4]), bytes(6), wanted)
            link.send(_ETHERNET.pack(b"\xff" * 6, self._mac, _ETH_P_ARP) + asked)
        else:
            group = socket.inet_ntop(socket.AF_INET6, b"\xff\x02" + bytes(9) + b"\x01\xff" + wanted[-3:])
            asked = _SOLICITATION.pack(_NS, 0, 0, 0, wanted, 1, 1, self._mac)
            link.sendto(asked, (group, 0, 0, links.number(self._interface)))


def _mac_of(any_socket: socket.socket, interface: str) -> bytes:
    """The MAC of an interface (netdevice(7))."""
    try:
        return fcntl.ioctl(any_socket, _SIOCGIFHWADDR, struct.pack("256s", interface.encode()))[18:24]
    except OSError:
        raise Missing(f"The interface {interface} went away meanwhile.", "run this again.") from None


def _take(heard: Mapping[str, set[str]], answers: Iterable[tuple[str, str]]) -> None:
    for target, mac in answers:
        if target in heard:
            heard[target].add(mac)


def _raw(family: int) -> socket.socket:
    if family == IPV4:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
    return socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def _answers(waiting: selectors.BaseSelector, seconds: float) -> Iterator[tuple[str, str]]:
    """Address and MAC of each answer."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for key, _events in waiting.select(left):
            link: socket.socket = key.fileobj  # type: ignore[assignment]
            data = link.recv(2048)
            if key.data == IPV4 and len(data) >= _ETHERNET.size + _ARP.size:
                *_kinds, operation, mac, sender, _to, _target = _ARP.unpack_from(data, _ETHERNET.size)
                if operation == _ARP_REPLY:
                    yield text(sender), _colons(mac)
            elif key.data == IPV6 and len(data) >= _SOLICITATION.size and data[0] == _NA:
                yield text(data[8:24]), _colons(data[26:32])


def _colons(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


def interface_of(own: Mapping[str, str], interface: str | None, one_of: Iterable[str]) -> str:
    """The interface that was named, or the one that has one of these addresses."""
    if interface:
        return interface
    asked = list(one_of)
    for address in asked:
        if address in own:
            return own[address]
    raise BadInput("interface_with", asked, "has no address of this host.")


def is_global(address: str) -> bool:
    """Whether an address means the same beyond its link."""
    return not address.startswith("fe80:")


def connect(targets: Sequence[tuple[int, str, int]], seconds: float) -> list[tuple[float | None, str]]:
    """Open a connection to each at once, and close it again: after how many seconds it was there, or why not."""
    began = time.monotonic()
    found: list[tuple[float | None, str]] = [(None, f"no answer within {seconds:g} s")] * len(targets)
    with selectors.DefaultSelector() as waiting:
        for place, (family, address, port) in enumerate(targets):
            way = socket.socket(socket.AF_INET if family == IPV4 else socket.AF_INET6, socket.SOCK_STREAM)
            way.setblocking(False)
            error = way.connect_ex((address, port))
            if error in (0, errno.EINPROGRESS):
                waiting.register(way, selectors.EVENT_WRITE, place)
            else:
                found[place] = (None, describe(error))
                way.close()
        while waiting.get_map() and (left := began + seconds - time.monotonic()) > 0:
            for key, _events in waiting.select(left):
                done: socket.socket = key.fileobj  # type: ignore[assignment]
                error = done.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                taken = round(time.monotonic() - began, 3)
                found[key.data] = (None, os.strerror(error)) if error else (taken, "")
                waiting.unregister(done)
                done.close()
        for key in list(waiting.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return found
