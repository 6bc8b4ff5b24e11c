"""Measure what the documentation says of speed, and write it down."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import guest
import marking
import packets
import report
import routing
import tasks
from environment import CHECKOUT
from measure import Row

PARTS = ("tools", "tasks", "packets", "ipvs")


def main() -> None:
    chosen = _arguments()
    cost = None
    done: list[tasks.Task] = []
    inside: list[tasks.Task] = []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "tools" in chosen.parts:
            rows += _tools(chosen.objects, chosen.rounds, folder)
        if "ipvs" in chosen.parts:
            found, module = guest.measured(chosen.objects // 2, chosen.rounds, folder)
            rows += found
            for row in found:
                _tell(row)
            inside.append(module)
            print(module, flush=True)
        if "tasks" in chosen.parts:
            for task in tasks.tasks(chosen.objects, chosen.rounds, folder):
                done.append(task)
                print(task, flush=True)
        if "packets" in chosen.parts:
            cost = packets.cost(chosen.objects)
            print(cost, flush=True)
    report.write(chosen.output, rows, [*done, *inside], cost)
    print(f"written to {chosen.output / 'benchmarks.md'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the collection against the tools that do the same.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--objects", type=int, default=10_000, help="how many routes, rules and marks")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "docs", help="folder of table and plot")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"{unknown.pop()} is none of {', '.join(PARTS)}")
    chosen.parts = chosen.parts or PARTS
    return chosen


def _tools(objects: int, rounds: int, folder: Path) -> Iterator[Row]:
    for contests in (routing.contests, marking.contests):
        with contests(objects, folder) as held:
            for contest in held:
                row = contest.hold(rounds)
                _tell(row)
                yield row


def _tell(row: Row) -> None:
    print(f"{row.work:55} {row.tool:15} {row.native:.3f} s, ours {row.ours:.3f} s: {row.ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
