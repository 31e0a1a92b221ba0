"""What is solved for where no lock fits, and what is given up: with no library."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from conda_s3_sync_plugin.engines.ladder import (
    NoSolution,
    as_far_as_true,
    expendable,
    solve_relaxed,
    specs_of,
)
from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.models import Lock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from conda_s3_sync_plugin.models import EnvFile

HERE, THERE = "linux-64", "osx-arm64"


@dataclass(frozen=True)
class PlainSpec:
    """A spec such as `name=version=build`, with less of it, or `name>version`."""

    text: str
    asked: PlainSpec | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def parts(self) -> list[str]:
        return self.text.replace(">", "=>").split("=")

    @property
    def name(self) -> str:
        return self.parts[0]

    @property
    def has_build(self) -> bool:
        return len(self.parts) > 2

    @property
    def is_version(self) -> bool:
        return self.asked is not None

    def at(self, version: str) -> PlainSpec:
        build = self.parts[2:]
        text = "=".join([self.name, version, *build])
        return PlainSpec(text, self._less() if build else self)

    def weaker(self) -> PlainSpec | None:
        less = self._less()
        if less and not self.has_build and self.asked not in (None, self):
            return self.asked
        return replace(less, asked=self.asked) if less and self.has_build else less

    def _less(self) -> PlainSpec | None:
        less = self.parts[:-1]
        return PlainSpec("=".join(less).replace("=>", ">")) if less else None

    def matches(self, package: str) -> bool:
        name, *wanted = self.parts
        found, *have = package.split("=")
        if name != found or not wanted:
            return name == found
        if wanted[0].startswith(">"):
            return have[0] > wanted[0][1:]
        return have[: len(wanted)] == wanted


class Channel:
    """What exists, as `name=version=build`, and a solver; `asked` is what it was asked.

    `enemies` cannot be together. A solver that is `terse` tells one problem at a time.
    """

    def __init__(
        self, *packages: str, enemies: Collection[str] = (), terse: bool = False
    ) -> None:
        self.packages = packages
        self.enemies = set(enemies)
        self.terse = terse
        self.asked: list[list[str]] = []

    def attempt(self, specs: Iterable[PlainSpec]) -> list[str]:
        specs = list(specs)
        self.asked.append([str(spec) for spec in specs])
        there = {spec: self._best(spec, specs) for spec in specs}
        missing = [spec.name for spec, found in there.items() if not found]
        if missing:
            names = missing[:1] if self.terse else missing
            raise NoSolution(f"no {', '.join(names)}", missing=names)
        found = set(there.values())
        if self.enemies and self.enemies <= found:
            raise NoSolution("they fight", is_conflict=True)
        return sorted(found)

    def _best(self, spec: PlainSpec, specs: Iterable[PlainSpec]) -> str:
        group = [other for other in specs if other.name == spec.name]
        fitting = (
            package
            for package in self.packages
            if all(other.matches(package) for other in group)
        )
        return max(fitting, default="")


def solve(
    channel: Channel, *specs: str, expendable: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    solution = solve_relaxed(
        map(PlainSpec, specs), channel.attempt, expendable=set(expendable)
    )
    left_out = {note.split()[0] for note in solution.notes if "left out" in note}
    assert set(solution.left_out) == left_out
    return solution.packages, solution.notes


def test_what_there_is_is_taken_and_nothing_is_noted() -> None:
    channel = Channel("a=1=0", "b=1=0", "b=2=0")
    assert solve(channel, "a=1=0", "b") == (["a=1=0", "b=2=0"], [])
    assert channel.asked == [["a=1=0", "b"]]


RUNGS = {
    "the build": ("a=1=0", ["a=1=here"], ["a=1"]),
    "then the version": ("a=3=0", ["a=2=here"], ["a=3", "a"]),
    "a version alone": ("a=3", ["a=2=here"], ["a"]),
    "a bound": ("a>5", ["a=2=here"], ["a"]),
}


@pytest.mark.parametrize(("spec", "found", "instead"), RUNGS.values(), ids=RUNGS)
def test_what_does_not_exist_is_given_up_rung_by_rung_with_a_note(
    spec: str, found: list[str], instead: list[str]
) -> None:
    channel = Channel("a=1=here", "a=2=here", "b=1=0")
    packages, notes = solve(channel, spec, "b=1=0")
    assert packages == [*found, "b=1=0"]
    steps = zip([spec, *instead], instead, strict=False)
    assert notes == [
        f"{more} is not to be had here: {less} instead" for more, less in steps
    ]


def test_only_of_what_is_missing_something_is_given_up() -> None:
    channel = Channel("a=1=0", "b=1=0", "b=2=0")
    assert solve(channel, "a=7", "b=1=0")[0] == ["a=1=0", "b=1=0"]
    assert channel.asked == [["a=7", "b=1=0"], ["a", "b=1=0"]]


def test_of_one_version_what_was_asked_for_comes_before_the_bare_name() -> None:
    channel = Channel("a=1=0", "a=5=0", "b=1=0")
    wanted = [PlainSpec("a>3").at("4"), PlainSpec("b>3").at("4")]
    solution = solve_relaxed(wanted, channel.attempt, expendable={"a", "b"})
    assert solution.packages == ["a=5=0", "b=1=0"]
    steps = ["a=4", "b=4"], ["a>3", "b>3"], ["a>3", "b"]
    assert channel.asked == list(map(list, steps))
    assert solution.notes == [
        "a=4 is not to be had here: a>3 instead",
        "b=4 is not to be had here: b>3 instead",
        "b>3 is not to be had here: b instead",
    ]


def test_builds_that_were_asked_for_are_given_up_one_by_one() -> None:
    channel = Channel("a=1=here", "b=1=both", "b=1=other")
    wanted = [PlainSpec("a=1=there").at("1"), PlainSpec("b=1=both").at("1")]
    solution = solve_relaxed(wanted, channel.attempt, expendable={"a", "b"})
    assert solution.packages == ["a=1=here", "b=1=both"]
    assert solution.notes == ["a=1=there is not to be had here: a=1 instead"]


TRUE = {
    "all of it": ("a=1=0", "a=1=0"),
    "but for the build": ("a=1=1", "a=1"),
    "but for the version": ("a=2=0", "a"),
    "but for a bound": ("a>5", "a"),
}


@pytest.mark.parametrize(("spec", "true"), TRUE.values(), ids=TRUE)
def test_of_a_request_as_much_is_kept_as_the_package_is(spec: str, true: str) -> None:
    assert as_far_as_true(PlainSpec(spec), "a=1=0") == true


def test_what_is_expendable_is_left_out_at_last() -> None:
    channel = Channel("a=1=0")
    packages, notes = solve(channel, "a", "gone=1", expendable=["a", "gone"])
    assert packages == ["a=1=0"]
    assert notes == [
        "gone=1 is not to be had here: gone instead",
        "gone is not to be had here: left out",
    ]


def test_packages_that_are_in_no_channel_are_all_named_at_once() -> None:
    channel = Channel("a=1=0", terse=True)
    both = "typo1, typo2 are in none of its channels"
    with pytest.raises(EngineError, match=both) as error:
        solve(channel, "typo1=1=0", "a", "typo2")
    assert error.value.hint
    with pytest.raises(EngineError, match="typo2 is in none of its channels"):
        solve(channel, "a", "typo2")


def test_a_package_in_no_channel_is_told_rather_than_what_comes_after() -> None:
    channel = Channel("a=1=0", "b=1=0", enemies=["a=1=0", "b=1=0"])
    with pytest.raises(EngineError, match="typo is in none of its channels"):
        solve(channel, "typo", "a", "b")


def test_two_lines_about_one_package_both_count() -> None:
    channel = Channel("a=1=0", "a=2=0", "a=3=0")
    assert solve(channel, "a>1", "a=2") == (["a=2=0"], [])


def test_of_two_lines_about_one_package_both_are_weakened() -> None:
    channel = Channel("a=1=0")
    packages, notes = solve(channel, "a>5", "a", "a=7")
    assert packages == ["a=1=0"]
    assert notes == [
        "a>5 is not to be had here: a instead",
        "a=7 is not to be had here: a instead",
    ]
    assert channel.asked[-1] == ["a"]
    with pytest.raises(EngineError, match="gone is in none of its channels"):
        solve(channel, "gone>5", "gone")


def test_a_conflict_costs_the_builds_and_nothing_else() -> None:
    channel = Channel(
        "a=1=0", "a=1=1", "b=1=0", "c=1=0", "c=2=0", enemies=["a=1=0", "b=1=0"]
    )
    packages, notes = solve(channel, "a=1=0", "b=1=0", "c=1")
    assert packages == ["a=1=1", "b=1=0", "c=1=0"]
    assert notes == [
        "a=1=0 is not to be had here: a=1 instead",
        "b=1=0 is not to be had here: b=1 instead",
    ]


def test_a_conflict_of_versions_is_no_solution() -> None:
    channel = Channel("a=1=0", "b=1=0", enemies=["a=1=0", "b=1=0"])
    with pytest.raises(NoSolution, match="they fight"):
        solve(channel, "a=1=0", "b=1", expendable=["a", "b"])
    assert channel.asked == [["a=1=0", "b=1"], ["a=1", "b=1"]]


def test_a_dependency_that_is_missing_is_no_solution() -> None:
    def attempt(specs: Iterable[PlainSpec]) -> list[str]:
        raise NoSolution("a needs what is not there", missing=["below"])

    with pytest.raises(NoSolution, match="needs what is not there"):
        solve_relaxed([PlainSpec("a=1=0")], attempt, expendable={"a"})


def test_other_errors_give_nothing_up() -> None:
    attempts = []

    def attempt(specs: Iterable[PlainSpec]) -> list[str]:
        attempts.append(specs)
        raise EngineError("the channel cannot be reached")

    with pytest.raises(EngineError, match="cannot be reached"):
        solve_relaxed([PlainSpec("a=1=0")], attempt, expendable={"a"})
    assert len(attempts) == 1


def test_however_many_packages_are_gone_each_is_given_up() -> None:
    names = [f"gone{number}" for number in range(100)]
    channel = Channel("lib=1=0", terse=True)
    specs = [f"{name}=1=0" for name in names]
    packages, notes = solve(channel, *specs, "lib=1=0", expendable=[*names, "lib"])
    assert packages == ["lib=1=0"]
    left_out = [note.split()[0] for note in notes if note.endswith("left out")]
    assert sorted(left_out) == sorted(names)
    # Once for all builds, then for each version and each name, and the one that works.
    assert len(channel.asked) == 1 + 2 * len(names) + 1


def test_nothing_wanted_is_nothing_found() -> None:
    assert solve(Channel()) == ([], [])


def test_an_environment_of_which_nothing_is_left_is_an_error() -> None:
    with pytest.raises(EngineError, match="Nothing of it .* here: gone, lost"):
        solve(Channel(), "lost", "gone", expendable=["gone", "lost"])


FILE = render("any", channels=[], specs=["a=1=0", "b"], pip=[], variables=None)
LOCK = Lock(
    digest="",
    platform=THERE,
    packages=(
        {"name": "a", "version": "1", "build": "0"},
        {"name": "b", "version": "2", "build": "0"},
        {"name": "below-b", "version": "3", "build": "0"},
    ),
    requested=("b>1", "a", "never-installed"),
    pip=(),
    variables={},
)

WANTED = {
    "no lock": (None, ["a=1=0", "b"]),
    "the lock of this platform": (
        replace(LOCK, platform=HERE),
        ["a=1=0", "b=2=0", "below-b=3=0"],
    ),
    "a lock that knows no requests": (replace(LOCK, requested=()), ["a=1=0", "b"]),
    "the lock of another platform": (LOCK, ["b=2", "a=1"]),
    "a lock that knows of more": (
        replace(LOCK, elsewhere={"c>1": "4", "below-b": "1"}),
        ["b=2", "a=1", "c=4"],
    ),
}


@pytest.mark.parametrize(("lock", "specs"), WANTED.values(), ids=WANTED)
def test_what_is_solved_for(lock: Lock | None, specs: list[str]) -> None:
    assert [str(spec) for spec in specs_of(FILE, lock, HERE, PlainSpec)] == specs


PIP = replace(FILE, pip=("hello",))
LOCKED_PIP = (*LOCK.packages, {"name": "pip", "version": "4", "build": "0"})

WITH_PIP = {
    "no lock": (PIP, None, ["a=1=0", "b", "pip"]),
    "named": (replace(PIP, specs=("pip>9",)), None, ["pip>9"]),
    "the lock of another platform": (
        PIP,
        replace(LOCK, packages=LOCKED_PIP),
        ["b=2", "a=1", "pip=4"],
    ),
}


@pytest.mark.parametrize(("file", "lock", "specs"), WITH_PIP.values(), ids=WITH_PIP)
def test_pip_is_wanted_where_there_are_packages_for_it(
    file: EnvFile, lock: Lock | None, specs: list[str]
) -> None:
    assert [str(spec) for spec in specs_of(file, lock, HERE, PlainSpec)] == specs


EXPENDABLE = {
    "made here": (HERE, set()),
    "made elsewhere": (THERE, {"a", "b"}),
    "made nobody knows where": ("", {"a"}),
}


@pytest.mark.parametrize(("origin", "names"), EXPENDABLE.values(), ids=EXPENDABLE)
def test_what_may_be_left_out(origin: str, names: set[str]) -> None:
    specs = [PlainSpec("a=1=0"), PlainSpec("b=1")]
    assert expendable(specs, origin, HERE) == names
