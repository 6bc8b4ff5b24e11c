# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel modules of IPVS, and the two files that load them at boot (modprobe.d(5), modules-load.d(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot, values

CORE = "ip_vs"
OWNER = "ipvs_module"
MODE = 0o644
MODULES_LOAD = ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d")
"""Where files lie that load modules at boot. Ours is in the first."""
_MODPROBE = "/etc/modprobe.d"
_LOADED = "loaded"
_LEAST_BITS, _MOST_BITS = 8, 27
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MODULE = re.compile(r"[A-Za-z0-9_-]{1,15}")


class Wanted(NamedTuple):
    """What the user asks for. ``bits`` is None where the kernel's default will do."""

    name: str
    modules: Sequence[str]
    bits: int | None

    @property
    def load_file(self) -> str:
        return f"{MODULES_LOAD[0]}/{self.name}.conf"

    @property
    def options_file(self) -> str:
        return f"{_MODPROBE}/{self.name}.conf"

    def texts(self) -> dict[str, str]:
        """The files and their texts. Without an option there is no file of options."""
        found = {self.load_file: boot.text_of(OWNER, self.modules)}
        if self.bits is not None:
            found[self.options_file] = boot.text_of(OWNER, [f"options {CORE} conn_tab_bits={self.bits}"])
        return found

    def lines(self) -> list[boot.Line]:
        """All that is to be there: the files, and the modules in the kernel."""
        filed = [line for path, text in self.texts().items() for line in boot.lines(path, MODE, text)]
        return [*filed, *map(loaded, self.modules)]


def parse(options: Mapping[str, Any]) -> Wanted:
    """What the options ask for, or BadInput."""
    name, bits = options["name"], options["conn_tab_bits"]
    if not _FILE.fullmatch(name):
        raise BadInput("name", name, "is not a name of letters, digits, - and _, at most 64.")
    if bits is not None:
        values.number("conn_tab_bits", bits, _LEAST_BITS, _MOST_BITS)
    parts = [("schedulers", "ip_vs_"), ("persistence_engines", "ip_vs_pe_")]
    modules = [CORE]
    for option, prefix in parts:
        for place, entry in enumerate(options[option]):
            if not _MODULE.fullmatch(entry):
                raise BadInput(f"{option}[{place}]", entry, "is not a name of 1 to 15 letters, digits, _ or -.")
            modules.append(prefix + entry)
    return Wanted(name, list(dict.fromkeys(modules)), bits)


def loaded(module: str) -> boot.Line:
    """A module that the running kernel has."""
    return boot.Line(_LOADED, module, 1)


def module_of(line: boot.Line) -> str:
    """The name of a module that such a line means; nothing for a line of a file."""
    return line.text if line.path == _LOADED else ""


def reload(wanted: Wanted, found: int | None, users: Sequence[str]) -> tuple[list[str], list[str]]:
    """What to do where the loaded ip_vs has another conn_tab_bits (None: it is not loaded), and the warning; both empty
    where nothing is to be done. ``users`` are the modules that use it."""
    if wanted.bits is None or found in (None, wanted.bits):
        return [], []
    above = sorted({*users, *wanted.modules} - {CORE})
    steps = ["ipvsadm -C", f"modprobe -r {' '.join([*above, CORE])}", f"modprobe {CORE}"]
    warning = (
        f"{CORE} is loaded with conn_tab_bits {found} and not {wanted.bits}, which counts once it is loaded anew. It "
        "was not unloaded, since its connections would be lost. Send the traffic to another director or drain "
        f"this one, stop its sync daemons, and run on it: {'; '.join(steps)}. Then run this play again. Or reboot it."
    )
    return steps, [warning]
