"""A role of the collection, in a real play on a namespace of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environment
from namespace import Namespace

# ip netns exec gives a mount namespace: should the role fail to refuse, it writes into these and not on the machine. No
# systemd is seen to run.
_OWN_FILES = (
    'for folder in /etc/sysctl.d /etc/modules-load.d /run; do mount -t tmpfs none $folder || exit; done; exec "$@"'
)


def ansible_playbook(*arguments: str, before: Sequence[str] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    """The command with this checkout's collection: ``before`` runs it, ``variables`` are added to its environment."""
    return subprocess.run(
        [*before, str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(environment.link_collection()),
            "ANSIBLE_NOCOLOR": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def play(
    netns: Namespace, folder: Path, role: str, variables: dict[str, Any], *parts: str, **forced: Any
) -> subprocess.CompletedProcess[str]:
    """The role, or files of its tasks alone, with variables of the play; ``forced`` win over the role's own."""
    book = folder / "play.yml"
    common = {"hosts": "localhost", "gather_facts": False, "vars": variables}
    name = f"lvs.vipless.{role}"
    whole = {"roles": [name]}
    some = {"tasks": [{"include_role": {"name": name, "tasks_from": part}} for part in parts]}
    book.write_text(json.dumps([common | (some if parts else whole)]))
    return ansible_playbook(
        *("--connection", "local", "--inventory", "localhost,"),
        *("--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable, **forced}), str(book)),
        before=["ip", "netns", "exec", netns.name, "sh", "-c", _OWN_FILES, "sh"],
        ANSIBLE_LOCALHOST_WARNING="False",
        SSH_CONNECTION="198.51.100.77 50000 10.0.0.2 22",
    )


def state(netns: Namespace) -> list[Any]:
    return [
        netns.ip_json(f"{family} {what}") for family in ("-4", "-6") for what in ("rule show", "route show table all")
    ]
