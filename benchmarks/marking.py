"""Marks against nft(8) with a file of the same table."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.mark_table import Entry, MarkTable
from ansible_collections.lvs.vipless.plugins.module_utils._model.mark import Mark, Table
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Change, Plan
from measure import Contest
from namespace import Namespace
from objects import vip

TABLE = "lvs_vipless"
FEW = 10


@contextmanager
def contests(count: int, folder: Path) -> Iterator[list[Contest]]:
    """Loading so many marks, and changing some of them, in a namespace of their own."""
    with ExitStack() as stack:
        netns = stack.enter_context(Namespace())
        stack.enter_context(netns.entered())
        marks = [Mark(IPV4, vip(IPV4, place).removesuffix("/32"), "tcp/80", 1 + place % 2) for place in range(count)]
        everything: list[Entry] = [Table(TABLE), *marks]
        load = Plan(changes=[Change(None, entry) for entry in everything])
        changed = [mark._replace(mark=3 - mark.mark) for mark in marks[:FEW]]
        change: Plan[Entry] = Plan(changes=[Change(old, new) for old, new in zip(marks, changed, strict=False)])
        file = folder / "marks.nft"

        def flush() -> None:
            _nft("flush", "ruleset")

        def apply(plan: Plan[Entry]) -> None:
            table.apply(plan)

        flush()
        table = MarkTable(TABLE)
        table.read()
        table.apply(load)
        file.write_text(_nft("list", "ruleset"))
        reload = folder / "reload.nft"
        reload.write_text("flush ruleset\n" + file.read_text())
        flush()
        table.read()
        yield [
            Contest(f"{count:,} marks: load", "nft -f", 1.5, flush, lambda: _nft("-f", str(file)), lambda: apply(load)),
            Contest(
                f"{FEW} of {count:,} marks: change",
                "nft -f, all anew",
                0.2,
                lambda: _start_again(file, table),
                lambda: _nft("-f", str(reload)),
                lambda: apply(change),
            ),
        ]


def _start_again(file: Path, table: MarkTable) -> None:
    _nft("flush", "ruleset")
    _nft("-f", str(file))
    table.read()


def _nft(*arguments: str) -> str:
    return subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True).stdout
