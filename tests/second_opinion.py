"""pyroute2 as somebody else who knows how netlink messages are written."""

from __future__ import annotations

import struct
from typing import Any

Written = tuple[bytes, dict[int, bytes]]
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


def decoded(kind: Any, body: bytes) -> Any:
    """Our bytes after a message's header, as pyroute2's class of that message reads them."""
    message = kind(_HEADER.pack(16 + len(body), 0, 0, 0, 0) + body)
    message.decode()
    return message


def written_again(kind: Any, body: bytes) -> Written:
    """What pyroute2 writes of what it has read: the fields' bytes, and those of each attribute by its number."""
    seen = decoded(kind, body)
    made = kind()
    for name, _format in kind.fields:
        made[name] = seen[name]
    made["attrs"] = [(one[0], _plain(one[1])) for one in seen["attrs"]]
    made.encode()
    return parts(kind, bytes(made.data[16:]))


def parts(kind: Any, body: bytes) -> Written:
    """The same of our bytes."""
    size = struct.calcsize("=" + "".join(form for _name, form in kind.fields))
    size = (size + 3) & ~3
    return body[:size], _attributes(body[size:])


def _plain(value: Any) -> Any:
    """Attributes within an attribute, without what pyroute2 knows of where they were."""
    if isinstance(value, dict) and "attrs" in value:
        return {"attrs": [(one[0], _plain(one[1])) for one in value["attrs"]]}
    return value


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, offset)
        assert number not in found
        found[number] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found
