"""The table that ends a run: how long each area took, and each work in virtual machines beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

WORKS = pytest.StashKey[Mapping[str, float]]()


def lines(stats: Mapping[str, Sequence[Any]], works: Mapping[str, float]) -> Iterator[str]:
    """Areas are folders of tests; those that wait for a work in virtual machines are one of their own."""
    seconds: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, set[str]] = defaultdict(set)
    for report in (entry for entries in stats.values() for entry in entries if isinstance(entry, pytest.TestReport)):
        waits = "background" in report.keywords
        area = "waiting for virtual machines" if waits else "/".join(report.nodeid.split("/")[:2])
        seconds[area] += report.duration
        tests[area].add(report.nodeid)
    for area, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
        yield f"{spent:7.0f} s  {area} ({len(tests[area])} tests)"
    for work, spent in sorted(works.items(), key=lambda pair: -pair[1]):
        yield f"{spent:7.0f} s  beside them: {work}"
