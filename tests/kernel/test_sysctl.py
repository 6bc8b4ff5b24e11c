"""The module sysctl against the kernel and a real file. The oracle is /proc/sys, and the file's own text."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing, PartlyApplied, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import sysctl, sysctl_source
from namespace import Namespace, call, without_net_admin

FORWARD = "net.ipv4.ip_forward"
VALUES = {FORWARD: 1, "net.ipv4.conf.v0.rp_filter": "2", "net/ipv6/conf/all/forwarding": 1}
NAMES = ("net/ipv4/ip_forward", "net/ipv4/conf/v0/rp_filter", "net/ipv6/conf/all/forwarding")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "sysctl.d").mkdir()
    return tmp_path / "sysctl.d" / "90-lvs-vipless.conf"


def value(netns: Namespace, name: str) -> str:
    return netns.run("cat", f"/proc/sys/{name}").strip()


def state(netns: Namespace, file: Path) -> tuple[list[str], str | None]:
    return [value(netns, name) for name in NAMES], file.read_text() if file.exists() else None


def lines(file: Path) -> list[str]:
    """The settings in the file, in order, without the comment that must lead them."""
    comment, *rest = file.read_text().splitlines()
    assert comment.startswith("# Managed by lvs.vipless.sysctl.")
    return rest


def test_sets_the_running_kernel(netns: Namespace) -> None:
    assert [value(netns, name) for name in NAMES] == ["0", "0", "0"]
    assert netns.call("sysctl", values=VALUES)["changed"]
    assert [value(netns, name) for name in NAMES] == ["1", "2", "1"]
    assert not netns.call("sysctl", values=VALUES)["changed"]


def test_writes_the_file_that_sets_them_at_boot(netns: Namespace, file: Path) -> None:
    assert netns.call("sysctl", values=VALUES, file=str(file))["changed"]
    assert lines(file) == [
        "net.ipv4.ip_forward = 1",
        "net.ipv6.conf.all.forwarding = 1",
        "net.ipv4.conf.v0.rp_filter = 2",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert (file.stat().st_uid, file.stat().st_gid) == (0, 0)
    assert list(file.parent.iterdir()) == [file]
    assert not netns.call("sysctl", values=VALUES, file=str(file))["changed"]


def test_what_sysctl_reads_from_the_file_is_what_was_set(netns: Namespace, file: Path) -> None:
    netns.ip("link add v0.100 type veth peer name v1.100")
    netns.call("sysctl", values={"net.ipv4.conf.v0/100.rp_filter": 2, "net.ipv4.tcp_rmem": "4096 1 9"}, file=str(file))
    netns.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/v0.100/rp_filter; echo 1 2 3 > /proc/sys/net/ipv4/tcp_rmem")
    netns.run("sysctl", "-p", str(file))
    assert value(netns, "net/ipv4/conf/v0.100/rp_filter") == "2"
    assert value(netns, "net/ipv4/tcp_rmem").split() == ["4096", "1", "9"]


@pytest.mark.parametrize("key", ["net.ipv4.conf.v0/100.rp_filter", "net/ipv4/conf/v0.100/rp_filter"])
def test_both_notations_reach_an_interface_with_a_dot(netns: Namespace, key: str) -> None:
    netns.ip("link add v0.100 type veth peer name v1.100")
    result = netns.call("sysctl", values={key: 2})
    assert value(netns, "net/ipv4/conf/v0.100/rp_filter") == "2"
    assert result["diff"]["after"] == "runtime net.ipv4.conf.v0/100.rp_filter = 2\n"


def test_runtime_and_file_are_told_apart(netns: Namespace, file: Path) -> None:
    netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    netns.run("sysctl", "-qw", f"{FORWARD}=0")
    runtime = netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    assert runtime["changes"] == ["change runtime net.ipv4.ip_forward = 0 to runtime net.ipv4.ip_forward = 1"]
    file.unlink()
    filed = netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    assert filed["changes"] == [f"add {file} (0644 0:0)", f"add {file} net.ipv4.ip_forward = 1"]
    assert filed["diff"] == {
        "before": "runtime net.ipv4.ip_forward = 1\n",
        "after": f"{file} (0644 0:0)\n{file} net.ipv4.ip_forward = 1\nruntime net.ipv4.ip_forward = 1\n",
    }


def test_check_mode_predicts_and_changes_nothing(netns: Namespace, file: Path) -> None:
    before = state(netns, file)
    predicted = netns.call("sysctl", check=True, values=VALUES, file=str(file))
    assert state(netns, file) == before
    assert predicted == netns.call("sysctl", values=VALUES, file=str(file))
    predicted = netns.call("sysctl", check=True, state="absent", file=str(file))
    assert file.exists()
    assert predicted == netns.call("sysctl", state="absent", file=str(file))


@pytest.mark.parametrize("name", list(VALUES))
def test_every_value_changed_alone_is_a_change(netns: Namespace, file: Path, name: str) -> None:
    netns.call("sysctl", values=VALUES, file=str(file))
    changed = {**VALUES, name: 0}
    result = netns.call("sysctl", values=changed, file=str(file))
    assert len(result["changes"]) == 2
    assert not netns.call("sysctl", values=changed, file=str(file))["changed"]


def test_another_file_is_a_change(netns: Namespace, file: Path) -> None:
    netns.call("sysctl", values=VALUES, file=str(file))
    other = file.with_name("91.conf")
    assert netns.call("sysctl", values=VALUES, file=str(other))["changed"]
    assert lines(other) == lines(file)


@pytest.mark.parametrize("text", ["4096 131072 6291456", "4096\t131072\t6291456", "  4096  131072\n6291456 "])
def test_white_space_does_not_count(netns: Namespace, text: str) -> None:
    netns.call("sysctl", values={"net.ipv4.tcp_rmem": "4096 131072 6291456"})
    assert not netns.call("sysctl", values={"net.ipv4.tcp_rmem": text})["changed"]
    assert netns.call("sysctl", values={"net.ipv4.tcp_rmem": "4096 131072 6291457"})["changed"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("net.ipv4.ip_local_reserved_ports", "30000,30001,30002,40005,40000-40010"),
        ("net.ipv4.tcp_fastopen", "0x3"),
        ("net.ipv4.conf.v0.arp_ignore", "01"),
        ("net.ipv6.conf.v0.stable_secret", "2001:db8::1"),
    ],
)
def test_a_value_that_the_kernel_writes_in_another_way(netns: Namespace, file: Path, key: str, text: str) -> None:
    predicted = netns.call("sysctl", values={key: text}, file=str(file), check=True)
    done = netns.call("sysctl", values={key: text}, file=str(file))
    assert done["changed"]
    assert done["changes"] == predicted["changes"]
    assert not netns.call("sysctl", values={key: text}, file=str(file))["changed"]
    assert lines(file) == [f"{key} = {value(netns, key.replace('.', '/'))}"]


def test_a_key_that_is_not_listed_leaves_the_file(netns: Namespace, file: Path) -> None:
    netns.call("sysctl", values=VALUES, file=str(file))
    result = netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    assert lines(file) == ["net.ipv4.ip_forward = 1"]
    assert sorted(result["changes"]) == [
        f"remove {file} net.ipv4.conf.v0.rp_filter = 2",
        f"remove {file} net.ipv6.conf.all.forwarding = 1",
    ]
    assert value(netns, "net/ipv4/conf/v0/rp_filter") == "2"


def test_what_was_done_to_the_file_by_hand_is_undone(netns: Namespace, file: Path) -> None:
    netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    whole = file.read_text()
    file.write_text(f"{whole}{FORWARD}=0\n; a remark\nnet/ipv4/conf/all/rp_filter=1\n-nonsense\n")
    file.chmod(0o600)
    result = netns.call("sysctl", values={FORWARD: 1}, file=str(file))
    assert f"change {file} (0600 0:0) to {file} (0644 0:0)" in result["changes"]
    assert len(result["changes"]) == 4
    assert file.read_text() == whole
    assert not netns.call("sysctl", values={FORWARD: 1}, file=str(file))["changed"]


def test_absent_removes_the_file_and_keeps_the_running_values(netns: Namespace, file: Path) -> None:
    netns.call("sysctl", values=VALUES, file=str(file))
    assert netns.call("sysctl", state="absent", file=str(file))["changed"]
    assert not file.exists()
    assert [value(netns, name) for name in NAMES] == ["1", "2", "1"]
    assert not netns.call("sysctl", state="absent", file=str(file))["changed"]


def test_a_value_that_another_write_resets_is_set_again(netns: Namespace) -> None:
    redirects = "net/ipv4/conf/all/accept_redirects"
    assert value(netns, redirects) == "1"
    # Written first, ip_forward resets accept_redirects to 0.
    assert netns.call("sysctl", values={"net.ipv4.conf.all.accept_redirects": 1, FORWARD: 1})["changed"]
    assert value(netns, redirects) == "1"
    assert value(netns, "net/ipv4/ip_forward") == "1"


def test_a_key_that_was_never_set_can_be_read_and_set(netns: Namespace) -> None:
    secret = {"net.ipv6.conf.v0.stable_secret": "2001:0db8:0000:0000:0000:0000:0000:0001"}
    result = netns.call("sysctl", values=secret)
    assert result["diff"]["before"] == ""
    assert not netns.call("sysctl", values=secret)["changed"]


def test_a_refused_value_is_named_and_the_file_is_not_written(netns: Namespace, file: Path) -> None:
    wrong = {"net.ipv4.conf.v0.rp_filter": "2", "net.ipv4.conf.v0.arp_ignore": "many", FORWARD: 1}
    with pytest.raises(PartlyApplied) as caught:
        netns.call("sysctl", values=wrong, file=str(file))
    assert (
        "2 of 7 changes were made, 1 failed: change runtime net.ipv4.conf.v0.arp_ignore = 0 to runtime "
        "net.ipv4.conf.v0.arp_ignore = many: the kernel refuses the value 'many' (Invalid argument). 4 were not tried."
    ) in str(caught.value)
    assert len(caught.value.details["done"]) == 2
    assert value(netns, "net/ipv4/conf/v0/rp_filter") == "2"
    assert not file.exists()


def test_ipvs_keys_are_foreseen_before_the_module_is_loaded(
    netns: Namespace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A key that no ip_vs has, and a path that no kernel has: so it is on every machine as it is without ip_vs.
    monkeypatch.setattr(sysctl, "_IPVS", Path("/proc/net/ip_vs_is_not_loaded"))
    wanted = {"net.ipv4.vs.no_such_key": 1}
    predicted = netns.call("sysctl", check=True, values=wanted, file=str(file))
    assert "add runtime net.ipv4.vs.no_such_key = 1" in predicted["changes"]
    with pytest.raises(BadInput, match=r"^values: 'net\.ipv4\.vs\.no_such_key' does not exist before .* ip_vs"):
        netns.call("sysctl", values=wanted, file=str(file))
    assert not file.exists()
    monkeypatch.setattr(sysctl, "_IPVS", Path("/proc/net/dev"))
    for check in (True, False):
        with pytest.raises(BadInput, match="is not a kernel parameter of this host"):
            netns.call("sysctl", check=check, values=wanted)


def test_an_interface_to_come_is_foreseen_and_needed_by_a_run(netns: Namespace) -> None:
    netns.run("sysctl", "-qw", "net.ipv4.conf.default.rp_filter=2")
    wanted = {"net.ipv4.conf.later0.rp_filter": 2, "net.ipv4.conf.later0.arp_ignore": 1}
    predicted = netns.call("sysctl", check=True, values=wanted)
    assert predicted["changes"] == [
        "change runtime net.ipv4.conf.later0.arp_ignore = 0 to runtime net.ipv4.conf.later0.arp_ignore = 1"
    ]
    with pytest.raises(BadInput, match=r"'net\.ipv4\.conf\.later0\.rp_filter' is not a kernel parameter of this host"):
        netns.call("sysctl", values=wanted)
    with pytest.raises(BadInput, match=r"'net\.ipv4\.conf\.later0\.nope' is not a kernel parameter of this host"):
        netns.call("sysctl", check=True, values={"net.ipv4.conf.later0.nope": 1})
    netns.ip("link add later0 type veth peer name later1")
    assert netns.call("sysctl", values=wanted) == predicted


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders that are read at boot, in a place of the test's own; the first comes before the second."""
    for name in ("etc/sysctl.d", "usr/sysctl.d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr")
    folders = tuple(str(tmp_path / name / "sysctl.d") for name in ("etc", "usr", "lib"))
    monkeypatch.setattr(sysctl_source, "_FOLDERS", folders)
    monkeypatch.setattr(sysctl_source, "_LAST", str(tmp_path / "etc/sysctl.conf"))
    monkeypatch.setattr(sysctl_source, "_SYSTEMD", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("own", "others", "decides"),
    [
        ("etc/sysctl.d/90.conf", {"etc/sysctl.d/99-x.conf": "1"}, ("etc/sysctl.d/99-x.conf", "1")),
        ("etc/sysctl.d/90.conf", {"usr/sysctl.d/99-x.conf": "1"}, ("usr/sysctl.d/99-x.conf", "1")),
        ("etc/sysctl.d/90.conf", {"etc/sysctl.d/10-x.conf": "1", "etc/sysctl.d/99-x.txt": "1"}, None),
        ("etc/sysctl.d/90.conf", {"etc/sysctl.d/99-x.conf": "0"}, None),
        # Of one name, the first folder's is read alone. An empty file does away with it.
        ("etc/sysctl.d/90.conf", {"usr/sysctl.d/99-x.conf": "1", "etc/sysctl.d/99-x.conf": ""}, None),
        ("etc/sysctl.d/90.conf", {"usr/sysctl.d/90.conf": "1"}, None),
        ("usr/sysctl.d/90.conf", {"etc/sysctl.d/90.conf": "1"}, ("etc/sysctl.d/90.conf", "1")),
        ("lib/sysctl.d/90.conf", {"usr/sysctl.d/80.conf": "1"}, None),
        # Read by systemd through a link alone.
        ("etc/sysctl.d/90.conf", {"etc/sysctl.conf": "1"}, None),
        ("etc/sysctl.d/90.conf", {"etc/sysctl.conf": "1", "etc/sysctl.d/99-link.conf": None}, ("etc/sysctl.conf", "1")),
        # A file that is not read at boot decides about nothing.
        ("own.conf", {"etc/sysctl.d/10-x.conf": "1"}, ("etc/sysctl.d/10-x.conf", "1")),
    ],
)
def test_a_file_that_counts_at_boot_in_place_of_ours_is_named(
    netns: Namespace, search: Path, own: str, others: dict[str, str | None], decides: tuple[str, str] | None
) -> None:
    for name, number in others.items():
        path = search / name
        if number is None:
            path.symlink_to("../sysctl.conf")
        else:
            path.write_text(number and f"net.ipv4.conf.*.rp_filter = 2\nnet.ipv4.conf.all.rp_filter = {number}\n")
    before = {name: (search / name).read_text() for name in others}
    options = {"values": {"net.ipv4.conf.all.rp_filter": 0, FORWARD: 1}, "file": str(search / own)}
    predicted = netns.call("sysctl", check=True, **options)
    assert netns.call("sysctl", **options) == predicted
    expected = {"key": "net.ipv4.conf.all.rp_filter", "value": "0"}
    assert predicted["overridden"] == (
        [{**expected, "file": str(search / decides[0]), "file_value": decides[1]}] if decides else []
    )
    told = f"{search / decides[0]} sets net.ipv4.conf.all.rp_filter = {decides[1]}, and " if decides else "none"
    assert [one.startswith(told) for one in predicted["warnings"]] == ([True] if decides else [])
    again = netns.call("sysctl", **options)
    assert (again["changed"], again["overridden"]) == (False, predicted["overridden"])
    assert {name: (search / name).read_text() for name in others} == before
    gone = netns.call("sysctl", file=str(search / own), state="absent")
    assert (gone["overridden"], gone["warnings"]) == ([], [])


