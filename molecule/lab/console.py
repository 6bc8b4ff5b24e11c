"""Progress for the person who waits."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print one line of progress on stderr at once; stdout is for answers."""
    print(text, file=sys.stderr, flush=True)
