"""Speak QMP, QEMU's machine protocol (docs/interop/qmp-spec), to one guest."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.errors import LabError


class Qmp:
    """A session on a guest's control socket; use as a context manager."""

    def __init__(self, path: Path, timeout: float) -> None:
        """Connect. timeout: seconds that one answer may take."""
        self._name = path.stem
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("r", encoding="utf-8")
            self._lines.readline()  # the greeting
            self.execute("qmp_capabilities")
        except OSError as error:
            self._socket.close()
            raise LabError(f"QEMU does not answer on {path}: {error}.") from None

    def __enter__(self) -> Qmp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def monitor(self, command: str) -> None:
        """Run a command of the human monitor that prints nothing unless it fails."""
        complaint = str(self.execute("human-monitor-command", {"command-line": command})).strip()
        if complaint:
            raise LabError(f"{self._name}: QEMU could not {command}: {complaint}")

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Run one command of QMP, return its answer."""
        try:
            self._socket.sendall(json.dumps({"execute": command, "arguments": arguments or {}}).encode() + b"\n")
            return self._answer(command)
        except OSError as error:
            raise LabError(f"QEMU does not answer {command}: {error}.") from None

    def _answer(self, command: str) -> Any:
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"QEMU refused {command}: {answer['error']['desc']}.")
            if "return" in answer:
                return answer["return"]
        raise LabError(f"QEMU closed its control socket during {command}.")
