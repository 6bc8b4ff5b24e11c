"""Hosts that lack something, and a kernel that has yet to load ip_vs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import kernel_modules
import pyroute2
import pytest
from oracle import listed, meant

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_modules
from namespace import Namespace, without_net_admin

MARKED = {"fwmark": "0x10001", "family": "ipv4", "scheduler": "rr", "destinations": [{"address": "10.0.0.11"}]}
BLOCK = Path("/etc/modprobe.d/lvs-vipless-test.conf")


@pytest.fixture
def blocked(unloaded: Namespace) -> Iterator[Namespace]:
    BLOCK.write_text("install ip_vs /bin/false\n")
    yield unloaded
    BLOCK.unlink()


def test_pyroute2_is_debians() -> None:
    assert Path(pyroute2.__file__).is_relative_to("/usr/lib/python3/dist-packages")


def test_check_mode_loads_nothing_and_a_run_loads_what_it_needs(unloaded: Namespace) -> None:
    predicted = unloaded.call("ipvs_service", check=True, **MARKED)
    assert unloaded.call("ipvs_info") == {"changed": False, "loaded": False, "services": [], "configuration": []}
    with pytest.raises(BadInput, match="'foo' is not a scheduler of this kernel"):
        unloaded.call("ipvs_service", check=True, **{**MARKED, "scheduler": "foo"})
    assert kernel_modules.loaded() == []
    assert unloaded.call("ipvs_service", **MARKED) == predicted
    assert kernel_modules.loaded() == ["ip_vs_rr", "ip_vs"]
    assert listed(unloaded) == meant([MARKED])


@pytest.mark.parametrize("check", [True, False])
def test_kernel_without_ip_vs(
    unloaded: Namespace, check: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipvs_modules, "_ON_DISK", tmp_path)
    release = os.uname().release
    (tmp_path / release).mkdir()
    (tmp_path / release / "modules.dep").write_text("kernel/net/ipv4/ipip.ko:\n")
    with pytest.raises(Missing) as caught:
        unloaded.call("ipvs_service", check=check, **MARKED)
    assert str(caught.value).startswith(
        f"This kernel ({release}) has no ip_vs: it is not loaded, and {tmp_path / release} does not list it. Remedy: "
    )
    assert kernel_modules.loaded() == []


def test_ip_vs_that_cannot_be_loaded(blocked: Namespace) -> None:
    with pytest.raises(
        Missing, match=r"(?s)^ip_vs cannot be loaded: .*/bin/false.* Remedy: make 'modprobe ip_vs' work"
    ):
        blocked.call("ipvs_service", **MARKED)
    assert kernel_modules.loaded() == []


@pytest.mark.parametrize("check", [True, False])
def test_unprivileged_run(netns: Namespace, check: bool) -> None:
    for module, options in (("ipvs_service", MARKED), ("ipvs_info", {})):
        with without_net_admin(), pytest.raises(Missing, match="no CAP_NET_ADMIN, which even reading IPVS needs"):
            netns.call(module, check=check, **options)
    assert listed(netns) == {}
