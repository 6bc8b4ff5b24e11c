"""The module ipvs_config against the kernel. `ipvsadm -L --timeout` and `ipvsadm -L --daemon` are the oracles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tool import ipvsadm

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.modules import ipvs_config
from namespace import Namespace

USUAL = {"tcp_timeout": 900, "tcp_fin_timeout": 120, "udp_timeout": 300}
MASTER = {"role": "master", "interface": "v0", "id": 7}
BACKUP = {"role": "backup", "interface": "v0", "id": 7}


@pytest.fixture
def host(netns: Namespace) -> Iterator[Namespace]:
    """With the kernel's own timeouts and no daemon, before and after."""
    netns.call("ipvs_config", **USUAL, daemons=[])
    yield netns
    netns.call("ipvs_config", **USUAL, daemons=[])


def timeouts(netns: Namespace) -> list[int]:
    return [int(word) for word in ipvsadm(netns, "-L --timeout").split() if word.isdigit()]


def daemons(netns: Namespace) -> set[str]:
    """A line each: 'master sync daemon (mcast=v0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)'."""
    return set(ipvsadm(netns, "-L --daemon").splitlines())


def shown(daemon: dict[str, Any]) -> str:
    asked = {"maxlen": 1472, "group": "224.0.0.81", "port": 8848, "ttl": 1, **daemon}
    rest = ", ".join(f"{name}={asked[name]}" for name in ("maxlen", "group", "port", "ttl"))
    return f"{asked['role']} sync daemon (mcast={asked['interface']}, syncid={asked['id']}, {rest})"


EACH_OPTION: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tcp_timeout": 901}, {}),
    ({"tcp_fin_timeout": 61}, {}),
    ({"udp_timeout": 2147483}, {}),
    ({}, {"role": "backup"}),
    ({}, {"interface": "v1"}),
    ({}, {"id": 255}),
    ({}, {"group": "224.0.0.82"}),
    ({}, {"port": 8849}),
    ({}, {"ttl": 9}),
    ({}, {"maxlen": 1000}),
]


@pytest.mark.parametrize(("top", "daemon"), EACH_OPTION, ids=str)
def test_every_option_changed_alone_is_a_change(host: Namespace, top: dict[str, Any], daemon: dict[str, Any]) -> None:
    host.ip("address replace 10.1.0.2/24 dev v1")
    host.call("ipvs_config", daemons=[MASTER])
    assert daemons(host) == {shown(MASTER)}
    wanted = {**top, "daemons": [{**MASTER, **daemon}]}
    predicted = host.call("ipvs_config", check=True, **wanted)
    assert (daemons(host), timeouts(host)) == ({shown(MASTER)}, [900, 120, 300])
    assert predicted["changed"]
    assert host.call("ipvs_config", **wanted) == predicted
    assert daemons(host) == {shown({**MASTER, **daemon})}
    assert timeouts(host) == [{**USUAL, **top}[name] for name in USUAL]
    assert not host.call("ipvs_config", **wanted)["changed"]


def test_every_option_has_a_case() -> None:
    tops, entries = ({name for case in EACH_OPTION for name in case[place]} for place in (0, 1))
    assert tops == set(ipvs_config.SPEC.options) - {"daemons"}
    assert entries == set(ipvs_config.DAEMON)