def test_without_systemd_the_last_file_counts(netns: Namespace, search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysctl_source, "_SYSTEMD", search / "nowhere")
    (search / "etc/sysctl.conf").write_text(f"{FORWARD} = 0\n")
    options = {"values": {FORWARD: 1}, "file": str(search / "etc/sysctl.d/90.conf")}
    (one,) = netns.call("sysctl", **options)["overridden"]
    assert one["file"] == str(search / "etc/sysctl.conf")
    assert netns.call("host_info", sysctls=[FORWARD])["sysctls_at_boot"] == {
        FORWARD: {"file": one["file"], "value": "0"}
    }
    (search / "etc/sysctl.conf").write_text("")
    assert netns.call("host_info", sysctls=[FORWARD, "net.ipv4.tcp_rmem"])["sysctls_at_boot"] == {
        FORWARD: {"file": options["file"], "value": "1"},
        "net.ipv4.tcp_rmem": None,
    }


def test_what_sysctl_itself_makes_of_the_files_is_what_was_told(netns: Namespace, search: Path) -> None:
    """The oracle is the tool, with these folders in the place of its own."""
    (search / "etc/sysctl.d/99-x.conf").write_text(f"{FORWARD}=0\n-net.ipv4.conf.v0.rp_filter = 1\n")
    (search / "usr/sysctl.d/95-x.conf").write_text("net.ipv4.conf.*.rp_filter = 1\n")
    file = search / "etc/sysctl.d/90.conf"
    wanted = {FORWARD: 1, "net.ipv4.conf.v0.rp_filter": 2, "net.ipv4.conf.all.rp_filter": 2}
    told = netns.call("sysctl", values=wanted, file=str(file))["overridden"]
    mounts = f"mount --bind {search}/etc/sysctl.d /etc/sysctl.d && mount --bind {search}/usr/sysctl.d /usr/lib/sysctl.d"
    netns.run("unshare", "--mount", "sh", "-c", f"{mounts} && sysctl -q --system --pattern '^net.ipv4.(ip_f|conf)'")
    after = {key: value(netns, key.replace(".", "/")) for key in wanted}
    assert {key: str(number) for key, number in wanted.items()} | {
        one["key"]: one["file_value"] for one in told
    } == after
    assert [one["key"] for one in told] == [FORWARD, "net.ipv4.conf.v0.rp_filter"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "values: {} is empty: name at least one key."),
        (
            {"net.ipv4.nope": 1},
            "values: 'net.ipv4.nope' is not a kernel parameter of this host (no file /proc/sys/net/ipv4/nope).",
        ),
        (
            {"net.ipv4.conf.nope0.rp_filter": 1},
            "values: 'net.ipv4.conf.nope0.rp_filter' is not a kernel parameter of this host "
            "(no file /proc/sys/net/ipv4/conf/nope0/rp_filter).",
        ),
        (
            {"net.ipv4.conf": 1},
            "values: 'net.ipv4.conf' is not a kernel parameter of this host (no file /proc/sys/net/ipv4/conf).",
        ),
        ({"net.ipv4.route.flush": 1}, "values: 'net.ipv4.route.flush' holds no value: writing it starts an action."),
        (
            {"net.ipv4.tcp_available_congestion_control": "reno"},
            "values: 'net.ipv4.tcp_available_congestion_control' is read-only on this host.",
        ),
        (
            {"net/../../version": 1},
            "values: 'net/../../version' is not the name of a kernel parameter, such as net.ipv4.ip_forward.",
        ),
        (
            {"/etc/passwd": 1},
            "values: '/etc/passwd' is not the name of a kernel parameter, such as net.ipv4.ip_forward.",
        ),
        ({"net": 1}, "values: 'net' is not the name of a kernel parameter, such as net.ipv4.ip_forward."),
        (
            {FORWARD: True},
            "values[net.ipv4.ip_forward]: True is YAML's yes or no. The kernel takes numbers: write 0 or 1.",
        ),
        ({FORWARD: [1]}, "values[net.ipv4.ip_forward]: [1] is neither text nor a whole number."),
        ({FORWARD: None}, "values[net.ipv4.ip_forward] is neither text nor a whole number."),
        ({FORWARD: "\x00"}, "values[net.ipv4.ip_forward]: '\\x00' has characters that cannot be printed."),
        (
            {FORWARD: 1, "net/ipv4/ip_forward": 1},
            "values[net/ipv4/ip_forward]: 'runtime net.ipv4.ip_forward = 1' names the same object as "
            "values[net.ipv4.ip_forward].",
        ),
    ],
)
def test_bad_values_are_one_clear_error_and_no_change(
    netns: Namespace, file: Path, values: dict[str, Any], message: str
) -> None:
    before = state(netns, file)
    with pytest.raises(BadInput) as caught:
        netns.call("sysctl", values={"net.ipv4.conf.v0.rp_filter": 2, **values} if values else {}, file=str(file))
    assert str(caught.value) == message
    assert state(netns, file) == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x.conf", "is not the absolute path of a file."),
        ("{tmp}", "is not the absolute path of a file."),
        ("{tmp}/nowhere/x.conf", "cannot be written: the directory {tmp}/nowhere does not exist."),
        ("{tmp}/sysctl.d/x", "would not be read at boot: the name of a file in sysctl.d ends in .conf."),
    ],
)
def test_a_bad_file_is_one_clear_error_and_no_change(netns: Namespace, file: Path, name: str, reason: str) -> None:
    tmp = file.parent.parent
    path = name.format(tmp=tmp)
    with pytest.raises(BadInput) as caught:
        netns.call("sysctl", values=VALUES, file=path)
    assert str(caught.value) == f"file: '{path}' {reason.format(tmp=tmp)}"
    assert value(netns, "net/ipv4/ip_forward") == "0"


