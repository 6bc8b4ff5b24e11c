"""The filter query: questions to what the readers return."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.filter.query import query

FOUND = {
    "services": [
        {"fwmark": "0x10001", "destinations": [{"address": "10.0.0.11", "weight": 1, "active_connections": 3}]},
        {
            "fwmark": "0x10002",
            "destinations": [
                {"address": "10.0.0.11", "weight": 0, "active_connections": 4},
                {"address": "it's", "weight": 1, "active_connections": 5},
            ],
        },
    ]
}
SUM = "sum(services[].destinations[?address==$rip][].active_connections)"


def test_values_go_in_by_name() -> None:
    assert query(FOUND, SUM, rip="10.0.0.11") == 7
    assert query(FOUND, SUM, rip="it's") == 5
    assert query(FOUND, SUM, rip="10.0.0.99") == 0
    assert query(FOUND, "services[].destinations[?weight==`0`][].address") == ["10.0.0.11"]


def test_names_are_not_parts_of_others_and_values_are_values() -> None:
    assert query([{"n": "a"}], "[?n==$rip2]", rip="z", rip2="a") == [{"n": "a"}]
    secret = {"secret": "s"}
    assert query(secret, "[$x, $y]", x="$y", y=" , secret, ") == ["$y", " , secret, "]
    for value in ("a\\b", "`", "'", '"', "\\'", "é", "${x}", "\n"):
        assert query([{"n": value}], "[?n==$it].n", it=value) == [value]


def test_types_that_ansible_gives_variables() -> None:
    class Text(str):
        """As ansible-core 2.19 marks what a module returned."""

    class Tagged(dict[str, object]):
        """And so for the rest."""

    found = [Tagged(address=Text("10.0.0.11"), weight=3)]
    assert query(found, "[].merge(@, {weight: `0`})") == [{"address": "10.0.0.11", "weight": 0}]
    assert query(found, "[?starts_with(address, $start)].weight", start="10.") == [3]


def test_what_cannot_be_asked_is_one_clear_error() -> None:
    with pytest.raises(AnsibleFilterError, match=r"query: 'services\[' cannot be asked: "):
        query(FOUND, "services[")
