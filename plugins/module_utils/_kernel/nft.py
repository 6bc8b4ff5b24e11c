# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: a table read whole as JSON (libnftables-json(5)), and changes in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Missing, ProgramFailed
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.basic import Done
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.nft_library import Context, context
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.privilege import require_net_admin
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.program import find, run

Json = dict[str, Any]


def listing(family: str, table: str) -> list[Json] | None:
    """Everything in a table, each object as ``{kind: attributes}``; None where the host has no such table."""
    done = _ask({"list": {"table": {"family": family, "name": table}}})
    subject = f"nft could not list the table {family} {table}"
    if done.returncode == 0:
        try:
            return _objects(done)
        except ValueError:
            words = "what it wrote is no JSON. nft 1.0.6 does this where a table has flags, such as dormant"
            raise ProgramFailed(subject, done.returncode, words) from None
    # nft ends with 1 whatever has failed: a second question tells whether there was a table to list.
    tables = _ask({"list": {"tables": {"family": family}}})
    if tables.returncode == 0 and not any(item.get("table", {}).get("name") == table for item in _objects(tables)):
        return None
    raise ProgramFailed(subject, done.returncode, done.stderr)


def ruleset() -> list[Json]:
    """Every table of the host, without the elements of its sets; nothing where they cannot be read."""
    try:
        done = _ask({"list": {"ruleset": None}}, "--terse")
        return _objects(done) if done.returncode == 0 else []
    except (Missing, ValueError):
        return []


class Transactions:
    """Changes of one run: by nft's library in this process, or by the program where that cannot be loaded."""

    def __init__(self) -> None:
        self._context: Context | None = None

    def carry_out(self, subject: str, lines: Sequence[str]) -> None:
        """Carry out every line or, where one fails, none of them. Many elements in lines of nft's own language take two
        thirds of the time that JSON takes."""
        code, stderr = self._run("\n".join(lines) + "\n")
        if code:
            raise ProgramFailed(f"nft refused the changes to {subject}, and none was made", code, stderr)

    def _run(self, commands: str) -> tuple[int, str]:
        require_net_admin("changing nftables needs")
        self._context = self._context or context()
        if self._context:
            return self._context.run(commands)
        done = _run(["--file"], commands)
        return done.returncode, done.stderr


def _ask(command: Json, *options: str) -> Done:
    # Numbers, since the names of protocols depend on /etc/protocols.
    return _run(["--json", "--numeric", *options, "--file"], json.dumps({"nftables": [command]}))


def _run(options: Sequence[str], given: str) -> Done:
    program = find("nft")
    if program is None:
        raise Missing("The program nft is not on this host.", "install the package nftables.")
    require_net_admin("even reading nftables needs")
    return run([program, *options], given)


def _objects(done: Done) -> list[Json]:
    found: list[Json] = json.loads(done.stdout)["nftables"]
    return [item for item in found if "metainfo" not in item]