def test_what_is_not_given_stays(host: Namespace) -> None:
    daemon = {**MASTER, "maxlen": 1000, "ttl": 9}
    host.call("ipvs_config", daemons=[daemon, BACKUP], udp_timeout=9)
    assert host.call("ipvs_config", tcp_timeout=8)["changes"] == [
        "change timeouts tcp 900 tcp_fin 120 udp 9 to timeouts tcp 8 tcp_fin 120 udp 9"
    ]
    assert not host.call("ipvs_config", daemons=[MASTER, BACKUP])["changed"]
    assert daemons(host) == {shown(daemon), shown(BACKUP)}
    info = host.call("ipvs_info")
    assert not host.call("ipvs_config", **info["config"])["changed"]
    assert info["version"].count(".") == 2
    assert info["connection_table_size"] >= 256
    host.call("ipvs_config", daemons=[BACKUP])
    assert daemons(host) == {shown(BACKUP)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tcp_timeout": 0}, "tcp_timeout: 0 is not between 1 and 2147483."),
        ({"udp_timeout": 2147484}, "udp_timeout: 2147484 is not between 1 and 2147483."),
        ({"daemons": [{**MASTER, "id": 256}]}, "daemons[0].id: 256 is not between 0 and 255."),
        ({"daemons": [{**MASTER, "port": 0}]}, "daemons[0].port: 0 is not between 1 and 65535."),
        ({"daemons": [{**MASTER, "ttl": 0}]}, "daemons[0].ttl: 0 is not between 1 and 255."),
        ({"daemons": [{**MASTER, "maxlen": 0}]}, "daemons[0].maxlen: 0 is not between 1 and 65535."),
        ({"daemons": [{**MASTER, "group": "10.0.0.1"}]}, "daemons[0].group: '10.0.0.1' is not a multicast address."),
        (
            {"daemons": [{**MASTER, "interface": "nope0"}]},
            "daemons[0].interface: 'nope0' is not an interface of this host; it has {links}.",
        ),
        (
            {"daemons": [MASTER, {**MASTER, "id": 8}]},
            "daemons[1]: 'sync daemon master on v0 id 8' names the same object as daemons[0].",
        ),
    ],
)
def test_bad_input_is_one_clear_error_and_no_change(host: Namespace, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        host.call("ipvs_config", **options)
    # Kernel modules of tunnels, once loaded, give each namespace some more.
    links = sorted(link["ifname"] for link in host.ip_json("link show"))
    assert str(caught.value) == message.format(links=", ".join(links))
    assert (daemons(host), timeouts(host)) == (set(), [900, 120, 300])


CONFIGS = st.fixed_dictionaries(
    {
        "tcp_timeout": st.sampled_from([900, 8]),
        "udp_timeout": st.sampled_from([300, 9]),
        "daemons": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(["master", "backup"]), "interface": st.just("v0"), "id": st.integers(0, 3)},
                optional={"ttl": st.just(5), "group": st.just("224.0.0.90")},
            ),
            max_size=2,
            unique_by=lambda daemon: daemon["role"],
        ),
    }
)


def test_one_run_converges(host: Namespace) -> None:
    # Each start and stop of a daemon's thread takes a while.
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(CONFIGS, CONFIGS)
    def converges(start: dict[str, Any], wanted: dict[str, Any]) -> None:
        host.call("ipvs_config", daemons=[])
        host.call("ipvs_config", **start)
        assert daemons(host) == {shown(daemon) for daemon in start["daemons"]}
        before = daemons(host), timeouts(host)
        predicted = host.call("ipvs_config", check=True, **wanted)
        assert (daemons(host), timeouts(host)) == before
        assert host.call("ipvs_config", **wanted) == predicted
        assert predicted["changed"] == ((daemons(host), timeouts(host)) != before)
        held = {daemon["role"]: daemon for daemon in start["daemons"]}
        # What is not asked for of a daemon that runs stays.
        whole = [{**held.get(daemon["role"], {}), **daemon} for daemon in wanted["daemons"]]
        assert daemons(host) == {shown(daemon) for daemon in whole}
        assert timeouts(host) == [wanted["tcp_timeout"], 120, wanted["udp_timeout"]]
        # What is left to the kernel of a daemon that starts is not told.
        told = "timeouts tcp {} tcp_fin {} udp {}".format(*timeouts(host))
        names = sorted(f"sync daemon {one['role']} on {one['interface']} id {one['id']}" for one in whole)
        lines = sorted(predicted["diff"]["after"].splitlines())
        assert [line.partition(" group")[0].partition(" ttl")[0] for line in lines[:-1]] == names
        assert lines[-1] == told
        assert not host.call("ipvs_config", **wanted)["changed"]

    converges()
