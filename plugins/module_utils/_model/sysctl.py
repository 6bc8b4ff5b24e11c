# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters: their names, their values, and the file that sets them at boot (sysctl(8), sysctl.d(5))."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_value import as_shown, words
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired

RUNTIME = "runtime"
"""The place of a value that the running kernel holds. Every other place is a file's path."""
FILE_MODE = "0644 0:0"
"""How a file of ours lies there: mode, owner and group, as ``stat -c '%04a %u:%g'`` writes them."""
_MARK = "# Managed by lvs.vipless."
_FORBIDDEN = frozenset(" =*?[")
"""What ends a key in a file, or makes a pattern of it."""
_SWAPPED = str.maketrans("./", "/.")


class Setting(NamedTuple):
    """One value in one place. ``name`` is the path below /proc/sys; a file's own mode and owner have no name."""

    place: str
    name: str
    value: str

    @property
    def key(self) -> Hashable:
        """Identity: the place and the name."""
        return (self.place, self.name)

    @property
    def line(self) -> str:
        """The place, and the setting as sysctl.d(5) writes it."""
        return f"{self.place} {dotted(self.name)} = {self.value}" if self.name else f"{self.place} ({self.value})"


def parse(values: Mapping[str, Any]) -> list[tuple[str, Setting]]:
    """The runtime settings that the option ``values`` asks for, each with the option's name."""
    if not values:
        raise BadInput("values", values, "is empty: name at least one key.")
    return [
        (f"values[{key}]", Setting(RUNTIME, name := path_of("values", key), as_shown(name, _value(key, value))))
        for key, value in values.items()
    ]


def desired(runtime: Sequence[Setting], path: str | None, with_file: bool = True) -> Desired[Setting]:
    """The settings in the running kernel, and where ``path`` names a file: exactly these in it, or no file at all."""
    filed: list[Setting] = []
    if path is not None and with_file:
        filed = [Setting(path, "", FILE_MODE), *(Setting(path, s.name, s.value) for s in runtime)]
    return Desired([*runtime, *filed], lambda found: found.place == path)


def parse_file(path: str, text: str) -> list[Setting]:
    """The settings in a file's text, one that is named twice included twice. Comments are none."""
    found = []
    for line in map(str.strip, text.splitlines()):
        if line and line[0] not in "#;":
            key, _equals, value = line.partition("=")
            found.append(Setting(path, slashed(key.strip()), words(value)))
    return found


def file_text(owner: str, settings: Iterable[Setting]) -> str:
    """The text of a file of ours. ``owner`` is the module whose file it is."""
    lines = [f"{mark(owner)} It is written as a whole; what is added by hand is lost."]
    lines += [f"{dotted(s.name)} = {s.value}" for s in in_order(settings) if s.name]
    return "\n".join(lines) + "\n"


def mark(owner: str) -> str:
    """How the first line of a module's file begins."""
    return f"{_MARK}{owner}."


def in_order(settings: Iterable[Setting]) -> list[Setting]:
    """The order in which to write: ip_forward resets what ``all`` and ``default`` hold, and those reach the devices."""
    return sorted(settings, key=lambda s: (_breadth(s.name), s.name))


def dotted(name: str) -> str:
    """A path below /proc/sys as sysctl(8) writes it: a dot within an interface's name becomes a slash."""
    return name.translate(_SWAPPED)


def _breadth(name: str) -> int:
    if name.endswith("ip_forward"):
        return 0
    return 1 if "/all/" in name else 2 if "/default/" in name else 3


def slashed(key: str) -> str:
    """A key as a path below /proc/sys. Its first separator decides which of dot and slash separates (sysctl.d(5))."""
    first = next((char for char in key if char in "./"), "/")
    return key if first == "/" else key.translate(_SWAPPED)


def path_of(option: str, key: str) -> str:
    """The path of a key below /proc/sys, or BadInput."""
    name = slashed(key)
    parts = name.split("/")
    if len(parts) < 2 or not name.isprintable() or _FORBIDDEN & set(name) or {"", ".", ".."} & set(parts):
        raise BadInput(option, key, "is not the name of a kernel parameter, such as net.ipv4.ip_forward.")
    return name


def _value(key: str, value: object) -> str:
    if isinstance(value, bool):
        raise BadInput(f"values[{key}]", value, "is YAML's yes or no. The kernel takes numbers: write 0 or 1.")
    if not isinstance(value, (int, str)):
        raise BadInput(f"values[{key}]", value, "is neither text nor a whole number.")
    text = words(str(value))
    if not text.isprintable():
        raise BadInput(f"values[{key}]", value, "has characters that cannot be printed.")
    return text


def require_read_at_boot(option: str, path: str) -> None:
    """Raise BadInput for a file that would not be (sysctl.d(5))."""
    folder, _slash, name = path.rpartition("/")
    if folder.endswith("/sysctl.d") and not name.endswith(".conf"):
        raise BadInput(option, path, "would not be read at boot: the name of a file in sysctl.d ends in .conf.")
