"""The rows that need an ip_vs, measured inside a virtual machine of the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bundle import pack
from environment import CHECKOUT
from measure import Row
from tasks import Task

HOST = "director1"
FOLDER = "/root/benchmark"
# A lab of its own, so that one that is in use stays as it is.
VARIABLES = {**os.environ, "LVS_LAB_NAME": "lvslab-bench", "PYTHONPATH": str(CHECKOUT / "molecule")}


def measured(count: int, rounds: int, folder: Path) -> tuple[list[Row], Task]:
    """IPVS against ipvsadm, with so many services, and the module's process."""
    tar = folder / "bundle.tar"
    pack(tar, {name: CHECKOUT / "benchmarks" / name for name in ("measure.py", "services.py")})
    _lab("up", "--hosts", HOST, "--clean")
    try:
        with tar.open("rb") as bundle:
            _lab("ssh", HOST, f"mkdir -p {FOLDER} && tar -xf - -C {FOLDER}", stdin=bundle.fileno())
        lines = _lab("ssh", HOST, f"cd {FOLDER} && python3 services.py {count} {rounds}", output=subprocess.PIPE)
    finally:
        _lab("down")
    *rows, module = [json.loads(line) for line in lines.splitlines()]
    return [Row(*row) for row in rows], Task("ipvs_service", *module)


def _lab(*arguments: str, stdin: int = subprocess.DEVNULL, output: int | None = None) -> str:
    command = [sys.executable, "-m", "lab", *arguments]
    done = subprocess.run(command, stdin=stdin, stdout=output, text=True, check=True, env=VARIABLES, cwd=CHECKOUT)
    return done.stdout or ""
