"""What differs between two versions, by package, and how that is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conda_s3_sync_plugin.difference import compare, name_of, version_of
from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.versions import Change, Difference
from conda_s3_sync_plugin.wording import facts, in_short, lines

if TYPE_CHECKING:
    from conda_s3_sync_plugin.models import EnvFile


def env(*specs: str, channels: tuple[str, ...] = ("main",), **more: Any) -> EnvFile:
    return render("ml", channels=channels, specs=specs, **more)


#: spec -> name, version, whether it is just that one.
SPECS = {
    "name alone": ("numpy", "numpy", "", False),
    "exact": ("numpy=1.2=py_0", "numpy", "1.2", True),
    "version": ("numpy=1.2", "numpy", "1.2", False),
    "version of pip": ("numpy==1.2", "numpy", "1.2", True),
    "version and build of people": ("numpy==1.2=py_0", "numpy", "1.2", True),
    "from a channel": ("conda-forge::numpy=1.2", "numpy", "1.2", False),
    "from a channel by address": ("https://h/c::numpy==1.2", "numpy", "1.2", True),
    "from a platform of a channel": ("main/noarch::numpy", "numpy", "", False),
    "range": ("numpy >=1.2,<2", "numpy", "", False),
    "range of pip": ("numpy>=1.2", "numpy", "", False),
    "any of": ("numpy=1.2|1.3", "numpy", "", False),
    "about": ("numpy=1.*", "numpy", "", False),
    "spaces": ("numpy 1.2.*", "numpy", "", False),
    "extras": ("numpy[all]==1.2", "numpy", "", False),
    "underscore": ("_libgcc_mutex=0.1=main", "_libgcc_mutex", "0.1", True),
    "dots and dashes": ("ruamel.yaml-x==0.1", "ruamel.yaml-x", "0.1", True),
    "brackets": ("numpy[version='>=1']", "numpy", "", False),
    "from a place": ("x @ git+https://h/x.git", "x", "", False),
    "an address": ("https://h/x-1.whl", "https://h/x-1.whl", "", False),
    "a repository": ("git+https://h/x.git", "git+https://h/x.git", "", False),
    "nothing known": ("*", "*", "", False),
}


@pytest.mark.parametrize(
    ("spec", "name", "version", "is_exact"), SPECS.values(), ids=SPECS
)
def test_a_spec_is_about_one_package(
    spec: str, name: str, version: str, is_exact: bool
) -> None:
    assert name_of(spec) == name
    assert version_of(spec) == (version, is_exact)


CHANGES = {
    "none": (("numpy=1=a",), ("numpy=1=a",), []),
    "added": ((), ("numpy=1=a",), [("numpy", None, "1")]),
    "removed": (("numpy=1=a",), (), [("numpy", "1", None)]),
    "updated": (("numpy=1=a",), ("numpy=2=b",), [("numpy", "1", "2")]),
    "built anew": (("numpy=1=a",), ("numpy=1=b",), [("numpy", "1 a", "1 b")]),
    "asked for otherwise": (
        ("numpy",),
        ("numpy >=2",),
        [("numpy", "", ">=2")],
    ),
    "the same in other words": (("numpy=1",), ("numpy==1",), []),
    "from another channel": (("a::numpy=1=a",), ("b::numpy=1=a",), []),
    "two lines of one": (
        ("numpy >=1", "numpy <2"),
        ("numpy >=1", "numpy <3"),
        [("numpy", "<2, >=1", "<3, >=1")],
    ),
    "in another order": (("x >=1", "x <2"), ("x <2", "x >=1"), []),
    "in the order of the names": (
        ("scipy=1", "b=1"),
        ("numpy=1", "b=2"),
        [("b", "1", "2"), ("numpy", None, "1"), ("scipy", "1", None)],
    ),
}


@pytest.mark.parametrize(("old", "new", "changes"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("part", ["conda", "pip", "pins"])
def test_changes_are_told_by_name(
    part: str,
    old: tuple[str, ...],
    new: tuple[str, ...],
    changes: list[tuple[str, str | None, str | None]],
) -> None:
    def of(texts: tuple[str, ...]) -> EnvFile:
        if part == "conda":
            return env(*texts)
        return env(**{"pip": {"pip": texts}, "pins": {"pinned": texts}}[part])

    expected = Difference(channels=(("main",), ("main",)))
    told = tuple(Change(*change) for change in changes)
    assert compare(of(old), of(new)) == replace(expected, **{part: told})


def test_builds_of_two_platforms_do_not_differ() -> None:
    old, new = env("numpy=1=linux", "scipy=1=a"), env("numpy=1=osx", "scipy=2=a")
    assert [c.name for c in compare(old, new).conda] == ["numpy", "scipy"]
    assert [c.name for c in compare(old, new, builds=False).conda] == ["scipy"]


def test_variables_are_told_by_value() -> None:
    old = env(variables={"A": "1", "B": "=x=y", "C": "1"})
    new = env(variables={"A": "2", "B": "=x=z", "D": ""})
    assert compare(old, new).variables == (
        Change("A", "1", "2"),
        Change("B", "=x=y", "=x=z"),
        Change("C", "1", None),
        Change("D", None, ""),
    )


@pytest.mark.parametrize(
    ("old", "new", "moves"),
    [
        (("a", "b"), ("a", "b"), False),
        (("a", "b"), ("b", "a"), True),
        (("a",), ("a", "b"), True),
        ((), ("a",), True),
    ],
    ids=["same", "order", "more", "from none"],
)
def test_the_order_of_channels_counts(
    old: tuple[str, ...], new: tuple[str, ...], moves: bool
) -> None:
    difference = compare(env(channels=old), env(channels=new))
    assert difference.moves_channels is moves
    assert bool(difference) is moves


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "gone"])
def test_what_is_new_or_gone_is_told_by_what_it_has(is_new: bool) -> None:
    file = env("numpy=1=a", pip=["six==1"], variables={"A": "1"})
    difference = compare(None, file) if is_new else compare(file, None)
    sides = (None, "1") if is_new else ("1", None)
    assert difference.conda == (Change("numpy", *sides),)
    assert difference.pip == (Change("six", *sides),)
    assert not difference.moves_channels
    assert not compare(None, None)


ALL = Difference(
    (
        Change("numpy", None, "2.1"),
        Change("scipy", "1.14", "1.15"),
        Change("six", "1", None),
        Change("zlib", "", ">=1"),
    ),
    (Change("rich", "1", "2"),),
    (Change("MODE", "slow", None),),
    (Change("python", None, "3.12.*"),),
    (("main",), ("forge", "main")),
)


def test_each_change_is_one_line() -> None:
    assert list(lines(ALL)) == [
        "+ numpy 2.1",
        "~ scipy 1.14 -> 1.15",
        "- six 1",
        "~ zlib any -> >=1",
        "~ pip rich 1 -> 2",
        "- variable MODE slow",
        "+ pin python 3.12.*",
        "~ channels main -> forge, main",
    ]
    assert list(lines(Difference())) == []
    none = Difference(channels=((), ("main",)))
    assert list(lines(none)) == ["~ channels none -> main"]


def test_in_short_only_some_are_told() -> None:
    assert in_short(ALL) == (
        "+numpy 2.1  ~scipy 1.14->1.15  -six 1  ~zlib any->>=1  ~pip:rich 1->2  "
        "-variable:MODE slow  and 2 more"
    )
    few = Difference(ALL.conda, ALL.pip, ALL.variables, ALL.pins)
    assert in_short(few).endswith("-variable:MODE slow  +pin:python 3.12.*")
    assert in_short(Difference()) == ""


def test_programs_get_all_of_it() -> None:
    told = facts(ALL)
    assert told.keys() == {"conda", "pip", "variables", "pins", "channels"}
    assert told["conda"][1] == {"name": "scipy", "old": "1.14", "new": "1.15"}
    assert told["conda"][0]["old"] is None
    assert told["variables"] == [{"name": "MODE", "old": "slow", "new": None}]
    assert told["channels"] == {"old": ["main"], "new": ["forge", "main"]}
    assert facts(Difference())["channels"] is None
