"""Kernel parameters: how a key and a file are read and written, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import sysctl
from ansible_collections.lvs.vipless.plugins.module_utils._model.sysctl import RUNTIME, Setting

PATH = "/etc/sysctl.d/90.conf"
PARTS = st.text("ab09_-.:@#;ü", min_size=1).filter(lambda part: part not in {".", ".."})
# A first part without a dot, as every directory of /proc/sys is: net, kernel, vm.
NAMES = st.builds(lambda first, rest: "/".join([first, *rest]), st.just("net"), st.lists(PARTS, min_size=1, max_size=4))
VALUES = st.lists(st.text("abc0123456789.:-", min_size=1), min_size=1).map(" ".join)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        # The first separator decides, as it does for sysctl(8).
        ("net/ipv4.conf", "net/ipv4.conf"),
        ("net.ipv4/conf", "net/ipv4.conf"),
    ],
)
def test_keys(key: str, name: str) -> None:
    ((option, found),) = sysctl.parse({key: 1})
    assert (option, found) == (f"values[{key}]", Setting(RUNTIME, name, "1"))


@pytest.mark.parametrize(
    "key", ["", "net", "net.", ".net", "net..ipv4", "net.conf.*.x", "net.a=b", "net.a b", "n/../x"]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(BadInput, match="is not the name of a kernel parameter"):
        sysctl.parse({key: 1})


@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_a_file_holds_what_was_written(values: dict[str, str]) -> None:
    settings = [Setting(PATH, name, value) for name, value in values.items()]
    text = sysctl.file_text("sysctl", [Setting(PATH, "", sysctl.FILE_MODE), *settings])
    assert text.startswith(sysctl.mark("sysctl"))
    assert sysctl.parse_file(PATH, text) == sysctl.in_order(settings)


@given(NAMES, VALUES)
def test_both_notations_mean_the_same(name: str, value: str) -> None:
    assert sysctl.parse({name: value})[0][1] == sysctl.parse({sysctl.dotted(name): value})[0][1]


def test_what_reaches_further_is_written_first() -> None:
    names = ["net/ipv4/conf/eth0/rp_filter", "net/ipv4/conf/default/rp_filter", "net/ipv4/conf/all/rp_filter"]
    ordered = sysctl.in_order(Setting(RUNTIME, name, "1") for name in [*names, "net/ipv4/ip_forward"])
    assert [setting.name for setting in ordered] == ["net/ipv4/ip_forward", *reversed(names)]


def test_only_what_lies_in_the_file_is_unwanted_there() -> None:
    runtime = [Setting(RUNTIME, "net/ipv4/ip_forward", "1")]
    wanted = sysctl.desired(runtime, PATH)
    assert list(wanted.present) == [*runtime, Setting(PATH, "", "0644 0:0"), Setting(PATH, "net/ipv4/ip_forward", "1")]
    assert wanted.unwanted(Setting(PATH, "kernel/panic", "1"))
    assert not wanted.unwanted(Setting(RUNTIME, "kernel/panic", "1"))
    assert list(sysctl.desired(runtime, None).present) == runtime
    assert list(sysctl.desired(runtime, PATH, with_file=False).present) == runtime
