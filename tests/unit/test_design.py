"""The rules of the design that a program can check, over whatever files there are."""

from __future__ import annotations

import ast
import importlib
import io
import os
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from environment import CHECKOUT

PLUGINS = CHECKOUT / "plugins"
UTILITIES = PLUGINS / "module_utils"
KERNEL = UTILITIES / "_kernel"
MODULES = sorted((PLUGINS / "modules").glob("*.py"))
SOURCES = sorted(PLUGINS.rglob("*.py"))
ROLES = sorted(path.parents[1] for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml"))

DOCUMENTS = ("DOCUMENTATION", "EXAMPLES", "RETURN")
MODULE_LINES, UTILITY_LINES, FUNCTION_LINES = 60, 300, 40

PACKAGE = "ansible_collections.lvs.vipless.plugins"
# Only _kernel speaks to the kernel and to programs; what is pure has no way to the outside at all.
KERNEL_IMPORTS = {"ctypes", "fcntl", "pyroute2", "socket", "subprocess"}
OUTSIDE_IMPORTS = KERNEL_IMPORTS | {"glob", "io", "logging", "os", "pathlib", "shutil", "sys", "tempfile"}
PURE = sorted([*UTILITIES.glob("_model/**/*.py"), UTILITIES / "_plan.py", UTILITIES / "_safety.py"])
# Each layer, and the layers above it, which it must not know.
ABOVE = {
    "module_utils._model": ("module_utils._kernel", "module_utils._engine", "modules"),
    "module_utils._plan": ("module_utils._kernel", "module_utils._engine", "modules"),
    "module_utils._safety": ("module_utils._kernel", "module_utils._engine", "modules"),
    "module_utils._kernel": ("module_utils._engine", "modules"),
    "module_utils._engine": ("modules",),
}

# Written so that the pattern does not find itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b")
TEXT = {"", ".cfg", ".j2", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def each(*paths: Path) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def code_lines(path: Path) -> set[int]:
    """Return the numbers of the lines that hold code: not blank, no comment alone, no documentation."""
    noise = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    code = {line for t in tokens if t.type not in noise for line in range(t.start[0], t.end[0] + 1)}
    for node in documentation(tree_of(path)):
        code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return code


def documentation(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield docstrings and the assignments that Ansible reads as documentation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node) is not None:
            yield node.body[0]
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(ast.unparse(t) in DOCUMENTS for t in statement.targets):
            yield statement


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imported(path: Path) -> set[str]:
    """Return the full names of all that a file imports."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def documents_of(module: Path) -> dict[str, Any]:
    """Return a module's DOCUMENTATION with its fragments, EXAMPLES and RETURN, parsed."""
    values = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in tree_of(module).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTS
    }
    documents = {name: yaml.safe_load(text) for name, text in values.items()}
    for name in documents["DOCUMENTATION"]["extends_documentation_fragment"]:
        for part, given in fragment(name).items():
            if part in {"options", "attributes"}:
                own = documents["DOCUMENTATION"].setdefault(part, {})
                own |= {key: value | own.get(key, {}) for key, value in given.items()}
    return documents


def fragment(name: str) -> dict[str, Any]:
    """Return what lvs.vipless.FILE or lvs.vipless.FILE.PART adds, as Ansible finds it."""
    _namespace, _name, file, *part = name.split(".")
    documentation = importlib.import_module(f"{PACKAGE}.doc_fragments.{file}").ModuleDocFragment
    found: dict[str, Any] = yaml.safe_load(getattr(documentation, (part or ["documentation"])[0].upper()))
    return found


def own_files() -> Iterator[Path]:
    """Yield the project's text files, without what tools leave in a working tree and without the licence."""
    for directory, below, names in os.walk(CHECKOUT):
        below[:] = [name for name in below if name in {".ci", ".github"} or not name.startswith((".", "__"))]
        paths = (Path(directory) / name for name in names)
        yield from (path for path in paths if path.suffix in TEXT and path.name != "LICENSE")


@each(*MODULES)
def test_module_is_documentation_a_spec_and_a_call(path: Path) -> None:
    assert len(code_lines(path)) <= MODULE_LINES


@each(*sorted(UTILITIES.rglob("*.py")))
def test_utility_is_short_and_private(path: Path) -> None:
    assert len(code_lines(path)) <= UTILITY_LINES
    assert path.relative_to(UTILITIES).parts[0].startswith("_")


@each(*SOURCES)
def test_functions_are_short_and_typed(path: Path) -> None:
    code = code_lines(path)
    for function in functions(tree_of(path)):
        lines = code & set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
        assert len(lines) <= FUNCTION_LINES, f"{function.name} has {len(lines)} lines"
        given = function.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
        untyped = [a.arg for a in named if a.annotation is None and a.arg not in {"self", "cls"}]
        assert not untyped, f"{function.name} takes {untyped} without a type"
        assert function.returns is not None, f"{function.name} returns no type"


@each(*SOURCES)
def test_licence_stands_in_every_file_with_code(path: Path) -> None:
    text = path.read_text()
    # REUSE-IgnoreStart
    assert not text or "# SPDX-License-Identifier: GPL-3.0-or-later\n" in text
    # REUSE-IgnoreEnd


@each(*(path for path in SOURCES if not path.is_relative_to(KERNEL)))
def test_only_kernel_package_reaches_the_kernel(path: Path) -> None:
    reached = roots(imported(path)) & KERNEL_IMPORTS
    assert not reached
    tree = tree_of(path)
    told = {id(constant) for statement in documentation(tree) for constant in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            assert not re.match(r"/(proc|sys)\b", node.value), f"line {node.lineno} names a file of the kernel"
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "open", f"line {node.lineno} opens a file"


@each(*PURE)
def test_pure_code_has_no_way_out(path: Path) -> None:
    ways_out = roots(imported(path)) & OUTSIDE_IMPORTS
    assert not ways_out


@each(*SOURCES)
def test_imports_point_downwards(path: Path) -> None:
    own = ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
    for layer, above in ABOVE.items():
        if is_within(own, layer):
            upward = [n for n in imported(path) for a in above if is_within(n, f"{PACKAGE}.{a}")]
            assert not upward


# The main() of all modules, and the class that tells its own failures in a better way.
ENDING = {"_module.py": ("carry_out",), "basic.py": ("Module",)}


@each(*SOURCES)
def test_only_main_ends_a_module(path: Path) -> None:
    tree = tree_of(path)
    main = [node for node in ast.walk(tree) if getattr(node, "name", "") in ENDING.get(path.name, ())]
    allowed = {id(node) for one in main for node in ast.walk(one)}
    ends = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"exit_json", "fail_json"} and id(node) not in allowed
    ]
    assert not ends


