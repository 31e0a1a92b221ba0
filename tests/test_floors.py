"""The floors of the house: imports only go down, and little comes in from outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import conda_s3_sync_plugin

PACKAGE = "conda_s3_sync_plugin"
FOLDER = Path(conda_s3_sync_plugin.__file__).parent

# Module -> floor.  An engine is a module like any other; `engines/` itself is empty.
FLOORS = {
    "__init__": 0,
    "models": 0,
    "exceptions": 0,
    "versions": -1,
    "words": -2,
    "difference": 1,
    "archive": 2,
    "atomic": 1,
    "plan": 3,
    "renaming": 2,
    "merging": 2,
    "safety": 1,
    "location": 1,
    "settings": 1,
    "options": 1,
    "envfile": 2,
    "lockfile": 2,
    "validation": 2,
    "logs": 2,
    "state": 2,
    "s3errors": 2,
    "s3client": 2,
    "bucket": 2,
    "retry": 1,
    "conditional": 2,
    "store": 2,
    "engines": 2,
    "condarc": 1,
    "locking": 1,
    "interruption": 1,
    "engines.packagecache": 2,
    "engines.archive": 2,
    "engines.channels": 2,
    "engines.gateway": 2,
    "engines.history": 2,
    "engines.installation": 2,
    "engines.matchspec": 2,
    "engines.places": 2,
    "engines.rattler": 2,
    "engines.installer": 2,
    "engines.linking": 2,
    "engines.rollback": 2,
    "engines.worker": 2,
    "engines.ladder": 2,
    "engines.leftovers": 2,
    "engines.library": 2,
    "engines.fit": 2,
    "engines.abstract": 2,
    "engines.choice": 2,
    "engines.distributions": 2,
    "engines.extras": 2,
    "engines.pip": 2,
    "engines.failures": 2,
    "engines.fetch": 2,
    "engines.manners": 2,
    "engines.prefix": 2,
    "engines.privacy": 2,
    "engines.solve": 2,
    "engines.transaction": 2,
    "engines.virtual": 2,
    "engines.conda": 2,
    "protocols": 3,
    "roster": 3,
    "observe": 3,
    "status": 3,
    "deadline": 3,
    "download": 3,
    "apply": 3,
    "keeping": 3,
    "pull": 3,
    "pruning": 3,
    "merge": 3,
    "restore": 3,
    "wording": 3,
    "chronicle": 3,
    "looking": 3,
    "agreement": 3,
    "alteration": 3,
    "removal": 3,
    "session": 3,
    "timeline": 3,
    "sync": 3,
    "report": 3,
    "byhand": 3,
    "lockspec": 4,
    "cli": 4,
    "commands": 4,
    "autosync": 4,
    "health": 4,
    "plugin": 5,
    "__main__": 5,
}

S3 = {"boto3", "botocore"}
GUESTS = {
    "envfile": {"yaml"},
    "store": S3,
    "bucket": S3,
    "s3client": S3,
    "s3errors": S3,
    "engines.conda": {"conda"},
    "engines.fetch": {"conda"},
    "engines.manners": {"conda"},
    "engines.transaction": {"conda"},
    "engines.solve": {"conda"},
    "byhand": {"conda", "pluggy"},
    "lockspec": {"conda"},
    "plugin": {"conda", "pluggy"},
    "__main__": {"conda"},
    "condarc": {"yaml"},
    "engines.gateway": {"rattler"},
    "engines.installer": {"rattler"},
    "engines.linking": {"rattler"},
    "engines.matchspec": {"rattler"},
    "engines.rattler": {"rattler"},
    "engines.virtual": {"rattler"},
    "options": {"conda"},
    "report": {"conda"},
    "exceptions": {"conda"},
}

# What a decision may be made of: nothing that reads a clock, a disk or a network.
PURE = {"plan", "safety", "models", "words", "versions", "difference", "location"}
HARMLESS = {"__future__", "collections", "dataclasses", "enum", "re", "typing"}

HEAVY = (*sorted(S3), "yaml")

LONGEST_MODULE = 300
LONGEST_FUNCTION = 60


@dataclass(frozen=True)
class Import:
    """One import: by its full name, and whether it happens while its module loads."""

    target: str
    at_load: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)


MODULES = {module_name(path): path for path in sorted(FOLDER.rglob("*.py"))}


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(name: str) -> list[Import]:
    """Return what a module imports when it runs, late imports included."""
    package = [
        PACKAGE,
        *name.split(".")[: -1 if MODULES[name].stem != "__init__" else None],
    ]
    found: list[Import] = []

    def visit(node: ast.AST, at_load: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            found.extend(
                Import(f"{origin}.{alias.name}", at_load) for alias in node.names
            )
        inner = at_load and not isinstance(node, ast.FunctionDef | ast.Lambda)
        if is_for_types(node):
            children = node.orelse  # type: ignore[attr-defined]
        else:
            children = list(ast.iter_child_nodes(node))
        for child in children:
            visit(child, inner)

    visit(ast.parse(MODULES[name].read_bytes()), at_load=True)
    return found


def imported_modules(name: str) -> set[str]:
    """Return the modules of the package that a module imports, as named in FLOORS."""
    found = set()
    for item in imports(name):
        head, _, rest = item.target.partition(".")
        if head == PACKAGE:
            # `from .plan import plan` is of the module, `from . import plan` is it.
            found.add(
                rest if rest in MODULES else rest.rpartition(".")[0] or "__init__"
            )
    return found


def guests(name: str) -> list[Import]:
    """Return what a module imports of neither the package nor the standard library."""
    family = {PACKAGE, *sys.stdlib_module_names}
    return [item for item in imports(name) if item.target.split(".")[0] not in family]


def test_every_module_has_a_floor() -> None:
    assert set(MODULES) == set(FLOORS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_never_go_up(name: str) -> None:
    higher = {
        target for target in imported_modules(name) if FLOORS[target] > FLOORS[name]
    }
    assert higher == set()


def test_imports_between_modules_are_seen() -> None:
    assert {"location", "models", "exceptions"} <= imported_modules("options")
    assert {"engines.ladder", "engines.fetch"} <= imported_modules("engines.solve")
    assert "engines.prefix" in imported_modules("engines.abstract")
    assert "cli" in imported_modules("plugin")
    assert "commands" in imported_modules("cli")
    assert "sync" in imported_modules("commands")


def test_no_module_imports_itself_in_a_circle() -> None:
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for target in imported_modules(name):
                visit(target, (*way, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("name", MODULES)
def test_only_who_needs_a_library_imports_it(name: str) -> None:
    libraries = {item.target.split(".")[0] for item in guests(name)}
    assert libraries <= GUESTS.get(name, set())


@pytest.mark.parametrize("name", ["options", "report", "exceptions"])
def test_one_place_in_a_module_that_stands_without_conda_knows_it(name: str) -> None:
    assert len([item for item in guests(name) if "conda" in item.target]) == 1


@pytest.mark.parametrize("name", ["options", "report", "plugin"])
def test_conda_is_imported_only_when_it_is_called(name: str) -> None:
    early = [item.target for item in guests(name) if item.at_load]
    assert early == (["pluggy"] if name == "plugin" else [])


@pytest.mark.parametrize("name", sorted(PURE))
def test_what_decides_is_made_of_harmless_parts(name: str) -> None:
    family = {f"{PACKAGE}.{module}" for module in FLOORS}
    parts = {
        item.target.split(".")[0]
        for item in imports(name)
        if item.target.rpartition(".")[0] not in family
    }
    assert parts <= HARMLESS
    below = {FLOORS[target] for target in imported_modules(name)}
    assert all(floor < FLOORS[name] for floor in below)


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_modules_and_functions_are_short(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= LONGEST_MODULE
    lengths = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    assert {
        name for name, length in lengths.items() if length > LONGEST_FUNCTION
    } == set()


def loaded_after(*lines: str) -> set[str]:
    """Return which heavy libraries a fresh python has loaded after some lines."""
    report = f"import sys; print(*(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, report])],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_heavy_library_would_be_noticed() -> None:
    assert loaded_after(f"import {PACKAGE}.envfile") == {"yaml"}


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    assert loaded_after(f"import {PACKAGE}.plugin") == set()


def test_loading_the_plugin_loads_no_conda() -> None:
    lines = (f"import sys, {PACKAGE}.plugin", "assert 'conda' not in sys.modules")
    assert loaded_after(*lines) == set()


@pytest.mark.rattler
def test_looking_at_environments_loads_no_rattler() -> None:
    lines = (
        f"from {PACKAGE}.condarc import Condarc, Path",
        f"from {PACKAGE}.engines.rattler import RattlerEngine",
        "engine = RattlerEngine(Path.home(), Condarc({}))",
        "[engine.look(*found) for found in engine.environments()]",
        "import sys",
    )
    assert loaded_after(*lines, "assert 'rattler' not in sys.modules") == {"yaml"}
    assert loaded_after(*lines, "engine.platform, sys.modules['rattler']") == {"yaml"}


@pytest.mark.conda
def test_what_runs_on_each_conda_command_loads_nothing_heavy() -> None:
    assert (
        loaded_after(
            "from argparse import ArgumentParser",
            f"from {PACKAGE} import plugin",
            "(command,) = plugin.conda_subcommands()",
            "command.configure_parser(ArgumentParser(add_help=False))",
            "assert list(plugin.conda_settings())",
            "assert list(plugin.conda_environment_specifiers())",
            "assert list(plugin.conda_environment_exporters())",
        )
        == set()
    )
