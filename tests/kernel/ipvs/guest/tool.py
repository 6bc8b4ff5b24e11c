"""ipvsadm inside a namespace."""

from __future__ import annotations

import subprocess

from namespace import Namespace


def ipvsadm(netns: Namespace, arguments: str, lines: str | None = None) -> str:
    """Run it, with `lines` as its standard input. `ip netns exec` would take an emulated guest a good deal longer."""
    with netns.entered():
        done = subprocess.run(["ipvsadm", *arguments.split()], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ipvsadm {arguments}: {done.stderr.strip()}")
    return done.stdout