EXPRESSIONS = {"when", "that", "until", "changed_when", "failed_when"}


def templates_of(found: object, *, bare: bool = False) -> Iterator[str]:
    """Every text of a file of tasks or variables, as a template; ``bare`` where it is an expression without braces."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from templates_of(value, bare=key in EXPRESSIONS)
    elif isinstance(found, list):
        for value in found:
            yield from templates_of(value, bare=bare)
    elif isinstance(found, str):
        yield f"{{{{ ({found}) or none }}}}" if bare else found


def unconverted(template: str, names: set[str]) -> list[str]:
    """Those of the names that an expression asks or passes on. Alone they go to a module, which converts them."""
    tree = jinja2.Environment(autoescape=True).parse(template)
    fine = {id(one.node) for one in tree.find_all(jinja2.nodes.Filter) if one.name == "bool"}
    fine |= {id(child) for output in tree.find_all(jinja2.nodes.Output) for child in output.nodes}
    return [one.name for one in tree.find_all(jinja2.nodes.Name) if one.name in names and id(one) not in fine]


@each(*ROLES)
def test_texts_for_booleans_are_taken_as_meant(path: Path) -> None:
    """`-e name=false` gives a text, which Jinja holds to be true."""
    entries = load(path / "meta" / "argument_specs.yml")["argument_specs"].values()
    names = {n for entry in entries for n, option in entry["options"].items() if option.get("type") == "bool"}
    for file in [one for folder in ("tasks", "vars", "templates") for one in sorted((path / folder).glob("*"))]:
        texts = [file.read_text()] if file.suffix == ".j2" else templates_of(load(file))
        assert not [name for text in texts for name in unconverted(text, names)], file.name


def test_action_group_holds_every_module() -> None:
    groups = load(CHECKOUT / "meta" / "runtime.yml")["action_groups"]
    assert sorted(groups["lvs"]) == [path.stem for path in MODULES]


@each(*MODULES)
def test_module_says_what_it_promises(path: Path) -> None:
    documents = documents_of(path)
    described = documents["DOCUMENTATION"]
    assert described["module"] == path.stem
    for promise in ("action_group", "check_mode", "diff_mode", "idempotent", "platform"):
        assert described["attributes"][promise]["support"] in {"full", "partial", "none", "N/A"}
        assert described["attributes"][promise]["description"]
    assert any(f"lvs.vipless.{path.stem}" in task for task in documents["EXAMPLES"])
    assert documents["RETURN"]


@each(*MODULES)
def test_every_value_says_when_it_comes(path: Path) -> None:
    def silent(values: dict[str, Any], within: str) -> Iterator[str]:
        for name, value in values.items():
            if not value.get("returned"):
                yield within + name
            yield from silent(value.get("contains", {}), f"{within}{name}.")

    assert not list(silent(documents_of(path)["RETURN"], ""))


@each(*MODULES)
def test_options_are_explained_once(path: Path) -> None:
    """What several modules take in the same words comes from a fragment."""
    spec = importlib.import_module(f"{PACKAGE}.modules.{path.stem}").SPEC.options
    fragments = documents_of(path)["DOCUMENTATION"]["extends_documentation_fragment"]
    wanted = {
        "one_or_many": {"state", "purge", "file"} <= set(spec),
        "file": {"state", "purge", "file"} <= set(spec),
        "owner": "purge_protocol" in spec,
    }
    assert {name for name, there in wanted.items() if there} == {name.split(".")[2] for name in fragments} - {
        "attributes"
    }


@each(*MODULES)
def test_documentation_is_that_of_the_specification(path: Path) -> None:
    spec = importlib.import_module(f"{PACKAGE}.modules.{path.stem}").SPEC.options
    told = documents_of(path)["DOCUMENTATION"]["options"]
    assert {name: shape(option) for name, option in told.items()} == {n: shape(option) for n, option in spec.items()}


def shape(option: Mapping[str, Any]) -> list[Any]:
    """What documentation and specification both say of an option."""
    told = [option.get(key) for key in ("type", "elements", "default")]
    return [*told, bool(option.get("required")), sorted(option.get("choices", ()))]


@each(*MODULES)
def test_module_is_tested(path: Path) -> None:
    tests = [test for kind in ("unit", "kernel") for test in (CHECKOUT / "tests" / kind).rglob("test_*.py")]
    pattern = re.compile(rf"\b{path.stem}\b")
    assert [test.name for test in tests if test != Path(__file__) and pattern.search(test.read_text())]


@each(*MODULES)
def test_every_option_has_an_example_and_a_test(path: Path) -> None:
    documents = documents_of(path)
    options = set(option_names(documents["DOCUMENTATION"]["options"]))
    tasks = [task[name] for task in documents["EXAMPLES"] for name in task if name == f"lvs.vipless.{path.stem}"]
    assert not options - set(keys_of(tasks)), "these are in no example"
    tests = [test.read_text() for test in (CHECKOUT / "tests" / "kernel").rglob("test_*.py")]
    mentioning = [ast.parse(text) for text in tests if re.search(rf"\b{path.stem}\b", text)]
    assert not options - {name for tree in mentioning for name in given_names(tree)}, "these are in no test"


@each(*MODULES)
def test_examples_are_taken(path: Path) -> None:
    spec = importlib.import_module(f"{PACKAGE}.modules.{path.stem}").SPEC.to_kwargs()
    spec.pop("supports_check_mode")
    for task in documents_of(path)["EXAMPLES"]:
        options = task.get(f"lvs.vipless.{path.stem}")
        # What is filled in as the task runs is not known here.
        if options and "{{" not in str(options):
            assert ModuleArgumentSpecValidator(**spec).validate(options).error_messages == [], task["name"]


def option_names(options: dict[str, Any]) -> Iterator[str]:
    """Yield the names of a module's options and of those within them."""
    for name, option in options.items():
        yield name
        yield from option_names(option.get("suboptions", {}))


