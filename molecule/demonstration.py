"""The main job, shown: a lab of five virtual machines, the playbook in it, and real packets.

Runs the scenario ``default`` step by step. What the tools print goes to a log; here stands what a person wants to see.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SCENARIO = "default"
_LOG = Path(os.environ["LVS_LAB_CACHE"]) / "demonstration.log"
_SCENARIO_STATE = Path(os.environ["LVS_LAB_CACHE"]) / "demonstration"
# Molecule frames the lines of Ansible.
_FRAME = re.compile(r"\x1b\[[0-9;]*m|│ ?")
_TASK = re.compile(r"^TASK \[(?P<name>.+?)\] \*+$")
_RESULT = re.compile(r"^(ok|changed|fatal|included): ")
_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)")

STEPS = (
    ("create", "Tell Molecule that they are there"),
    ("prepare", "Give the realservers a web server, and the router a route to the VIPs"),
    ("check", "Ask check mode what the playbook would do"),
    ("converge", "ansible-playbook lvs.vipless.site"),
    ("idempotence", "The same again: nothing may change"),
)


def main() -> int:
    options = argparse.ArgumentParser(prog="molecule/demo", description=__doc__)
    options.add_argument("--keep", action="store_true", help="leave the lab running, to look around in it")
    keep = options.parse_args().keep
    _LOG.write_text("", encoding="utf-8")
    started = time.monotonic()
    _molecule("destroy")
    try:
        print("== Start five virtual machines: client, router, director1, rs1, rs2", flush=True)
        folder = Path(__file__).resolve().parent
        subprocess.run([sys.executable, "-m", "lab", "up"], cwd=folder, check=True)
        for action, title in STEPS:
            print(f"\n== {title}", flush=True)
            if _shown(action) != 0:
                return _failed(action)
        print("\n== Packets", flush=True)
        proof = subprocess.run([sys.executable, "-m", "proof"], cwd=folder, env=_variables(), check=False)
        print(f"\nIt took {time.monotonic() - started:.0f} s. Everything that the tools printed: {_LOG}")
        return proof.returncode
    finally:
        if keep:
            print("The lab stays. Look around with:  PYTHONPATH=molecule python3 -m lab ssh director1")
        else:
            _molecule("destroy")


def _shown(action: str) -> int:
    """Run one step, and print the name of each task that is not skipped, when it began, and each host's sum."""
    process = subprocess.Popen(
        _command(action), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_variables()
    )
    begun = time.monotonic()
    announced = ""
    for raw in _logged(process):
        line = _FRAME.sub("", raw).strip()
        if task := _TASK.match(line):
            announced = f"   {time.monotonic() - begun:5.0f} s  {task['name']}"
        elif announced and _RESULT.match(line):
            print(announced, flush=True)
            announced = ""
        elif recap := _RECAP.match(line):
            print(f"            {recap['host']:<10} {recap['ok']} tasks, {recap['changed']} changed", flush=True)
    return process.wait()


def _logged(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101  it was asked for
    with _LOG.open("a", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            log.flush()
            yield line


def _molecule(action: str) -> None:
    with _LOG.open("a", encoding="utf-8") as log:
        subprocess.run(_command(action), stdout=log, stderr=subprocess.STDOUT, env=_variables(), check=True)


def _command(action: str) -> list[str]:
    return [str(Path(sys.executable).with_name("molecule")), action, "--scenario-name", _SCENARIO]


def _variables() -> dict[str, str]:
    """Plain wide lines; and a place where the proofs find what the scenario recorded (see molecule.yml)."""
    return {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        "COLUMNS": "300",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(_SCENARIO_STATE),
        "LVS_RECORD": str(_SCENARIO_STATE / "record"),
    }


def _failed(action: str) -> int:
    tail = "\n".join(_LOG.read_text(encoding="utf-8").splitlines()[-40:])
    print(f"\nThe step {action} failed. The end of {_LOG}:\n{tail}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
