"""The rule that a packet goes by. Each selector is tried by the kernel too, in the tests of delivery_info."""

from __future__ import annotations

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model.delivery import Answer, Packet
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import GOTO, REFUSALS, Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule_match import leading
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4

PACKET = Packet(IPV4, "203.0.113.10", "198.51.100.7", "eth0", 0x10001, 6, 1024, 80)
ROUTE = Route(IPV4, table=100, prefix="0.0.0.0/0", kind=LOCAL, device="lo", metric=0, protocol=117)
BY_MARK = Rule(IPV4, 100, 117, iif="eth0", mark=0x10000, mask=0x10000, table=100)
LAST = Rule(IPV4, 200, 117, table=100)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ([], BY_MARK),
        ([Rule(IPV4, 50, 0, table=101)], BY_MARK),
        ([Rule(IPV4, 50, 0, table=100, suppress_prefixlength=0)], BY_MARK),
        ([Rule(IPV4, 50, 0, inverted=True, source="198.51.100.0/24", action=REFUSALS["prohibit"])], BY_MARK),
        ([Rule(IPV4, 50, 0, action=GOTO, target=150)], BY_MARK),
        ([Rule(IPV4, 50, 0, action=GOTO, target=200)], LAST),
        ([Rule(IPV4, 50, 0, dport="80-89", table=100)], Rule(IPV4, 50, 0, dport="80-89", table=100)),
        # What is not known is not guessed at.
        ([Rule(IPV4, 50, 0, action=REFUSALS["prohibit"])], None),
        ([Rule(IPV4, 50, 0, foreign=b"realms", table=100)], None),
        ([Rule(IPV4, 50, 0, foreign=b"realms", inverted=True, table=100)], None),
        ([Rule(IPV4, 50, 0, l3mdev=True)], None),
        ([Rule(IPV4, 50, 0, table=100, suppress_ifgroup=7)], None),
    ],
)
def test_the_first_that_fits(before: list[Rule], told: Rule | None) -> None:
    assert leading([*before, BY_MARK, LAST], PACKET, Answer(ROUTE)) == told


def test_a_refusal_is_a_rules_or_a_routes() -> None:
    refusing = Rule(IPV4, 90, 0, action=REFUSALS["prohibit"])
    assert leading([refusing, BY_MARK], PACKET, Answer(None, 13)) == refusing
    assert leading([BY_MARK], PACKET, Answer(None, 113)) is None
