# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many files decides about a kernel parameter at boot (sysctl.d(5)). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import Setting, dotted, slashed
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_value import as_shown

_GLOB = frozenset("*?[")


class Source(NamedTuple):
    """The file that decides about a key, and its value; None where the file keeps it from being set."""

    file: str
    value: str | None

    def says_of(self, key: str) -> str:
        """What the file does, in words."""
        return f"{self.file} " + (f"keeps {key} from being set" if self.value is None else f"sets {key} = {self.value}")


Held = Mapping[str, Source]
"""What the files set between them, by key or pattern. Of two patterns that match, the later counts."""


def held(texts: Iterable[tuple[str, str]]) -> Held:
    """What files set whose paths and texts are given in the order in which they are read: the last one counts."""
    found: dict[str, Source] = {}
    for file, text in texts:
        for key, value in _assignments(text):
            # Who says it again decides nothing; who says otherwise comes last.
            if key not in found or found[key].value != value:
                found.pop(key, None)
                found[key] = Source(file, value)
    return found


def source(found: Held, name: str) -> Source | None:
    """Who decides about a key: a file that names it, before all patterns."""
    if name in found:
        return found[name]
    matching = [one for key, one in found.items() if one.value is not None and _matches(key, name)]
    return matching[-1] if matching else None


def overridden(wanted: Iterable[Setting], found: Held) -> list[tuple[Setting, Source]]:
    """The settings that another file decides about otherwise."""
    decided = ((setting, source(found, setting.name)) for setting in wanted)
    return [(setting, one) for setting, one in decided if one is not None and one.value != setting.value]


def warning(setting: Setting, one: Source, own: str, is_read: bool) -> str:
    """What the user has to know of such a setting. ``is_read``: whether ``own`` is among the files read at boot."""
    said = one.says_of(dotted(setting.name))
    order = f"is read after {own}" if is_read else f"{own} is not read"
    return (
        f"{said}, and {order}: at the next boot, or when 'sysctl --system' runs, that counts and not "
        f"{setting.value!r}. Take it out there{', or give this file a name that sorts after it' * is_read}."
    )


def _assignments(text: str) -> Iterator[tuple[str, str | None]]:
    """Each key or pattern of a file with its value, or None where ``-key`` alone keeps patterns off it."""
    for line in map(str.strip, text.splitlines()):
        key, equals, value = line.partition("=")
        if line and line[0] not in "#;" and (equals or line[0] == "-"):
            # With a value, the dash says that it may fail.
            name = slashed(key.strip().removeprefix("-"))
            yield name, as_shown(name, value) if equals else None


def _matches(pattern: str, name: str) -> bool:
    """As glob(7) has it: a wildcard does not reach beyond a slash."""
    parts, names = pattern.split("/"), name.split("/")
    return (
        bool(_GLOB & set(pattern)) and len(parts) == len(names) and all(fnmatchcase(n, p) for n, p in zip(names, parts))
    )
