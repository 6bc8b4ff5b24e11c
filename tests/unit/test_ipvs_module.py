"""What the files that load ip_vs hold, and what is told where it is loaded otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs_module
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_module import parse

NONE: dict[str, Any] = {"name": "lvs-x", "conn_tab_bits": None, "schedulers": [], "persistence_engines": []}
LOAD, OPTIONS = "/etc/modules-load.d/lvs-x.conf", "/etc/modprobe.d/lvs-x.conf"


def content(**options: Any) -> dict[str, list[str]]:
    """The files without their first line, which says whose they are."""
    texts = parse(NONE | options).texts()
    assert all(text.startswith("# Managed by lvs.vipless.ipvs_module.") for text in texts.values())
    return {path: text.splitlines()[1:] for path, text in texts.items()}


def test_files() -> None:
    assert content() == {LOAD: ["ip_vs"]}
    assert content(schedulers=["wlc", "rr", "wlc"], persistence_engines=["sip"]) == {
        LOAD: ["ip_vs", "ip_vs_wlc", "ip_vs_rr", "ip_vs_pe_sip"]
    }
    assert content(conn_tab_bits=20) == {LOAD: ["ip_vs"], OPTIONS: ["options ip_vs conn_tab_bits=20"]}


def test_what_is_to_be_there() -> None:
    assert [line.line for line in parse(NONE | {"schedulers": ["rr"]}).lines()] == [
        f"{LOAD} (0644)",
        f"{LOAD}: ip_vs",
        f"{LOAD}: ip_vs_rr",
        "loaded: ip_vs",
        "loaded: ip_vs_rr",
    ]


@pytest.mark.parametrize(("wanted", "found"), [(None, 12), (None, None), (15, None), (15, 15)])
def test_nothing_is_to_be_loaded_anew(wanted: int | None, found: int | None) -> None:
    assert ipvs_module.reload(parse(NONE | {"conn_tab_bits": wanted}), found, []) == ([], [])


def test_what_is_to_be_done_for_another_size() -> None:
    wanted = parse(NONE | {"conn_tab_bits": 15, "schedulers": ["wlc"]})
    steps, (warning,) = ipvs_module.reload(wanted, 12, ["ip_vs_rr", "ip_vs_ftp"])
    assert steps == ["ipvsadm -C", "modprobe -r ip_vs_ftp ip_vs_rr ip_vs_wlc ip_vs", "modprobe ip_vs"]
    assert warning.startswith("ip_vs is loaded with conn_tab_bits 12 and not 15, ")
    assert "; ".join(steps) in warning


@pytest.mark.parametrize("bits", [0, 7, 28])
def test_a_size_that_no_kernel_takes(bits: int) -> None:
    with pytest.raises(BadInput, match=f"conn_tab_bits: {bits} "):
        parse(NONE | {"conn_tab_bits": bits})
