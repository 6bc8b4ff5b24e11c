"""The table and the plot of a run of the benchmarks."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from measure import Row
from packets import Cost
from tasks import LOOPED, Task

mpl.use("svg")
# Text as text, and the same file for the same figures.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lvs.vipless"})

TASK_LIMIT_SECONDS, MEMORY_LIMIT = 2.0, 150


def write(folder: Path, rows: Sequence[Row], tasks: Sequence[Task], cost: Cost | None) -> None:
    """benchmarks.md and benchmarks.svg in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(text(rows, tasks, cost))
    _plot(folder / "benchmarks.svg", rows)


def text(rows: Sequence[Row], tasks: Sequence[Task], cost: Cost | None) -> str:
    """The tables, with what they were measured on."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `benchmarks/run`. The times are of one machine and one run; the ratios are what can be compared. IPVS",
        "is measured inside a virtual machine, emulated where there is no KVM: only its ratios mean anything.",
        "",
        f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} processors.",
        "",
        "## Against the tools that do the same",
        "",
        "Our time is that of the step itself, inside a process that runs already; the tool's is that of its process.",
        "",
        "| work | tool | its seconds | ours | ours : its | limit |",
        "|---|---|---:|---:|---:|---:|",
        *(
            f"| {row.work} | `{row.tool}` | {row.native:.3f} | {row.ours:.3f} | {row.ratio:.2f} | {_limit(row)} |"
            for row in rows
        ),
        "",
        "![Ratios](benchmarks.svg)",
        "",
    ]
    if tasks:
        lines += [
            "## Whole tasks",
            "",
            "Seconds beyond those of `ansible.builtin.ping`, over a local connection, with as many objects (limit",
            f"where nothing changes: {TASK_LIMIT_SECONDS:g} s); the most memory that a process of it holds",
            f"(limit: {MEMORY_LIMIT} MiB); what a loop of single tasks would take, extrapolated from {LOOPED} of them.",
            "`ipvs_service` has half as many services with two destinations each. It is the module's process alone,",
            "beyond that of `ansible.builtin.ping`, inside the virtual machine: compare it with `ipvsadm` above.",
            "",
            "| module | adds all | changes nothing | memory | loop of single tasks |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| `{one.name}` | {one.adding:.2f} s | {one.nothing:.2f} s | {one.memory:.0f} MiB | {_loop(one)} |"
                for one in tasks
            ),
            "",
        ]
    if cost:
        lines += [
            "## Packets",
            "",
            f"A packet that is forwarded through a director with one rule and its marks: a round trip takes"
            f" {cost.one * 1000:.1f} µs with one VIP",
            f"and {cost.many * 1000:.1f} µs with {cost.vips:,} (× {cost.many / cost.one:.2f}; limit: within 10 %).",
            "",
        ]
    return "\n".join(lines)


def _loop(task: Task) -> str:
    return "" if task.loop is None else f"{task.loop / 3600:.1f} hours"


def _limit(row: Row) -> str:
    return "" if row.limit is None else f"{row.limit:g}"


def _plot(path: Path, rows: Sequence[Row]) -> None:
    """A bar for each ratio, with its limit."""
    figure, axes = pyplot.subplots(figsize=(9, 0.45 * len(rows) + 1))
    places = range(len(rows))[::-1]
    axes.barh(places, [row.ratio for row in rows], color="#4c78a8")
    for place, row in zip(places, rows, strict=True):
        if row.limit is not None:
            axes.plot([row.limit] * 2, [place - 0.4, place + 0.4], color="#e45756")
    axes.set_yticks(places, [f"{row.work} ({row.tool})" for row in rows])
    axes.axvline(1, color="#999999", linewidth=0.8)
    axes.set_xlabel("our time : that of the tool; the limit in red")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