def keys_of(value: Any) -> Iterator[str]:
    """Yield every key in a task's options."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    yield from value if isinstance(value, dict) else ()
    for part in parts:
        yield from keys_of(part)


def given_names(tree: ast.Module) -> Iterator[str]:
    """Yield what a test hands over by name: texts and arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


@each(*ROLES)
def test_role_defaults_are_those_of_its_specification(path: Path) -> None:
    entry_points = load(path / "meta" / "argument_specs.yml")["argument_specs"].values()
    options = {name: option for entry in entry_points for name, option in entry.get("options", {}).items()}
    defaults = load(path / "defaults" / "main.yml") or {}
    specified = {name: option["default"] for name, option in options.items() if "default" in option}
    # As text, since True equals 1.
    assert yaml.safe_dump(defaults) == yaml.safe_dump(specified)
    # Any other variable would reach into another role's, or be one that nobody can read about.
    assert not [name for name in options if not name.startswith(f"{path.name}_")]


@each(*ROLES)
def test_entry_points_have_a_version_and_lead_on(path: Path) -> None:
    for name, entry in load(path / "meta" / "argument_specs.yml")["argument_specs"].items():
        assert entry["version_added"], name
        assert entry["seealso"], name
        # ansible-core ended attributes of roles with 2.20: what they would say stands in the description.
        assert "attributes" not in entry, name
        assert re.search("[Cc]hange(s|d) nothing", " ".join(entry["description"])), name