@pytest.mark.parametrize("options", [{"values": VALUES}, {"state": "absent"}])
def test_a_file_of_others_is_refused(netns: Namespace, file: Path, options: dict[str, Any]) -> None:
    file.write_text("# mine\nnet.ipv4.ip_forward = 1\n")
    with pytest.raises(Refused, match=r"its first line is not '# Managed by lvs\.vipless\.sysctl\. …'"):
        netns.call("sysctl", file=str(file), **options)
    assert file.read_text().startswith("# mine")
    assert value(netns, "net/ipv4/ip_forward") == "0"


def test_a_file_that_cannot_be_written_is_told_with_what_was_done(netns: Namespace) -> None:
    with pytest.raises(PartlyApplied, match=r"1 of 3 changes were made, 2 failed: add /proc/x\.conf"):
        netns.call("sysctl", values={FORWARD: 1}, file="/proc/x.conf")
    assert value(netns, "net/ipv4/ip_forward") == "1"


def test_an_unprivileged_run_says_what_it_lacks(netns: Namespace, file: Path) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match="CAP_NET_ADMIN"):
        call("sysctl", values=VALUES, file=str(file))
    assert value(netns, "net/ipv4/ip_forward") == "0"
    assert not file.exists()


# ip_forward sets the forwarding of every device, and all of IPv6 that of its own.
KEYS = {
    FORWARD: ["0", "1"],
    "net.ipv4.conf.v0.forwarding": ["0", "1"],
    "net.ipv4.conf.all.rp_filter": ["0", "1", "2"],
    "net.ipv4.conf.v0.rp_filter": ["0", "1", "2"],
    "net.ipv4.conf.v0/100.arp_ignore": ["0", "1", "8"],
    "net.ipv6.conf.all.forwarding": ["0", "1"],
    "net.ipv6.conf.v0.forwarding": ["0", "1"],
    "net.ipv4.tcp_rmem": ["4096 131072 6291456", "4096\t1 9"],
}
GOALS = st.lists(st.sampled_from(sorted(KEYS)), min_size=1, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(KEYS[name]) for name in names})
)
FILES = st.sampled_from(["present", "present", "absent", ""])
DAMAGE = st.sampled_from(
    ["", "unlink", "chmod", "\nnet.ipv4.conf.v0.arp_notify = 1\n", "\nnet.ipv4.ip_forward = 7\n", "\n; a comment\n"]
)


