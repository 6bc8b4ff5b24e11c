"""The module arp_suppress against the kernel: /proc/sys is the oracle, and a neighbour that asks is the judge."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput, Missing, Refused
from ansible_collections.lvs.vipless.plugins.module_utils._kernel import sysctl_source
from far_end import Neighbour
from namespace import Namespace, call, without_net_admin

OWN4, OWN6 = "10.0.0.2", "2001:db8:a::2"
# The last three bytes of both IPv6 addresses are one solicited-node group, so that the question arrives.
VIP4, VIP6 = "203.0.113.10", "2001:db8:f::2"
NAMES = ("all", "v0", "v1", "lo")


def held(netns: Namespace) -> dict[str, tuple[str, ...]]:
    conf = "/proc/sys/net/ipv4/conf"
    return {
        name: tuple(netns.run("cat", f"{conf}/{name}/arp_ignore", f"{conf}/{name}/arp_announce").split())
        for name in NAMES
    }


def test_a_vip_on_lo_falls_silent(netns: Namespace, neighbour: Neighbour) -> None:
    netns.call("ip_address", prefixes=[VIP4])
    assert neighbour.arp_answers(VIP4, OWN4) == {VIP4, OWN4}
    netns.call("arp_suppress")
    assert neighbour.arp_answers(VIP4, OWN4) == {OWN4}
    netns.call("arp_suppress", state="absent")
    assert neighbour.arp_answers(VIP4, OWN4) == {VIP4, OWN4}


def test_one_interface_falls_silent(netns: Namespace, neighbour: Neighbour) -> None:
    netns.call("ip_address", prefixes=[VIP4])
    netns.call("arp_suppress", interfaces=["lo"])
    assert neighbour.arp_answers(VIP4, OWN4) == {VIP4, OWN4}
    netns.call("arp_suppress", interfaces=["v0"])
    assert neighbour.arp_answers(VIP4, OWN4) == {OWN4}


def test_the_vip_asks_for_nobody(netns: Namespace, neighbour: Neighbour) -> None:
    netns.call("ip_address", prefixes=[VIP4])
    for level, name in ((0, VIP4), (2, OWN4)):
        netns.call("arp_suppress", arp_announce=level)
        target = f"10.0.0.{100 + level}"
        with netns.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((VIP4, 0))
            sender.sendto(b"", (target, 9))
        assert neighbour.arp_questioner(target) == name


def test_nobody_answers_neighbour_discovery_for_a_vip_on_lo(netns: Namespace, neighbour: Neighbour) -> None:
    netns.call("ip_address", prefixes=[VIP6])
    assert neighbour.neighbour_answers(VIP6, OWN6) == {OWN6}


def test_sets_what_was_asked_for(netns: Namespace) -> None:
    result = netns.call("arp_suppress")
    assert result["changed"]
    assert held(netns) == {"all": ("1", "2"), "v0": ("0", "0"), "v1": ("0", "0"), "lo": ("0", "0")}
    assert result["effective"] == {name: {"arp_ignore": 1, "arp_announce": 2} for name in ("lo", "v0", "v1")}
    assert result["warnings"] == []
    again = netns.call("arp_suppress")
    assert not again["changed"]
    assert again["effective"] == result["effective"]


@pytest.mark.parametrize(
    ("option", "value", "after"),
    [
        ("interfaces", ["v0", "v1"], {"all": ("1", "2"), "v0": ("1", "2"), "v1": ("1", "2"), "lo": ("0", "0")}),
        ("arp_ignore", 8, {"all": ("8", "2"), "v0": ("0", "0"), "v1": ("0", "0"), "lo": ("0", "0")}),
        ("arp_announce", 1, {"all": ("1", "1"), "v0": ("0", "0"), "v1": ("0", "0"), "lo": ("0", "0")}),
        ("state", "absent", {"all": ("0", "0"), "v0": ("0", "0"), "v1": ("0", "0"), "lo": ("0", "0")}),
    ],
)
def test_every_option_changed_alone_is_a_change(netns: Namespace, option: str, value: object, after: Any) -> None:
    netns.call("arp_suppress")
    assert netns.call("arp_suppress", **{option: value})["changed"]
    assert held(netns) == after
    assert not netns.call("arp_suppress", **{option: value})["changed"]


def test_check_mode_predicts_and_changes_nothing(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "90-arp.conf"
    netns.run("sysctl", "-qw", "net.ipv4.conf.v0.arp_ignore=2", "net.ipv4.conf.all.arp_announce=1")
    before = held(netns)
    for options in ({"interfaces": ["all", "v1"]}, {"state": "absent"}):
        predicted = netns.call("arp_suppress", check=True, file=str(file), **options)
        assert held(netns) == before
        assert predicted == netns.call("arp_suppress", file=str(file), **options)
        before = held(netns)


def test_file(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "90-arp.conf"
    netns.call("arp_suppress", interfaces=["all", "v0"], file=str(file))
    comment, *settings = file.read_text().splitlines()
    assert comment.startswith("# Managed by lvs.vipless.arp_suppress.")
    assert settings == [
        "net.ipv4.conf.all.arp_announce = 2",
        "net.ipv4.conf.all.arp_ignore = 1",
        "net.ipv4.conf.v0.arp_announce = 2",
        "net.ipv4.conf.v0.arp_ignore = 1",
    ]
    assert not netns.call("arp_suppress", interfaces=["all", "v0"], file=str(file))["changed"]
    assert netns.call("arp_suppress", state="absent", file=str(file))["changed"]
    assert not file.exists()
    assert held(netns)["v0"] == ("1", "2")


def test_an_interface_with_a_dot_in_its_name(netns: Namespace, tmp_path: Path) -> None:
    netns.ip("link set v1 down")
    netns.ip("link set v1 name eth0.100")
    file = tmp_path / "90-arp.conf"
    netns.call("arp_suppress", interfaces=["eth0.100"], file=str(file))
    level = "/proc/sys/net/ipv4/conf/eth0.100/arp_ignore"
    assert netns.run("cat", level) == "1\n"
    assert not netns.call("arp_suppress", interfaces=["eth0.100"], file=str(file))["changed"]
    for program in (["sysctl", "-qp"], ["/lib/systemd/systemd-sysctl"]):
        netns.run("sh", "-c", f"echo 0 > {level}")
        netns.run(*program, str(file))
        assert netns.run("cat", level) == "1\n"


def test_the_file_of_another_module_is_refused(netns: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "90.conf"
    netns.call("sysctl", values={"net.ipv4.ip_forward": 1}, file=str(file))
    with pytest.raises(Refused, match=r"its first line is not '# Managed by lvs\.vipless\.arp_suppress\. …'"):
        netns.call("arp_suppress", file=str(file))
    assert held(netns)["all"] == ("0", "0")


def test_tells_where_all_keeps_a_level_up(netns: Namespace) -> None:
    netns.call("arp_suppress", interfaces=["all", "v0"])
    result = netns.call("arp_suppress", interfaces=["v0"], state="absent")
    assert result["effective"]["v0"] == {"arp_ignore": 1, "arp_announce": 2}
    assert result["warnings"] == [
        "v0: arp_ignore is 1 in effect and not 0, because all has 1 and the larger of the two counts.",
        "v0: arp_announce is 2 in effect and not 0, because all has 2 and the larger of the two counts.",
    ]


def test_tells_where_an_interface_keeps_a_level_up(netns: Namespace) -> None:
    netns.run("sysctl", "-qw", "net.ipv4.conf.v1.arp_ignore=3")
    result = netns.call("arp_suppress")
    assert result["effective"]["v1"] == {"arp_ignore": 3, "arp_announce": 2}
    assert result["warnings"] == [
        "v1: arp_ignore is 3 in effect and not 1, because the interface itself has 3 and the larger of the two counts."
    ]
    assert netns.call("arp_suppress", interfaces=["v0"])["warnings"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interfaces": []}, "interfaces: [] is empty: name at least one interface, or all."),
        (
            {"interfaces": ["v0", "nope0"]},
            "interfaces[1]: 'nope0' is not an interface of this host; it has lo, v0, v1.",
        ),
        ({"interfaces": ["default"]}, "interfaces[0]: 'default' is not an interface of this host; it has lo, v0, v1."),
        ({"interfaces": ["../all"]}, "interfaces[0]: '../all' is not an interface name"),
        (
            {"interfaces": ["v0", "v0"]},
            "interfaces[1]: 'runtime net.ipv4.conf.v0.arp_ignore = 1' names the same object as",
        ),
        ({"file": "90.conf"}, "file: '90.conf' is not the absolute path of a file."),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(netns: Namespace, options: dict[str, Any], message: str) -> None:
    before = held(netns)
    with pytest.raises(BadInput) as caught:
        netns.call("arp_suppress", **options)
    assert str(caught.value).startswith(message)
    assert held(netns) == before


def test_an_interface_without_ipv4(netns: Namespace) -> None:
    # Below the least MTU of IPv4 (68) an interface has none of its parameters.
    netns.ip("link set lo mtu 60")
    with pytest.raises(BadInput, match=r"^interfaces: 'net\.ipv4\.conf\.lo\.arp_ignore' is not a kernel parameter"):
        netns.call("arp_suppress", interfaces=["v0", "lo"])
    assert set(netns.call("arp_suppress")["effective"]) == {"v0", "v1"}


@pytest.mark.parametrize(("option", "value"), [("arp_ignore", 4), ("arp_ignore", 9), ("arp_announce", 3)])
def test_a_level_that_means_nothing_is_an_error(netns: Namespace, option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"value of {option} must be one of: .*, got: {value}"):
        netns.call("arp_suppress", **{option: value})


def test_an_unprivileged_run_says_what_it_lacks(netns: Namespace) -> None:
    with netns.entered(), without_net_admin(), pytest.raises(Missing, match="CAP_NET_ADMIN"):
        call("arp_suppress")
    assert held(netns)["all"] == ("0", "0")


def test_a_file_that_makes_the_host_answer_at_boot_is_named(
    netns: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysctl_source, "_FOLDERS", (str(tmp_path),))
    (tmp_path / "99-x.conf").write_text("net.ipv4.conf.all.arp_ignore = 0\nnet.ipv4.conf.v0.arp_ignore = 0\n")
    options = {"file": str(tmp_path / "90.conf")}
    found = netns.call("arp_suppress", check=True, **options)
    assert found == netns.call("arp_suppress", **options)
    assert found["overridden"] == [
        {
            "key": "net.ipv4.conf.all.arp_ignore",
            "value": "1",
            "file": str(tmp_path / "99-x.conf"),
            "file_value": "0",
        }
    ]
    assert len(found["warnings"]) == 1
    assert netns.call("arp_suppress", state="absent", **options)["overridden"] == []