@each(*ROLES)
def test_values_are_marked_as_values(path: Path) -> None:
    text = (path / "meta" / "argument_specs.yml").read_text()
    entry_points = yaml.safe_load(text)["argument_specs"].values()
    values = {choice for entry in entry_points for choice in choices_of(entry["options"])} | {"true", "false"}
    assert not set(re.findall(r"C\(([^()]*)\)", text)) & values


def choices_of(options: dict[str, Any]) -> Iterator[str]:
    for option in options.values():
        yield from map(str, option.get("choices", ()))
        yield from choices_of(option.get("options", {}))


def test_sanity_ignores_have_reasons() -> None:
    for path in CHECKOUT.glob("tests/sanity/ignore-*.txt"):
        assert not [line for line in path.read_text().splitlines() if not re.search(r"\S+ \S+.* # \S+", line)]


def test_nothing_is_left_unfinished() -> None:
    for path in own_files():
        found = UNFINISHED.search(path.read_text(errors="replace"))
        assert not found, f"{name_of(path)} says {found.group()}"


def test_roles_take_the_same_declaration() -> None:
    declarations = {}
    for path in ROLES:
        options = load(path / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
        # A transparent proxy balances nothing.
        if path.name != "transparent_proxy":
            declarations[path.name] = _without_descriptions(options[f"{path.name}_services"]["options"])
    assert len(declarations) > 1
    first = next(iter(declarations.values()))
    assert all(declaration == first for declaration in declarations.values()), declarations


def _without_descriptions(options: dict[str, Any]) -> dict[str, Any]:
    """The options and their suboptions, but for what each role says of them."""
    return {
        name: {
            key: _without_descriptions(value) if key == "options" else value
            for key, value in option.items()
            if key != "description"
        }
        for name, option in options.items()
    }
