"""IPVS services from options, the plan that is made of them, and how they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ansible_collections.lvs.vipless.plugins.module_utils._model import ipvs, ipvs_options, ipvs_report
from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs import Destination, Entry, Service, ServiceId
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Plan, make_plan
from ansible_collections.lvs.vipless.plugins.modules import ipvs_info

V4, V6 = 2, 10
MARK = ServiceId(V4, fwmark=0x10001)
WEB = ServiceId(V6, 0, 6, "2001:db8:f::10", 80)
SERVICE_OPTIONS = dict.fromkeys(
    (
        *("fwmark", "family", "vip", "protocol", "port", "persistent", "persistent_netmask"),
        *("flags", "persistence_engine", "destinations"),
    )
)
SERVER_OPTIONS = dict.fromkeys(
    ("upper_threshold", "lower_threshold", "tunnel_type", "tunnel_port", "tunnel_checksum", "port")
)
MODULE_OPTIONS = {
    "state": "present",
    "purge": False,
    "purge_fwmarks": None,
    "purge_later": False,
    "purge_destinations": True,
    "keep_weights": False,
}


def service(**options: Any) -> dict[str, Any]:
    return {**SERVICE_OPTIONS, "scheduler": "wlc", **options}


def server(address: str, **options: Any) -> dict[str, Any]:
    return {**SERVER_OPTIONS, "address": address, "forwarding": "direct", "weight": 1, **options}


def plan(current: list[Entry], *services: dict[str, Any], **options: Any) -> Plan[Entry]:
    entries = [(f"services[{i}].", entry) for i, entry in enumerate(services)]
    desired, in_scope, _surplus = ipvs_options.target({**MODULE_OPTIONS, **options}, entries)
    return make_plan([found for found in current if in_scope(ipvs.service_of(found))], desired)


MARKED = service(fwmark="0x10001", family="ipv4", destinations=[server("10.0.0.11")])
FOUND: list[Entry] = [
    Destination(MARK, "10.0.0.11", 0, ipvs.DIRECT, 9, upper_threshold=5).sound(),
    Destination(MARK, "10.0.0.12", 0, ipvs.DIRECT, 1).sound(),
    Destination(WEB, "2001:db8:a::11", 80, ipvs.DIRECT, 1).sound(),
    Service(MARK, "rr", None, "32", flags=0x8, engine="sip"),
    Service(WEB, "rr", None, "128"),
]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (FOUND[0], "ipv4 fwmark 0x10001 server 10.0.0.11:0 direct weight 9 upper 5"),
        (FOUND[2], "ipv6 tcp [2001:db8:f::10]:80 server [2001:db8:a::11]:80 direct weight 1"),
        (FOUND[3], "ipv4 fwmark 0x10001 scheduler rr flag-1 engine sip"),
        (Service(WEB, "wlc", 300, "64"), "ipv6 tcp [2001:db8:f::10]:80 scheduler wlc persistent 300 netmask 64"),
        (Service(WEB, "wlc", 300, "128"), "ipv6 tcp [2001:db8:f::10]:80 scheduler wlc persistent 300"),
        (Destination(MARK, "::1", 7, 4, 0), "ipv4 fwmark 0x10001 server [::1]:7 bypass weight 0"),
    ],
)
def test_lines(entry: Entry, line: str) -> None:
    assert entry.line == line


SERVICE_EDIT = (
    "change ipv4 fwmark 0x10001 scheduler rr flag-1 engine sip to ipv4 fwmark 0x10001 scheduler wlc flag-1 engine sip"
)
SERVER_EDIT = (
    "change ipv4 fwmark 0x10001 server 10.0.0.11:0 direct weight 9 upper 5 "
    "to ipv4 fwmark 0x10001 server 10.0.0.11:0 direct weight 1 upper 5"
)
SERVER_REMOVAL = f"remove {FOUND[1].line}"


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, [SERVICE_EDIT, SERVER_EDIT, SERVER_REMOVAL]),
        ({"purge_destinations": False}, [SERVICE_EDIT, SERVER_EDIT]),
        ({"keep_weights": True}, [SERVICE_EDIT, SERVER_REMOVAL]),
        (
            {"purge": True},
            [SERVICE_EDIT, SERVER_EDIT, SERVER_REMOVAL, f"remove {FOUND[2].line}", f"remove {FOUND[4].line}"],
        ),
        ({"purge": True, "purge_fwmarks": "0x10000/0x10000"}, [SERVICE_EDIT, SERVER_EDIT, SERVER_REMOVAL]),
        ({"state": "absent"}, [f"remove {FOUND[0].line}", SERVER_REMOVAL, f"remove {FOUND[3].line}"]),
    ],
)
def test_steps(options: dict[str, Any], steps: list[str]) -> None:
    assert [change.line for change in plan(FOUND, MARKED, **options).changes] == steps


def test_an_edit_keeps_what_was_not_asked_for() -> None:
    edits = dict(plan(FOUND, MARKED).edits())
    assert edits[FOUND[3]] == Service(MARK, "wlc", None, "32", flags=0x8, engine="sip")
    assert edits[FOUND[0]] == Destination(MARK, "10.0.0.11", 0, ipvs.DIRECT, 1, upper_threshold=5).sound()


def test_destinations_that_are_not_given_are_left_alone() -> None:
    assert [change.line for change in plan(FOUND, {**MARKED, "destinations": None}).changes] == [SERVICE_EDIT]
    assert len(plan(FOUND, {**MARKED, "destinations": []}).removals()) == 2


@pytest.mark.parametrize(
    ("given", "netmask"),
    [("24", "24"), ("255.255.255.0", "24"), ("255.0.255.0", "255.0.255.0"), ("0.0.0.0", "0"), (None, "32")],
)
def test_netmask_is_a_prefix_length_where_it_can_be(given: str | None, netmask: str) -> None:
    ((_label, entry),) = ipvs_options.parse(service(fwmark="1", family="ipv4", persistent=1, persistent_netmask=given))
    assert entry == Service(ServiceId(V4, fwmark=1), "wlc", 1, netmask)


def test_two_spellings_of_an_address_are_one() -> None:
    (_label, found), (_other, there) = ipvs_options.parse(
        service(vip="2001:DB8:F::0:10", protocol="tcp", port=80, destinations=[server("2001:db8:a:0::11")])
    )
    assert (found.key, there.key) == (WEB, (WEB, "2001:db8:a::11", 80))


def test_report_is_what_the_module_takes_and_the_counters() -> None:
    counted = ipvs_report.Counters({"connections": 3}, active=1, inactive=2)
    listed = ipvs_report.Listed(Service(WEB, "rr", 60, "64"), counted, [(Destination(WEB, "::1", 80, 2, 4), counted)])
    configuration = ipvs_report.configuration(listed)
    assert configuration == {
        "family": "ipv6",
        "vip": "2001:db8:f::10",
        "protocol": "tcp",
        "port": 80,
        "scheduler": "rr",
        "persistent": 60,
        "persistent_netmask": "64",
        "destinations": [{"address": "::1", "port": 80, "forwarding": "tunnel", "weight": 4}],
    }
    report = ipvs_report.report(listed)
    assert report.pop("stats") == {"connections": 3}
    (shown,) = report.pop("destinations")
    (taken,) = configuration.pop("destinations")
    assert report == configuration
    assert shown == taken | {
        "active_connections": 1,
        "inactive_connections": 2,
        "persistent_connections": 0,
        "stats": {"connections": 3},
    }


def test_documentation_of_the_reader_has_each_value() -> None:
    """ipvs_info, of all kinds together: what comes is documented, and what is documented comes."""
    counted = ipvs_report.Counters({"connections": 3})
    tunnel = Destination(WEB, "::1", 80, 2, 4, 9, 7, tunnel_type=1, tunnel_port=6080, tunnel_flags=0)
    plain = Destination(WEB, "::2", 80, 0, 1)
    listed = [
        ipvs_report.Listed(Service(WEB, "mh", 60, "64", ipvs.FLAGS["mh-port"], "sip"), counted, [(tunnel, counted)]),
        ipvs_report.Listed(Service(MARK, "wlc"), counted, [(plain, counted)]),
    ]
    services = [ipvs_report.report(one) for one in listed]
    documented = yaml.safe_load(ipvs_info.RETURN)["services"]["contains"]
    assert not list(untrue(documented, services))
    assert not list(untrue(documented["destinations"]["contains"], [one["destinations"][0] for one in services]))


def untrue(documented: dict[str, Any], returned: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is undocumented, what never comes, and what is said always to come and does not."""
    yield from set().union(*returned) ^ documented.keys()
    yield from (
        name
        for name, value in documented.items()
        for one in returned
        if value["returned"] == "always" and name not in one
    )
