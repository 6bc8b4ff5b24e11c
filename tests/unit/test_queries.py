"""Every question of docs/queries.md has the answer that stands there, to what a reader returns in truth."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.lvs.vipless.plugins.filter.query import query
from ansible_collections.lvs.vipless.plugins.module_utils._model.findings import Finding
from environment import CHECKOUT

TEXT = (CHECKOUT / "docs/queries.md").read_text()


class Section(NamedTuple):
    """A reader, a part of what it returns, and the questions to it."""

    name: str
    sample: Any
    questions: list[dict[str, Any]]


def sections() -> Iterator[Section]:
    for part in TEXT.split("\n## ")[1:]:
        sample, *questions = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL))
        yield Section(part.splitlines()[0], sample, questions)


SECTIONS = list(sections())
QUESTIONS = [(section, question) for section in SECTIONS for question in section.questions]


def returned_by(module: str) -> dict[str, Any]:
    """RETURN of a module, parsed."""
    tree = ast.parse((CHECKOUT / f"plugins/modules/{module}.py").read_text())
    (text,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RETURN"
    )
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def unknown(sample: dict[str, Any], documented: dict[str, Any]) -> list[str]:
    """The keys of a sample that the module does not document, at any depth."""
    found = [key for key in sample if key not in documented]
    for key, value in sample.items():
        below = documented.get(key, {}).get("contains")
        entries = value if isinstance(value, list) else [value]
        found += [f"{key}.{name}" for entry in entries if below for name in unknown(entry, below)]
    return found


@pytest.mark.parametrize(
    ("section", "question"), QUESTIONS, ids=lambda part: part.get("ask", "") if isinstance(part, dict) else part.name
)
def test_question_has_that_answer(section: Section, question: dict[str, Any]) -> None:
    assert set(question) <= {"ask", "with", "gives"}
    assert query(section.sample, question["ask"], **question.get("with", {})) == question["gives"]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_sample_is_what_the_reader_returns(section: Section) -> None:
    assert section.questions
    if section.name == "Findings of verify":
        assert all(set(finding) == set(Finding._fields) for finding in section.sample)
    else:
        assert not unknown(section.sample, returned_by(section.name))


def test_every_reader_is_asked() -> None:
    readers = {path.stem for path in (CHECKOUT / "plugins/modules").glob("*_info.py")}
    assert readers <= {section.name for section in SECTIONS}
