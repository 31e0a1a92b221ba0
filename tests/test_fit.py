"""Whether packages that stay fit to those that come: with no library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from conda_s3_sync_plugin.engines.fit import check_fit, moves_python
from conda_s3_sync_plugin.exceptions import EngineError


@dataclass(frozen=True)
class Package:
    """A package as far as it matters here."""

    version: str
    python_site_packages_path: str | None = None


@dataclass(frozen=True)
class Exactly:
    """A spec: `name version`, or a name alone."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        return self.text.partition(" ")[0]

    def matches(self, package: Package) -> bool:
        return self.text.partition(" ")[2] in ("", package.version)


def check(
    depends: list[str], final: dict[str, Package], *, python_moves: bool = False
) -> None:
    kept: list[dict[str, Any]] = [{"name": "kept", "depends": depends}]
    check_fit(kept, final, Exactly, python_moves=python_moves)


def test_what_has_all_that_it_needs_may_stay() -> None:
    check(["a 1", "b"], {"a": Package("1"), "b": Package("7")})
    check([], {})


def test_what_the_system_has_is_no_package() -> None:
    check(["__glibc >=2.17"], {})


MISFITS = {
    "gone": {},
    "another version": {"a": Package("2")},
}


@pytest.mark.parametrize("final", MISFITS.values(), ids=MISFITS)
def test_what_would_miss_something_cannot_stay(final: dict[str, Package]) -> None:
    with pytest.raises(EngineError, match="kept cannot stay: it depends on a 1") as why:
        check(["a 1"], final)
    assert "--no-prune" in why.value.hint


def test_python_code_of_another_python_cannot_stay() -> None:
    records: list[dict[str, Any]] = [{"name": "pure", "noarch": "python"}]
    check_fit(records, {}, Exactly, python_moves=False)
    with pytest.raises(EngineError, match="pure cannot stay: .*another python"):
        check_fit(records, {}, Exactly, python_moves=True)
    # What is no python code lies elsewhere; what is bound to a python says so.
    for record in ({"name": "any", "noarch": "generic"}, {"name": "binary"}):
        check_fit([record], {}, Exactly, python_moves=True)


FREE = "lib/python3.13t/site-packages"
MOVES = {
    "a patch release": (Package("3.11.4"), Package("3.11.9"), False),
    "a minor release": (Package("3.11.4"), Package("3.12.0"), True),
    "another folder": (Package("3.13.1"), Package("3.13.1", FREE), True),
    "it comes": (None, Package("3.12.0"), False),
    "it goes": (Package("3.12.0"), None, False),
}


@pytest.mark.parametrize(("old", "new", "moves"), MOVES.values(), ids=MOVES)
def test_another_python_is_one_with_another_folder_for_packages(
    old: Package | None, new: Package | None, moves: bool
) -> None:
    assert moves_python(old, new) == moves
