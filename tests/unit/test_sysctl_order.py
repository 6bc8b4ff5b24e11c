"""Which of many files decides about a kernel parameter. Expected values are systemd-sysctl's own (sysctl.d(5))."""

from __future__ import annotations

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import RUNTIME, Setting
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl_order import (
    Source,
    held,
    overridden,
    source,
    warning,
)

NAME = "net/ipv4/conf/all/rp_filter"
KEY = "net.ipv4.conf.all.rp_filter"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], None),
        (["# net.ipv4.conf.all.rp_filter = 1", "; net.ipv4.conf.all.rp_filter = 1"], None),
        ([f"{KEY} = 1"], ("0", "1")),
        ([f"{KEY}=1", f"{NAME}  =\t2 "], ("1", "2")),
        ([f"{KEY}=1\n{KEY}=2"], ("0", "2")),
        # Who says the same again decides nothing.
        ([f"{KEY}=2", f"{KEY}=1", f"{KEY}=1"], ("1", "1")),
        # A dash before an assignment: it may fail. Without one: no pattern sets the key, and it is taken back.
        ([f"{KEY}=1", f"-{KEY}=2"], ("1", "2")),
        ([f"{KEY}=1", f"-{KEY}"], ("1", None)),
        ([f"-{KEY}", f"{KEY}=1"], ("1", "1")),
        ([f"-{KEY}", "net.ipv4.conf.*.rp_filter=1"], ("0", None)),
        # A key before all patterns, and of these the last.
        ([f"{KEY}=1", "net.ipv4.conf.*.rp_filter=2"], ("0", "1")),
        (["net.ipv4.conf.*.rp_filter=2", "net.ipv4.conf.a?l.rp_filter=0"], ("1", "0")),
        (["net.ipv4.conf.*.rp_filter=2", "net.ipv4.conf.[ab]*.rp_filter=0", "net.ipv4.conf.*.rp_filter=1"], ("2", "1")),
        (["net.ipv4.conf.*.rp_filter=2", "-net.ipv4.conf.*.rp_filter"], None),
        # A wildcard ends at the slash.
        (["net.ipv4.*.rp_filter=2"], None),
        (["net.*.conf.*.rp_filter=2"], ("0", "2")),
        # No assignment.
        ([f"{KEY} 1", KEY], None),
    ],
)
def test_who_decides(texts: list[str], found: tuple[str, str | None] | None) -> None:
    decided = source(held((str(place), f"{text}\n") for place, text in enumerate(texts)), NAME)
    assert decided == (Source(*found) if found else None)


def test_only_other_values_are_told() -> None:
    wanted = [Setting(RUNTIME, NAME, "0"), Setting(RUNTIME, "net/ipv4/ip_forward", "1")]
    ours = ("ours", f"{KEY}=0\nnet.ipv4.ip_forward = 1")
    assert overridden(wanted, held([("a", f"{KEY}=1"), ours, ("b", "net.ipv4.ip_forward=1")])) == []
    ((setting, one),) = overridden(wanted, held([ours, ("b", f"{KEY}=1")]))
    assert (setting, one) == (wanted[0], Source("b", "1"))
    assert warning(setting, one, "ours", is_read=True) == (
        f"b sets {KEY} = 1, and is read after ours: at the next boot, or when 'sysctl --system' runs, that counts and "
        "not '0'. Take it out there, or give this file a name that sorts after it."
    )
    assert warning(setting, Source("b", None), "ours", is_read=False) == (
        f"b keeps {KEY} from being set, and ours is not read: at the next boot, or when 'sysctl --system' runs, that "
        "counts and not '0'. Take it out there."
    )
