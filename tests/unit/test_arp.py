"""ARP parameters: what counts on an interface, and what is said about it."""

from __future__ import annotations

from ansible_collections.lvs.vipless.plugins.module_utils._model import arp

HELD = {
    "all": {"arp_ignore": 1, "arp_announce": 0},
    "eth1": {"arp_ignore": 0, "arp_announce": 2},
    "eth0.100": {"arp_ignore": 8, "arp_announce": 0},
}
ASKED = {"arp_ignore": 1, "arp_announce": 0}


def test_the_larger_level_counts() -> None:
    assert arp.effective(HELD) == {
        "eth0.100": {"arp_ignore": 8, "arp_announce": 0},
        "eth1": {"arp_ignore": 1, "arp_announce": 2},
    }


def test_settings_reach_an_interface_with_a_dot() -> None:
    wanted = [setting for _option, setting in arp.settings(["eth0.100"], ASKED)]
    assert [setting.name for setting in wanted] == [
        "net/ipv4/conf/eth0.100/arp_ignore",
        "net/ipv4/conf/eth0.100/arp_announce",
    ]
    assert arp.with_settings(HELD, wanted)["eth0.100"] == ASKED
    assert HELD["eth0.100"]["arp_ignore"] == 8


def test_only_the_interfaces_that_were_named_are_told_about() -> None:
    why = "in effect and not {}, because the interface itself has {} and the larger of the two counts."
    eth0 = "eth0.100: arp_ignore is 8 " + why.format(1, 8)
    eth1 = "eth1: arp_announce is 2 " + why.format(0, 2)
    assert arp.differing(["all"], HELD, ASKED) == [eth0, eth1]
    assert arp.differing(["eth1"], HELD, ASKED) == [eth1]
