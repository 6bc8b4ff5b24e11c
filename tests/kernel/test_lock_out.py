"""Nothing that takes VIPs, rules, addresses or neighbours cuts the host off from its controller, unless forced to."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ansible_collections.lvs.vipless.plugins.module_utils._errors import Refused
from ansible_collections.lvs.vipless.plugins.module_utils._model import special
from namespace import Namespace

Options = dict[str, Any]

CONTROLLER = "198.51.100.77 50000 10.0.0.2 22"
GATEWAY_MAC = "02:00:00:00:00:01"
TAKEN = "the controller is connected to port 22 of 10.0.0.2, and its packets are among these."
RULE = {"priority": 100, "family": "ipv4"}


def guard(*vips: str, **more: Any) -> tuple[str, Options]:
    return "vip_guard", {"vips": list(vips), **more}


def silence(*vips: str) -> tuple[str, Options]:
    return "arp_suppress", {"method": "nftables", "vips": list(vips), "source": "10.0.0.9"}


def marks(*ports: str, **more: Any) -> tuple[str, Options]:
    return "fwmark", {"vips": ["10.0.0.0/24"], "ports": list(ports), "mark": "1", **more}


def proxied(**more: Any) -> tuple[str, Options]:
    whole = {"vips": ["0.0.0.0/0"], "ports": ["tcp"], "mark": "1", "to_port": 3129, "when_down": "closed"}
    return "tproxy", {**whole, **more}


def rule(**more: Any) -> tuple[str, Options]:
    return "ip_rule", {**RULE, **more}


def state(netns: Namespace) -> list[str]:
    listings = ("rule", "-6 rule", "route show table all", "-6 route show table all", "address", "neighbour")
    return [*(netns.ip(one) for one in listings), netns.run("nft", "list", "ruleset")]


def told(netns: Namespace, connection: str, module: str, options: Options) -> str:
    """What a module says within an ssh session: it looks at its ancestors, as sudo drops the variable."""
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from namespace import call\n"
        "try: print('changed' if call(sys.argv[2], **json.loads(sys.argv[3]))['changed'] else 'unchanged')\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')"
    )
    python = [sys.executable, "-c", script, json.dumps(sys.path), module, json.dumps(options)]
    # A shell that stays is the ancestor.
    shell = ["sh", "-c", 'env -u SSH_CONNECTION "$@"; exit $?', "sh"]
    return netns.run("env", f"SSH_CONNECTION={connection}", *shell, *python).strip()


def require_refusal(netns: Namespace, module: str, options: Options, reason: str) -> None:
    before = state(netns)
    for check in (True, False):
        with pytest.raises(Refused) as caught:
            netns.call(module, check=check, **options)
        assert reason in str(caught.value)
        assert str(caught.value).endswith("A task of your own does it all the same with force: true; roles never do.")
    assert state(netns) == before


@pytest.fixture
def host(netns: Namespace) -> Namespace:
    """With a second address to ask as, and a route that has two next hops in each family."""
    netns.batch(
        "address add 10.0.0.9/32 dev v0",
        "route replace default nexthop via 10.0.0.1 dev v0 nexthop via 10.0.0.254 dev v0",
        "route add default via 10.0.0.253 table 500",
        "rule add from 192.0.2.1 table 500 priority 500",
        f"neighbour replace 10.0.0.1 lladdr {GATEWAY_MAC} dev v0 nud reachable",
    )
    netns.ip("-6 route append default via 2001:db8:a::fe")
    return netns


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (guard("10.0.0.2"), "it holds 10.0.0.2, an address of v0."),
        (guard("203.0.113.10", "0.0.0.0/1", "128.0.0.0/1"), "'0.0.0.0/1' refused: it holds 10.0.0.2, an address of v0"),
        (guard("2001:db8:a::/64"), "it holds 2001:db8:a::2, an address of v0."),
        (silence("10.0.0.0/29"), "it holds 10.0.0.2, an address of v0."),
        (("ip_local_route", {"prefixes": ["10.0.0.254"]}), "it holds 10.0.0.254, the next hop of 0.0.0.0/0."),
        (("ip_local_route", {"prefixes": ["2001:db8:a::fe"]}), "it holds 2001:db8:a::fe, the next hop of ::/0."),
        (("ip_local_route", {"prefixes": ["10.0.0.253"]}), "10.0.0.253, the next hop of 0.0.0.0/0 in table 500."),
        (("ip_address", {"prefixes": ["10.0.0.254"], "device": "lo"}), "it is the next hop of 0.0.0.0/0."),
        (rule(to="10.0.0.1", action="unreachable"), "from 10.0.0.2 to 10.0.0.1 goes by it, and it ends them."),
        (rule(**{"from": "10.0.0.2"}, action="blackhole"), "goes by it, and it ends them."),
        (
            rule(**{"from": "10.0.0.0/8"}, table="100"),
            "goes by it, and it takes them to a table whose route ends here.",
        ),
        (rule(iif="lo", table="100"), "goes by it, and it takes them to a table whose route ends here."),
        (rule(fwmark="0", table="100"), "goes by it, and it takes them to a table whose route ends here."),
        (rule(to="0.0.0.0/1", table="100"), "goes by it, and it takes them to a table whose route ends here."),
        (
            ("static_neighbor", {"address": "10.0.0.1", "device": "v0", "mac": "02:00:00:00:00:99"}),
            f"it is the next hop of 0.0.0.0/0, which answers with {GATEWAY_MAC}.",
        ),
    ],
    ids=str,
)
def test_what_the_host_lives_by_is_asked_for(host: Namespace, asked: tuple[str, Options], reason: str) -> None:
    host.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="100")
    require_refusal(host, *asked, reason)
    module, options = asked
    assert host.call(module, **options, force=True)["changed"]
    assert not host.call(module, **options, force=True)["changed"]


def test_a_module_knows_the_session_that_its_own_environment_tells(
    host: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", CONTROLLER)
    with pytest.raises(Refused, match=r"the controller is connected to port 22 of 10\.0\.0\.2"):
        host.call("fwmark", vips=["10.0.0.0/24"], ports=["tcp/22"], mark="1")


@pytest.mark.parametrize(
    "asked",
    [
        guard("10.0.0.9", "203.0.113.0/24"),
        silence("203.0.113.0/24"),
        rule(iif="v0", table="100"),
        rule(iif="v0", fwmark="0/0x10000", table="100"),
        rule(to="203.0.113.0/24", table="100"),
        rule(to="10.0.0.1", action="unreachable", priority=32767),
        ("static_neighbor", {"address": "10.0.0.1", "device": "v0", "mac": GATEWAY_MAC}),
        ("static_neighbor", {"address": "10.0.0.254", "device": "v0", "mac": "02:00:00:00:00:99"}),
    ],
    ids=str,
)
def test_what_does_no_harm_is_done(host: Namespace, asked: tuple[str, Options]) -> None:
    host.call("ip_local_route", prefixes=["0.0.0.0/0", "::/0"], table="100")
    module, options = asked
    assert host.call(module, **options)["changed"]


def test_an_address_that_an_owner_put_there_is_a_vip(netns: Namespace) -> None:
    netns.call("ip_address", prefixes=["203.0.113.10/24"], device="v0")
    for module, options in (guard("203.0.113.10"), silence("203.0.113.10")):
        assert netns.call(module, **{**options, **({"source": "10.0.0.2"} if "source" in options else {})})["changed"]


def test_a_rule_behind_one_that_leads_on_does_no_harm(netns: Namespace) -> None:
    netns.ip("rule add to 10.0.0.1 lookup main priority 50")
    assert netns.call("ip_rule", **RULE, to="10.0.0.0/24", action="unreachable")["changed"]
    # Nor does one that jumps over it, while it comes before this.
    with pytest.raises(Refused, match="goes by it, and it ends them"):
        netns.call("ip_rule", **{**RULE, "priority": 40}, to="10.0.0.0/24", action="blackhole")


def test_our_own_permanent_entry_gets_another_mac(host: Namespace) -> None:
    entry = {"address": "10.0.0.1", "device": "v0"}
    host.call("static_neighbor", **entry, mac=GATEWAY_MAC)
    assert host.call("static_neighbor", **entry, mac="02:00:00:00:00:99")["changed"]


@pytest.mark.parametrize("prefix", special.PREFIXES)
def test_special_addresses_are_no_vips(netns: Namespace, prefix: str) -> None:
    address = prefix.partition("/")[0]
    asked = [guard(address), ("fwmark", {"vips": [address], "ports": ["udp/53"], "mark": "1"})]
    # The host's own are refused for what they are first.
    asked += [("ip_local_route", {"prefixes": [address]})]
    asked += [silence(address)] if ":" not in prefix else []
    netns.ip("address add 10.0.0.9/32 dev v0")
    for module, options in asked:
        require_refusal(netns, module, options, f"it is {special.PREFIXES[prefix]}")


@pytest.mark.parametrize("prefixes", [["10.0.0.128/25"], ["2001:db8:a::80/121"]])
@pytest.mark.parametrize("later", ["next hop", "address"])
def test_what_the_host_got_since_is_told(netns: Namespace, prefixes: list[str], later: str) -> None:
    """Where a next hop lies in a local prefix, the kernel sends the default route to lo."""
    options = {"prefixes": prefixes}
    netns.call("ip_local_route", **options)
    mine = "10.0.0.130" if "." in prefixes[0] else "2001:db8:a::82"
    family = "-4" if "." in mine else "-6"
    if later == "address":
        netns.ip(f"{family} address add {mine}/{24 if family == '-4' else 64} dev v0")
    else:
        netns.ip(f"{family} route replace default via {mine}" + (" dev v0" if family == "-6" else ""))
    require_refusal(netns, "ip_local_route", options, f"it holds {mine}, ")
    assert netns.call("ip_local_route", **options, state="absent")["changed"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (marks("tcp/22"), TAKEN),
        (marks("udp/80", "tcp/1-1023"), TAKEN),
        (marks("tcp"), TAKEN),
        (marks("any"), TAKEN),
        (marks("tcp/22", sources=["198.51.100.0/24"], iif=["v0"]), TAKEN),
        (proxied(own_addresses=True), TAKEN),
        (proxied(own_addresses=True, to_port=None, vips=["10.0.0.2"]), TAKEN),
        (rule(to="198.51.100.0/24", action="unreachable"), "from 10.0.0.2 to 198.51.100.77 goes by it"),
        (rule(ipproto="tcp", sport="22", action="prohibit"), "from 10.0.0.2 to 198.51.100.77 goes by it"),
        (
            ("ip_address", {"prefixes": ["198.51.100.1/24"], "device": "v0"}),
            "it holds 198.51.100.77, the address the controller came from.",
        ),
    ],
    ids=str,
)
def test_the_controllers_connection_is_not_taken(netns: Namespace, asked: tuple[str, Options], reason: str) -> None:
    before = state(netns)
    for connection in (CONTROLLER, "::ffff:198.51.100.77 50000 ::ffff:10.0.0.2 22"):
        answer = told(netns, connection, *asked)
        assert answer.startswith("Refused: ")
        assert reason in answer
    assert state(netns) == before
    module, options = asked
    assert told(netns, CONTROLLER, module, {**options, "force": True}) == "changed"


@pytest.mark.parametrize(
    "asked",
    [
        marks("tcp/80"),
        marks("udp/22"),
        marks("tcp/22", sources=["192.0.2.0/24"]),
        marks("tcp/22", mark="0"),
        proxied(),
        rule(to="198.51.100.0/25", iif="v0", action="unreachable"),
        ("ip_address", {"prefixes": ["198.51.100.1/32"], "device": "v0"}),
        guard("203.0.113.0/24"),
    ],
    ids=str,
)
def test_what_leaves_the_controllers_connection_is_done(netns: Namespace, asked: tuple[str, Options]) -> None:
    assert told(netns, CONTROLLER, *asked) == "changed"


def test_the_controllers_way_in_is_kept_where_it_is_an_address_of_lo(netns: Namespace) -> None:
    netns.ip("address add 203.0.113.5/32 dev lo")
    for module, options in (guard("203.0.113.0/29"), silence("203.0.113.5")):
        answer = told(netns, "198.51.100.77 50000 203.0.113.5 22", module, {**options, "source": "10.0.0.2"}
                      if "source" in options else options)  # fmt: skip
        assert "it holds 203.0.113.5, the address the controller is connected to." in answer


def test_an_address_in_the_controllers_own_network_is_added(netns: Namespace) -> None:
    near = ("ip_address", {"prefixes": ["10.0.0.5/24"], "device": "v0"})
    assert told(netns, "10.0.0.77 50000 10.0.0.2 22", *near) == "changed"


@pytest.mark.parametrize(
    "connection", ["UNKNOWN 65535 UNKNOWN 65535", "", "10.0.0.77", "fe80::1%v0 50000 fe80::2%v0 22"]
)
def test_a_session_without_addresses_is_none(netns: Namespace, connection: str) -> None:
    """As sshd tells of a session that came over a pipe or a socket of the machine alone."""
    for module, options in (
        guard("203.0.113.10"),
        marks("tcp/80"),
        ("ip_local_route", {"prefixes": ["203.0.113.0/24"]}),
        ("ip_route", {"prefixes": ["192.0.2.0/24"], "gateways": ["10.0.0.1"], "device": "v0"}),
        ("ip_address", {"prefixes": ["203.0.113.10"], "device": "lo"}),
        rule(to="203.0.113.0/24", table="100"),
    ):
        assert told(netns, connection, module, options) == "changed"


@pytest.mark.parametrize("vip", ["203.0.113.10", "2001:db8:f::10"])
def test_vips_that_were_declared_move_between_ways_and_devices(netns: Namespace, vip: str) -> None:
    """What the roles change under traffic: the new way comes before the old one goes, on any device."""
    address = {"prefixes": [vip], "device": "v0"}
    netns.call("ip_address", **address)
    # As role director asks before every run.
    netns.call("ip_local_route", check=True, prefixes=[vip], type="unreachable", table="main")
    assert netns.call("ip_local_route", prefixes=[vip], device="v0", metric=1024)["changed"]
    assert netns.call("ip_address", **{**address, "device": "v1"})["changed"]
    assert netns.call("ip_address", **address, state="absent")["changed"]


def test_an_address_that_nobody_declared_does_not(netns: Namespace) -> None:
    netns.ip("address add 203.0.113.10/32 dev v0")
    with pytest.raises(Refused, match=r"it holds 203\.0\.113\.10, an address of v0"):
        netns.call("ip_local_route", prefixes=["203.0.113.10"], metric=1024)
