"""The tables of docs/methods.md say what the tests assert."""

from __future__ import annotations

import ast

import pytest

from environment import CHECKOUT

TEXT = (CHECKOUT / "docs/methods.md").read_text().splitlines()
MATRIX = ast.parse((CHECKOUT / "tests/kernel/ipvs/guest/test_delivery_matrix.py").read_text())
TABLES = {
    node.targets[0].id: ast.literal_eval(node.value)
    for node in MATRIX.body
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in {"IPV4", "IPV6"}
}


@pytest.mark.parametrize("family", TABLES)
def test_ways_of_delivery(family: str) -> None:
    start = TEXT.index({"IPV4": "IPv4:", "IPV6": "IPv6:"}[family]) + 4
    rows = TEXT[start : TEXT.index("", start)]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {way: " ".join(found) for way, *found in cells} == {
        way: " ".join(found.split()) for way, found in TABLES[family].items()
    }
