# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what every task of a run changed and how long it took, for the proofs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: recorder
type: aggregate
short_description: Record what every task changed
description: Writes one JSON file for each run into the directory that the environment variable LVS_RECORD names.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """One file a run: the playbook, whether it was check mode, and an entry for each host and task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._playbook = ""
        self._entries: list[dict[str, Any]] = []
        self._begun: dict[tuple[str, str], float] = {}
        self._started = time.monotonic()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).name

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._begun[host.name, task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        folder = os.environ.get("LVS_RECORD")
        if not folder:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        record = {
            "playbook": self._playbook,
            "check": bool(context.CLIARGS.get("check")),
            "seconds": round(time.monotonic() - self._started, 1),
            "tasks": self._entries,
        }
        name = f"{time.time_ns()}.json"
        Path(folder, name).write_text(json.dumps(record, indent=1), encoding="utf-8")

    def _record(self, result: Any) -> None:
        host, task, answer = result._host.name, result._task, result._result
        begun = self._begun.get((host, task._uuid), time.monotonic())
        self._entries.append(
            {
                "host": host,
                "task": task.get_name(),
                "action": task.action,
                "changed": bool(answer.get("changed")),
                "diff": answer.get("diff"),
                "changes": answer.get("changes"),
                "seconds": round(time.monotonic() - begun, 2),
            }
        )
