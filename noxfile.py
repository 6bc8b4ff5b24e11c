# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One door to all checks: `nox --list`. What the commands beside it do stands in CONTRIBUTING.md."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["quick"]
nox.options.error_on_missing_interpreters = True

CHECKOUT = Path(__file__).parent
PURE = "plugins/module_utils/_model"
AREAS = (PURE, "plugins/module_utils/_kernel", "plugins/modules", "plugins/filter")
# What changes nothing that a test could see: decorators of properties and tuples, whole numbers by identity.
SILENT = ("core/RemoveDecorator", "core/ReplaceComparisonOperator_.*_Is(Not)?$")
MUTATION = """
[cosmic-ray]
module-path = [{paths}]
timeout = 120.0
excluded-modules = []
test-command = "python -m pytest -x -q -p no:cacheprovider --ignore=tests/unit/test_design.py tests/unit"
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = [{operators}]
"""


@nox.session(python=False)
def quick(session: nox.Session) -> None:
    """What can be proven in minutes without a virtual machine."""
    session.run("tests/run", "--quick", *session.posargs)


@nox.session(python=False)
def everything(session: nox.Session) -> None:
    """All tests, on virtual machines too."""
    session.run("tests/run", *session.posargs)


@nox.session(python=False)
def matrix(session: nox.Session) -> None:
    """What may differ by the release of ansible-core, on each that is claimed, or on those that are named."""
    session.run("tests/matrix", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The lines that the tests without virtual machines reach, by area. Nothing has to be reached."""
    session.install("coverage")
    session.run("tests/run", "--quick", "--cov=plugins", "--cov-report=", *session.posargs, external=True)
    for area in AREAS:
        # 1 where the chosen tests reach none of an area.
        session.log(f"{area}:")
        session.run("coverage", "report", f"--include={area}/*", "--format=total", success_codes=[0, 1])


@nox.session
def certification(session: nox.Session) -> None:
    """The linter as partner certification pins it, on the oldest core, over the collection as it is installed."""
    session.install("ansible-core==2.16.*", "ansible-lint==24.12.2", "jmespath")
    place = Path(session.create_tmp()).resolve()
    galaxy = ["ansible-galaxy", "collection"]
    session.run(*galaxy, "build", "--force", "--output-path", str(place), str(CHECKOUT))
    (archive,) = place.glob("*.tar.gz")
    session.run(*galaxy, "install", "--force", "--offline", "--collections-path", str(place), str(archive))
    session.chdir(place / "ansible_collections" / "lvs" / "vipless")
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(place)
    session.run("ansible-lint", "--profile=production", "--exclude=sanity", "--offline")


@nox.session
def mutants(session: nox.Session) -> None:
    """Which changes of pure code no unit test sees: `nox -s mutants -- ownership rule_safety`, or all, in hours."""
    names = session.posargs or sorted(path.stem for path in (CHECKOUT / PURE).glob("[a-z]*.py"))
    requirements = ["ansible-core", "hypothesis", "jmespath", "pyroute2", "pytest", "pytest-timeout", "pyyaml"]
    session.install("cosmic-ray", *requirements)
    copy = Path(session.create_tmp(), "checkout").resolve()
    session.run("git", "clone", "--quiet", str(CHECKOUT), str(copy), external=True)
    session.chdir(copy)
    paths = ", ".join(f'"{PURE}/{name}.py"' for name in names)
    operators = ", ".join(f'"{name}"' for name in SILENT)
    Path("mutation.toml").write_text(MUTATION.format(paths=paths, operators=operators))
    session.run("cosmic-ray", "init", "mutation.toml", "mutation.sqlite")
    session.run("cr-filter-operators", "mutation.sqlite", "mutation.toml")
    session.run("cosmic-ray", "exec", "mutation.toml", "mutation.sqlite", silent=True)
    session.run("cr-report", "--surviving-only", "--show-diff", "mutation.sqlite")
