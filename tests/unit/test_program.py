"""Programs are run, and files read, whatever locale a task has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from environment import CHECKOUT

ARROW = "a → b, ü"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UTILS = "ansible_collections.lvs.vipless.plugins.module_utils._kernel"


def in_ascii(code: str, *arguments: str) -> str:
    """What a program in Python writes where ASCII is all that its locale has."""
    where = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\nassert not sys.flags.utf8_mode\n{code}",
            *arguments,
        ],
        capture_output=True,
        check=False,
        env={**os.environ, **ASCII, **where},
    )
    assert not done.returncode, done.stderr.decode()
    return done.stdout.decode().strip()


def test_what_a_program_writes_is_read() -> None:
    code = f"""
import namespace
from {UTILS} import basic
from {UTILS}.program import run
with basic.helped_by(namespace.helpers()):
    print(ascii(run(['printf', r'%s\\377', *sys.argv[1:]]).stdout))
"""
    assert in_ascii(code, ARROW) == ascii(ARROW + "\ufffd")


def test_comments_of_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_text(f"# Ours\n{ARROW}\n", encoding="utf-8")
    code = f"from pathlib import Path\nfrom {UTILS}.owned_file import read\nprint(ascii(read(Path(sys.argv[1]))))"
    assert ascii(ARROW)[1:-1] in in_ascii(code, str(file))


def test_programs_are_run_in_one_place() -> None:
    files = (CHECKOUT / "plugins").rglob("*.py")
    assert [file.name for file in files if "run_command(" in file.read_text(encoding="utf-8")] == ["basic.py"]
    assert not [file.name for file in (CHECKOUT / "plugins").rglob("*.py") if "subprocess" in file.read_text()]
