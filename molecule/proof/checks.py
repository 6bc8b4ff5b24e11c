"""The proofs. Each gives sentences with the figures that they rest on, and whether they hold."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from lab.topology import HOSTS
from proof.guests import declared, record_folder, run, script

_REQUESTS = 200
_PINGS = 5
_MOST_MODULES, _MOST_MODULES_UNCHANGED = 20, 15
# Actions that run on the controller alone, and those that run more than one module on the host.
_ON_CONTROLLER = (
    "assert",
    "debug",
    "include_role",
    "include_tasks",
    "import_role",
    "import_tasks",
    "meta",
    "set_fact",
    "validate_argument_spec",
)
_MODULES = {"package": 2, "copy": 3}

T = TypeVar("T")


class Proof(NamedTuple):
    """One sentence, and whether it is true."""

    holds: bool
    sentence: str


def endpoints() -> list[str]:
    """The URL of each VIP and port of the first service."""
    service = declared()[0]
    ports = [port.partition("/")[2] for port in service["ports"]]
    return [f"http://{f'[{vip}]' if ':' in vip else vip}:{port}/" for vip in service["vips"] for port in ports]


def requests() -> Iterator[Proof]:
    """Every request is answered, shared as round robin says, with the packet's addresses kept."""
    urls = endpoints()
    answers = script("client", "client", [str(_REQUESTS // len(urls)), *urls])
    good = [answer for answer in answers if "seen" in answer]
    yield from _table(answers)
    reasons = Counter(answer["error"] for answer in answers if "error" in answer)
    yield Proof(
        len(good) == _REQUESTS == len(answers),
        f"{len(good)} of {len(answers)} requests were answered{f': {dict(reasons)}' if reasons else ''}.",
    )
    for family in (4, 6):
        shares = Counter(a["seen"]["server"] for a in good if ipaddress.ip_address(a["asked"]["vip"]).version == family)
        even = len(shares) == 2 and max(shares.values()) - min(shares.values()) <= 1
        yield Proof(even, f"Round robin shared the IPv{family} requests: {_counts(shares)}.")
    kept = [a for a in good if a["seen"]["client"] == a["own"] and a["seen"]["vip"] == a["asked"]["vip"]]
    yield Proof(
        len(kept) == len(answers),
        f"In {len(kept)} of {len(answers)} requests the realserver saw the client's own address as source "
        "and the VIP as destination.",
    )


def no_vip() -> Iterator[Proof]:
    """The director has none of the VIPs as an address."""
    links = json.loads(run("director1", "ip -j address show"))
    own = {address["local"] for link in links for address in link["addr_info"]}
    both = sorted(own & set(declared()[0]["vips"]))
    yield Proof(not both, f"director1 has no VIP among its addresses ({', '.join(both or sorted(own))}).")


def silence() -> Iterator[Proof]:
    """Nobody on the realservers' link says that it has a VIP; the same question for a real address is answered."""
    asker, target = HOSTS["router"].interfaces[1], HOSTS["director1"].interfaces[0]
    vips = declared()[0]["vips"]
    heard = script("router", "neighbour", [asker.name, asker.ipv4, asker.ipv6, *vips, target.ipv4, target.ipv6])
    loud = sorted(vip for vip in vips if heard[vip])
    yield Proof(not loud, f"Nobody answered ARP or neighbour discovery for {', '.join(loud or vips)}.")
    yield Proof(
        len(heard[target.ipv4]) == 1 == len(heard[target.ipv6]),
        f"The same questions for director1's own {target.ipv4} and {target.ipv6} were answered.",
    )


def no_bounce() -> Iterator[Proof]:
    """Packets for a VIP that no service takes are not sent back and forth between router and director."""
    switch = run("director1", "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding").split()
    yield Proof(switch == ["1", "1"], "director1 forwards packets in both families, so it could bounce them.")
    vips = declared()[0]["vips"]
    for vip in (_first(v for v in vips if ":" not in v), _first(v for v in vips if ":" in v)):
        before = _forwarded()
        run("client", f"ping -c {_PINGS} -i 0.2 -W 1 {vip} || test $? = 1")
        bounced = _forwarded() - before
        yield Proof(
            bounced == 0, f"{_PINGS} pings to {vip}, which no service takes, made it forward {bounced} packets."
        )


def prediction() -> Iterator[Proof]:
    """Check mode told what the real run then did, and did nothing itself."""
    runs = [json.loads(path.read_text()) for path in sorted(record_folder().glob("*.json"))]
    converges = [one for one in runs if one["playbook"] == "converge.yml"]
    place = _first(place for place, one in enumerate(converges) if not one["check"])
    done = _steps(converges[place])
    predicted = _steps(converges[place - 1]) if place and converges[place - 1]["check"] else set()
    different = sorted({f"{host}: {task}" for host, task, _what in predicted ^ done})
    yield Proof(
        bool(done) and not different,
        f"Check mode on the bare hosts predicted all {len(done)} changes of the real run"
        f"{'' if not different else ', except ' + '; '.join(different)}.",
    )
    bare, checked = (json.loads((record_folder() / f"{name}.state").read_text()) for name in ("bare", "checked"))
    touched = sorted(host for host in bare if bare[host] != checked[host])
    yield Proof(not touched, f"Check mode changed nothing on any host{': ' + ', '.join(touched) if touched else ''}.")


def cost() -> Iterator[Proof]:
    """How many modules a run executes on a host."""
    runs = [json.loads(path.read_text()) for path in sorted(record_folder().glob("*.json"))]
    real = [one for one in runs if one["playbook"] == "converge.yml" and not one["check"]]
    for most, what, one in zip(
        (_MOST_MODULES, _MOST_MODULES_UNCHANGED), ("The first run", "A run that changes nothing"), real[:2], strict=True
    ):
        executed: Counter[str] = Counter()
        for entry in one["tasks"]:
            action = entry["action"].rpartition(".")[2]
            if action not in _ON_CONTROLLER:
                executed[entry["host"]] += _MODULES.get(action, 1)
        sums = ", ".join(f"{host} {count}" for host, count in sorted(executed.items()))
        yield Proof(max(executed.values()) <= most, f"{what} executed these modules ({most} at most): {sums}.")


def reboot() -> Iterator[Proof]:
    """After a reboot nothing is left for Ansible to do."""
    runs = [json.loads(path.read_text()) for path in sorted(record_folder().glob("*.json"))]
    rebooted = [place for place, one in enumerate(runs) if one["playbook"] == "side_effect.yml"]
    if not rebooted:
        return
    after = _first(one for one in runs[rebooted[-1] :] if one["playbook"] == "converge.yml")
    changed = sorted(f"{host}: {task}" for host, task, _what in _steps(after))
    yield Proof(
        after["check"] and not changed,
        f"After the reboot, check mode found nothing to change{': ' + '; '.join(changed) if changed else ''}.",
    )


def _first(found: Iterable[T]) -> T:
    """next() in a generator is what ansible-test's pylint takes for its end."""
    return next(iter(found))


def _steps(one: dict[str, Any]) -> set[tuple[str, str, str]]:
    """The changes of a run: host, task, and what changed as far as the module says it in lines."""
    return {(entry["host"], entry["task"], json.dumps(entry["changes"])) for entry in one["tasks"] if entry["changed"]}


def _forwarded() -> int:
    """Packets that director1 has forwarded, in both families (SNMP ipForwDatagrams, ipv6IfStatsOutForwDatagrams)."""
    ipv4 = [line.split() for line in run("director1", "grep ^Ip: /proc/net/snmp").splitlines()]
    ipv6 = run("director1", "grep Ip6OutForwDatagrams /proc/net/snmp6").split()
    return int(dict(zip(*ipv4, strict=True))["ForwDatagrams"]) + int(ipv6[1])


def _table(answers: list[dict[str, Any]]) -> Iterator[Proof]:
    """Who answered what: one line a VIP and port."""
    rows: dict[tuple[str, int], Counter[str]] = {}
    for answer in answers:
        row = rows.setdefault((answer["asked"]["vip"], answer["asked"]["port"]), Counter())
        row[answer["seen"]["server"] if "seen" in answer else "no answer"] += 1
    for (vip, port), servers in rows.items():
        yield Proof("no answer" not in servers, f"{vip:<16} port {port:<5} {_counts(servers)}")


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} answered {count}" for name, count in sorted(found.items())) or "nobody"


ALL = (requests, no_vip, silence, no_bounce, prediction, cost, reboot)
