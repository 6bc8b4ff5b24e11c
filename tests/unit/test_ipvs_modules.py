"""Which modules of IPVS a kernel has, by what lies on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import ipvs_modules

FOLDER = "kernel/net/netfilter/ipvs"
IN_USE = ("ip_vs_dh",)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose kernel has no module, on disk or in use."""
    monkeypatch.setattr(ipvs_modules, "_ON_DISK", tmp_path / "modules")
    monkeypatch.setattr(ipvs_modules, "_IN_USE", tmp_path / "sys")
    monkeypatch.setattr(ipvs_modules, "_TABLE", tmp_path / "ip_vs")
    return tmp_path


def on_disk(host: Path, **lists: str) -> None:
    folder = host / "modules" / os.uname().release
    folder.mkdir(parents=True)
    for name, text in lists.items():
        (folder / f"modules.{name}").write_text(text)


def in_use(host: Path) -> None:
    (host / "ip_vs").touch()
    for name in ("ip_vs", *IN_USE):
        (host / "sys" / name).mkdir(parents=True)


@pytest.mark.parametrize(
    "lists",
    [
        {"dep": f"{FOLDER}/ip_vs.ko: {FOLDER}/x.ko\n{FOLDER}/ip_vs_rr.ko: {FOLDER}/ip_vs.ko\n"},
        {"dep": f"{FOLDER}/ip_vs.ko.xz:\n", "builtin": f"{FOLDER}/ip_vs_rr.ko\n"},
        {"dep": "updates/ip-vs.ko.zst:\nupdates/ip-vs-rr.ko.zst:\n"},
    ],
)
def test_what_is_on_disk_counts(host: Path, lists: dict[str, str]) -> None:
    on_disk(host, **lists)
    ipvs_modules.require([("scheduler", "rr")], [])
    with pytest.raises(BadInput) as caught:
        ipvs_modules.require([("services[0].scheduler", "rr"), ("services[1].scheduler", "wlc")], [])
    assert str(caught.value) == "services[1].scheduler: 'wlc' is not a scheduler of this kernel; it has rr."


def test_what_is_in_use_counts_beside_it(host: Path) -> None:
    on_disk(host, dep=f"{FOLDER}/ip_vs_rr.ko:\n{FOLDER}/ip_vs_ftp.ko:\n{FOLDER}/ip_vs_pe_sip.ko:\n")
    in_use(host)
    ipvs_modules.require([("scheduler", "dh"), ("scheduler", "rr")], [])
    for name in ("ftp", "pe_sip", "", "vs"):
        with pytest.raises(BadInput, match=r"it has dh, rr\.$"):
            ipvs_modules.require([("scheduler", name)], [])
    ipvs_modules.require([], [("persistence_engine", "sip"), ("persistence_engine", ""), ("persistence_engine", None)])
    with pytest.raises(BadInput, match=r"^persistence_engine: 'sap' is not a persistence engine .* it has sip\.$"):
        ipvs_modules.require([], [("persistence_engine", "sap")])


@pytest.mark.parametrize("lists", [{}, {"dep": "kernel/net/ipv4/ipip.ko: kernel/ip_vs.ko\n"}])
def test_neither_in_use_nor_on_disk(host: Path, lists: dict[str, str]) -> None:
    on_disk(host, **lists)
    with pytest.raises(Missing, match=r"has no ip_vs: it is not loaded, and .* does not list it\. Remedy: "):
        ipvs_modules.require([("scheduler", "rr")], [])


def test_without_lists_the_kernel_decides(host: Path) -> None:
    """A container, or a host whose kernel package was replaced: nothing tells what the kernel has."""
    in_use(host)
    ipvs_modules.require([("scheduler", "rr")], [])
