"""Every task of every module's EXAMPLES, in check mode: it ends well, and returns what RETURN tells of."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import environment
from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from namespace import Namespace, require_root
from role_play import ansible_playbook, state

MODULES = {path.stem: path for path in sorted(environment.CHECKOUT.glob("plugins/modules/*.py"))}
# What these modules say where the machine of the tests lacks what no network namespace can give. Virtual machines run
# them (tests/kernel/ipvs).
ELSEWHERE = {
    "boot_unit": "is not run by systemd",
    "ipvs_config": "has no ip_vs",
    "ipvs_module": "has no ip_vs|directory /etc/modprobe.d does not exist",
    "ipvs_service": "has no ip_vs",
    "undo_timer": "is not run by systemd",
}
# What Ansible adds to each result.
OF_ANSIBLE = {"ansible_facts", "changed", "diff", "failed", "invocation", "warnings"}
LINKS = ("eth0", "eth1", "eth2", "eth9")
# What a host of the examples has: the addresses are those of a director, of a realserver and of a router at once.
HOST = (
    "link set lo up",
    *(f"link add {name} type veth peer name {name}-far" for name in LINKS),
    # A link-local address would come a second later, when its detection of duplicates ends.
    *(f"link set {name}{end} addrgenmode none up" for name in LINKS for end in ("", "-far")),
    "address add 10.0.0.2/24 dev eth0",
    "address add 2001:db8:a::2/64 dev eth0 nodad",
    "address add 10.0.0.1/24 dev eth1",
    "address add 10.0.0.11/24 dev eth1",
    "address add 10.0.0.21/24 dev eth1",
    "address add 2001:db8:a::1/64 dev eth1 nodad",
    "address add 10.1.0.2/24 dev eth2",
    "route add default via 10.0.0.254 dev eth0",
    "route add default via 2001:db8:a::fe dev eth0",
)


class Ran(NamedTuple):
    """A task of an example, and what came of it."""

    task: dict[str, Any]
    result: dict[str, Any]


def document(module: str, name: str) -> Any:
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def action(task: dict[str, Any]) -> str:
    return next(key for key in task if "." in key)


def is_plain(task: dict[str, Any]) -> bool:
    """Whether it is a module of this collection, with options that stand there."""
    return action(task).startswith("lvs.vipless.") and "{{" not in str(task)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    """What became of the examples: plain ones run in this process, as a second apiece is long; all others in a play."""
    require_root()
    examples = {module: document(module, "EXAMPLES") for module in MODULES}
    with Namespace() as netns:
        netns.ip("link delete v0")
        netns.batch(*HOST)
        before = state(netns)
        results = {
            module: [tried(netns, task) if is_plain(task) else {} for task in examples[module]] for module in MODULES
        }
        played = play(netns, tmp_path_factory.mktemp("examples"), examples, results)
        assert state(netns) == before
    return {
        module: [
            Ran(task, result or played[module, task["name"]])
            for task, result in zip(tasks, results[module], strict=True)
        ]
        for module, tasks in examples.items()
    }


def tried(netns: Namespace, task: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"failed": False, **netns.call(action(task).rpartition(".")[2], check=True, **task[action(task)] or {})}
    except LvsError as error:
        return {"failed": True, "msg": str(error)}


def play(
    netns: Namespace, folder: Path, examples: dict[str, list[dict[str, Any]]], results: dict[str, list[dict[str, Any]]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Run what is not plain, with what the plain ones returned under the names that they register."""
    tasks, known = [], []
    for module in MODULES:
        pairs = list(zip(examples[module], results[module], strict=True))
        found = {task["register"]: result for task, result in pairs if "register" in task and result}
        for task in (task for task, result in pairs if not result):
            register = f"returned_{len(known)}"
            tasks.append({**task, "register": register, "ignore_errors": True, "vars": found})
            known.append((module, task["name"]))
    told = folder / "told.json"
    content = {"content": f"{{{{ [{', '.join(f'returned_{place}' for place in range(len(known)))}] | to_json }}}}"}
    tasks.append({"ansible.builtin.copy": {**content, "dest": str(told)}, "check_mode": False, "diff": False})
    book = folder / "play.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = ansible_playbook(
        *("--check", "--connection", "local", "--inventory", "localhost,director2"),
        *("--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable}), str(book)),
        before=["ip", "netns", "exec", netns.name],
        ANSIBLE_PIPELINING="1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(known, json.loads(told.read_text()), strict=True))


@pytest.mark.parametrize("module", MODULES)
def test_examples_end_well(ran: dict[str, list[Ran]], module: str) -> None:
    lacking = re.compile(ELSEWHERE.get(module, "nothing is lacking"))
    stopped = False
    for task, result in ran[module]:
        if result.get("failed") and action(task) == "ansible.builtin.assert":
            # It found that something is wrong, and says so in a sentence.
            assert "assertion" in result, (task["name"], result["msg"])
            assert isinstance(result["msg"], str), (task["name"], result["msg"])
        elif result.get("failed"):
            # What registers nothing leaves nothing to those that come after it.
            assert lacking.search(result["msg"]) or (stopped and not is_plain(task)), (task["name"], result["msg"])
            stopped = True


@pytest.mark.parametrize("module", MODULES)
def test_what_is_returned_is_documented(ran: dict[str, list[Ran]], module: str) -> None:
    documented = document(module, "RETURN")
    own = [result for task, result in ran[module] if action(task) == f"lvs.vipless.{module}" and not result["failed"]]
    for result in own:
        assert not list(untrue(documented, {k: v for k, v in result.items() if k in documented or k not in OF_ANSIBLE}))


def untrue(documented: dict[str, Any], returned: dict[str, Any], within: str = "") -> Iterator[str]:
    """Yield what comes and is not documented, and what is said always to come and does not."""
    yield from (f"{within}{name} is not documented" for name in returned.keys() - documented.keys())
    for name, value in documented.items():
        if name not in returned:
            if value["returned"] in {"always", "success"}:
                yield f"{within}{name} does not come"
        elif "contains" in value:
            for part in returned[name] if value["type"] == "list" else [returned[name]]:
                yield from untrue(value["contains"], part, f"{within}{name}.")