def held(netns: Namespace, file: Path) -> dict[str, str]:
    """Every value by its line's beginning, as the diff writes them, and the file's mode, owner and lines."""
    names = [name.translate(str.maketrans("./", "/.")) for name in KEYS]
    values = netns.run("sh", "-c", f"cd /proc/sys && cat {' '.join(names)}").splitlines()
    found = {f"runtime {name} = ": " ".join(text.split()) for name, text in zip(KEYS, values, strict=True)}
    if file.exists():
        found[f"{file} ({stat.S_IMODE(file.stat().st_mode):04o} 0:0)"] = ""
        found |= {f"{file} {line}": "" for line in file.read_text().splitlines() if line and line[0] not in "#;"}
    return found


def damage_file(file: Path, how: str) -> None:
    if how == "unlink":
        file.unlink()
    elif how == "chmod":
        file.chmod(0o600)
    else:
        file.write_text(file.read_text() + how)


def test_one_run_converges(netns: Namespace, file: Path) -> None:
    netns.ip("link add v0.100 type veth peer name v1.100")
    theirs = file.with_name("91-others.conf")
    theirs.write_text("net.ipv4.ip_forward = 1\n")

    def run(goal: dict[str, str], place: str, check: bool = False) -> dict[str, Any]:
        where = {"file": str(file), "state": place} if place else {}
        return netns.call("sysctl", check=check, values=goal, **where)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(GOALS, FILES, DAMAGE, GOALS, FILES)
    def converges(start: dict[str, str], its: str, how: str, goal: dict[str, str], place: str) -> None:
        file.unlink(missing_ok=True)
        netns.run("sysctl", "-qw", *(f"{name}={values[0]}" for name, values in KEYS.items()))
        run(start, its)
        if file.exists():
            damage_file(file, how)
        before = held(netns, file)
        predicted = run(goal, place, check=True)
        assert held(netns, file) == before
        assert run(goal, place) == predicted
        after = held(netns, file)
        assert predicted["changed"] == (after != before)
        named = (
            {f"runtime {name} = ": " ".join(text.split()) for name, text in goal.items()} if place != "absent" else {}
        )
        assert named.items() <= after.items()
        filed = [line for line in after if line.startswith(str(file))] if place else []
        told = predicted["diff"]["after"].splitlines()
        assert sorted(told) == sorted([*("".join(pair) for pair in named.items()), *filed])
        assert not run(goal, place)["changed"]
        if place:
            assert file.exists() == (place == "present")
            assert sorted(filed) == sorted(
                [f"{file} (0644 0:0)", *(f"{file} {name} = {' '.join(text.split())}" for name, text in goal.items())]
                if place == "present"
                else []
            )

    converges()
    assert theirs.read_text() == "net.ipv4.ip_forward = 1\n"
