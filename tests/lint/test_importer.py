"""What Galaxy does with a collection that is handed in: its importer at its strictest, on the archive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import Tools

pytestmark = pytest.mark.slow

STRICT = {
    **{f"GALAXY_IMPORTER_{name}": "true" for name in ("CHECK_REQUIRED_TAGS", "RUN_ANSIBLE_DOC", "RUN_FLAKE8")},
    # test_source.py runs it on the same files, and with all warnings as errors.
    "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
}
# flake8 has these on where nobody chooses. They contradict PEP 8, by the documentation of pycodestyle itself.
AGAINST_PEP_8 = {"E203", "W503"}


def test_galaxy_takes_it(tools: Tools, archive: Path) -> None:
    told = tools.run(["python", "-m", "galaxy_importer.main", archive.name], archive.parent, **STRICT)
    assert "Importer processing completed successfully" in told
    complaints = re.findall(r"(?:WARNING|ERROR): (.*)", told)
    # It reads a filter's documentation as Python.
    ours = [line for line in complaints if not re.match(r"plugins/filter/\w+\.yml:", line)]
    assert not [line for line in ours if not AGAINST_PEP_8 & set(line.split())]
