"""Rules and local routes against ip(8)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._kernel.routes import RouteTables
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.rules import RuleList
from ansible_collections.lvs.vipless.plugins.module_utils._kernel.session import Session
from ansible_collections.lvs.vipless.plugins.module_utils._model.route import LOCAL, Route
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import Rule
from ansible_collections.lvs.vipless.plugins.module_utils._model.values import IPV4, IPV6, OWN_PROTOCOL
from ansible_collections.lvs.vipless.plugins.module_utils._plan import Desired, make_plan
from measure import Contest
from namespace import Namespace
from objects import vip

TABLE = 100
PRIORITY = 100
NAMES = {IPV4: "IPv4", IPV6: "IPv6"}


@contextmanager
def contests(count: int, folder: Path) -> Iterator[list[Contest]]:
    """Adding and listing so many of each kind and family, in a namespace of their own."""
    with ExitStack() as stack:
        netns = stack.enter_context(Namespace())
        stack.enter_context(netns.entered())
        session = stack.enter_context(Session())
        yield [
            contest
            for kind in (_routes, _rules)
            for family in (IPV4, IPV6)
            for contest in kind(session, family, count, folder)
        ]


def _routes(session: Session, family: int, count: int, folder: Path) -> Iterator[Contest]:
    # An IPv6 route without a metric gets this one from the kernel.
    metric = 1024 if family == IPV6 else 0
    routes = [Route(family, vip(family, place), TABLE, metric, LOCAL, "lo", OWN_PROTOCOL) for place in range(count)]
    lines = [f"route add local {route.prefix} dev lo table {TABLE} protocol {OWN_PROTOCOL}" for route in routes]
    batch = _file(folder / f"routes{family}", lines)
    tables = RouteTables(session, {(family, TABLE)}, {OWN_PROTOCOL})

    def flush() -> None:
        _ip(family, "route", "flush", "table", str(TABLE))

    plan = make_plan([], Desired(routes))
    name = f"{count:,} local routes, {NAMES[family]}"
    yield Contest(
        f"{name}: add",
        "ip -batch",
        1.0,
        flush,
        lambda: _ip(family, "-batch", batch),
        lambda: tables.apply(plan),
    )
    yield Contest(
        f"{name}: list",
        "ip route show",
        2.0,
        _require(lambda: len(tables.read()), count),
        lambda: _ip(family, "route", "show", "table", str(TABLE)),
        tables.read,
    )


def _rules(session: Session, family: int, count: int, folder: Path) -> Iterator[Contest]:
    rules = [
        Rule(family, PRIORITY, OWN_PROTOCOL, destination=vip(family, place), table=TABLE) for place in range(count)
    ]
    lines = [
        f"rule add priority {PRIORITY} to {rule.destination} table {TABLE} protocol {OWN_PROTOCOL}" for rule in rules
    ]
    batch = _file(folder / f"rules{family}", lines)

    listed = RuleList(session, {family}, {OWN_PROTOCOL})

    def held() -> int:
        return sum(rule.protocol == OWN_PROTOCOL for rule in listed.read())

    def flush() -> None:
        # ip(8) deletes while it lists, and the list then misses some.
        while held():
            _ip(family, "rule", "flush", "protocol", str(OWN_PROTOCOL))
        # An IPv6 rule costs more with each IPv6 route that is there.
        _ip(family, "route", "flush", "table", str(TABLE))

    plan = make_plan([], Desired(rules))
    name = f"{count:,} rules, {NAMES[family]}"
    yield Contest(
        f"{name}: add",
        "ip -batch",
        1.1,
        flush,
        lambda: _ip(family, "-batch", batch),
        lambda: RuleList(session, {family}, {OWN_PROTOCOL}).apply(plan),
    )
    yield Contest(
        f"{name}: list",
        "ip rule show",
        2.0,
        _require(held, count),
        lambda: _ip(family, "rule", "show"),
        listed.read,
    )


def _require(held: Callable[[], int], count: int) -> Callable[[], None]:
    """A check that what came before left that many: a list of nothing is quick."""

    def check() -> None:
        found = held()
        if found != count:
            raise RuntimeError(f"{found} objects instead of {count}")

    return check


def _ip(family: int, *arguments: str) -> None:
    command: list[Any] = ["ip", "-6" if family == IPV6 else "-4", *arguments]
    # Flushing what is not there is an error of ip(8).
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check="flush" not in arguments)


def _file(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)
