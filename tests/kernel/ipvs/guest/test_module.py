"""The module ipvs_module and a real ip_vs. The oracle is /sys/module, and what modprobe makes of the files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kernel_modules
import pytest
from tool import ipvsadm

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, NotKept, PartlyApplied, Refused
from namespace import Namespace

NAME = "lvstest"
LOAD, OPTIONS = Path(f"/etc/modules-load.d/{NAME}.conf"), Path(f"/etc/modprobe.d/{NAME}.conf")
BITS = Path("/sys/module/ip_vs/parameters/conn_tab_bits")
WANTED: dict[str, Any] = {"name": NAME, "conn_tab_bits": 15, "schedulers": ["rr", "mh"], "persistence_engines": ["sip"]}


@pytest.fixture
def clean(unloaded: Namespace) -> Iterator[Namespace]:
    yield unloaded
    kernel_modules.unload(lambda: ipvsadm(unloaded, "-C"))
    for path in (LOAD, OPTIONS, LOAD.with_name("other.conf")):
        path.unlink(missing_ok=True)


def state() -> list[str | None]:
    texts = [path.read_text() if path.exists() else None for path in (LOAD, OPTIONS)]
    return [*texts, *kernel_modules.loaded(), BITS.read_text() if BITS.exists() else None]


def test_loads_ip_vs_with_its_options(clean: Namespace) -> None:
    before = state()
    predicted = clean.call("ipvs_module", check=True, **WANTED)
    assert state() == before
    assert clean.call("ipvs_module", **WANTED) == predicted
    assert (predicted["changed"], predicted["reload_needed"], predicted["warnings"]) == (True, False, [])
    assert BITS.read_text() == "15\n"
    assert {"ip_vs", "ip_vs_rr", "ip_vs_mh", "ip_vs_pe_sip"} <= set(kernel_modules.loaded())
    again = clean.call("ipvs_module", **WANTED)
    assert (again["changed"], again["reload_needed"], again["conn_tab_bits"]) == (False, False, 15)
    # As the next boot loads it, from the files alone.
    kernel_modules.unload()
    subprocess.run(["/lib/systemd/systemd-modules-load", str(LOAD)], check=True)
    assert BITS.read_text() == "15\n"
    assert not clean.call("ipvs_module", **WANTED)["changed"]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"conn_tab_bits": 16}, [f"remove {OPTIONS}: options ip_vs conn_tab_bits=15"]),
        ({"conn_tab_bits": None}, [f"remove {OPTIONS} (0644)"]),
        ({"schedulers": ["rr", "sed"]}, [f"add {LOAD}: ip_vs_sed", "add loaded: ip_vs_sed"]),
        ({"persistence_engines": []}, [f"remove {LOAD}: ip_vs_pe_sip"]),
        ({"name": "other"}, ["add /etc/modules-load.d/other.conf (0644)"]),
    ],
)
def test_each_option_changed_alone_is_a_change(clean: Namespace, change: dict[str, Any], lines: list[str]) -> None:
    clean.call("ipvs_module", **WANTED)
    changed = {name: value for name, value in {**WANTED, **change}.items() if value is not None}
    predicted = clean.call("ipvs_module", check=True, **changed)
    assert clean.call("ipvs_module", **changed) == predicted
    assert set(lines) <= set(predicted["changes"])
    assert not clean.call("ipvs_module", **changed)["changed"]
    clean.call("ipvs_module", name=changed["name"], state="absent")


def test_another_size_is_told_and_nothing_is_unloaded(clean: Namespace) -> None:
    subprocess.run(["modprobe", "ip_vs"], check=True)
    default = int(BITS.read_text())
    ipvsadm(clean, "-A -f 7 -s wrr")
    predicted = clean.call("ipvs_module", check=True, **WANTED)
    result = clean.call("ipvs_module", **WANTED)
    assert result == predicted
    assert (result["reload_needed"], result["conn_tab_bits"]) == (True, default)
    assert result["warnings"][0].startswith(f"ip_vs is loaded with conn_tab_bits {default} and not 15")
    assert ipvsadm(clean, "-Sn").splitlines() == ["-A -f 7 -s wrr"]
    again = clean.call("ipvs_module", **WANTED)
    assert (again["changed"], again["reload_needed"]) == (False, True)
    # What is told does it.
    ipvsadm(clean, "-C")
    for step in again["reload_steps"][1:]:
        subprocess.run(step.split(), check=True)
    assert BITS.read_text() == "15\n"
    assert not clean.call("ipvs_module", **WANTED)["reload_needed"]


def test_a_size_that_another_file_overrules_is_no_success(clean: Namespace) -> None:
    other = OPTIONS.with_name("zz-lvstest.conf")
    other.write_text("options ip_vs conn_tab_bits=14\n")
    try:
        with pytest.raises(NotKept, match=r"options ip_vs conn_tab_bits=15 \(it has 14; "):
            clean.call("ipvs_module", **WANTED)
    finally:
        other.unlink()
    assert clean.call("ipvs_module", **WANTED)["reload_needed"]


def test_absent_unloads_what_nobody_uses(clean: Namespace) -> None:
    clean.call("ipvs_module", **WANTED)
    ipvsadm(clean, "-A -f 7 -s wlc")
    kept = clean.call("ipvs_module", check=True, name=NAME, state="absent")
    assert kept["changes"][-1] == f"remove {OPTIONS}: options ip_vs conn_tab_bits=15"
    ipvsadm(clean, "-D -f 7")
    predicted = clean.call("ipvs_module", check=True, name=NAME, state="absent")
    assert "remove loaded: ip_vs_wlc" in predicted["changes"]
    assert clean.call("ipvs_module", name=NAME, state="absent") == predicted
    assert state() == [None, None, None]
    assert not clean.call("ipvs_module", name=NAME, state="absent")["changed"]


@pytest.mark.parametrize("other", ["service", "file"])
def test_absent_keeps_what_others_need(clean: Namespace, other: str) -> None:
    clean.call("ipvs_module", **WANTED)
    if other == "service":
        ipvsadm(clean, "-A -f 7 -s rr")
    else:
        LOAD.with_name("other.conf").write_text("# mine\nip_vs\n")
    before = kernel_modules.loaded()
    predicted = clean.call("ipvs_module", check=True, name=NAME, state="absent")
    assert clean.call("ipvs_module", name=NAME, state="absent") == predicted
    assert not [line for line in predicted["changes"] if "loaded" in line]
    assert kernel_modules.loaded() == before
    assert not LOAD.exists()
    assert not OPTIONS.exists()


def test_what_others_loaded_is_not_unloaded(clean: Namespace) -> None:
    subprocess.run(["modprobe", "ip_vs"], check=True)
    assert not clean.call("ipvs_module", name=NAME, state="absent")["changed"]
    assert kernel_modules.loaded() == ["ip_vs"]


def test_what_is_refused(clean: Namespace) -> None:
    with pytest.raises(BadInput, match=r"schedulers: 'foo' is not a scheduler of this kernel"):
        clean.call("ipvs_module", name=NAME, schedulers=["rr", "foo"])
    LOAD.write_text("ip_vs\n")
    for state_ in ("present", "absent"):
        with pytest.raises(Refused, match=r"its first line is not '# Managed by lvs\.vipless\.ipvs_module\. …'"):
            clean.call("ipvs_module", name=NAME, state=state_)
    assert kernel_modules.loaded() == []


def test_what_cannot_be_loaded_is_told_with_what_was_done(clean: Namespace) -> None:
    block = Path("/etc/modprobe.d/lvs-vipless-test.conf")
    block.write_text("install ip_vs_mh /bin/false\n")
    try:
        with pytest.raises(PartlyApplied, match=r"(?s)1 failed: add loaded: ip_vs_mh: .*1 were not tried"):
            clean.call("ipvs_module", **WANTED)
    finally:
        block.unlink()
    assert clean.call("ipvs_module", **WANTED)["changes"] == ["add loaded: ip_vs_mh", "add loaded: ip_vs_pe_sip"]
