"""Merging: both changes stay where they are about different things."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine
from fake_machine import (
    LATER,
    LATEST,
    NOW,
    FakeMachine,
    Pair,
    actions,
    is_quiet,
    make_pair,
)
from merge_scene import make_merging_pair, merge, revise

from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from conda_s3_sync_plugin.models import Applied, Lock


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_merging_pair(tmp_path)


def test_changes_of_different_things_are_combined(pair: Pair) -> None:
    a, b = pair
    theirs = revise(
        a,
        packages={"numpy": "2", "zlib": "1"},
        pip={"six": "2"},
        pinned=["zlib 1.*"],
    )
    a.sync()
    ours = revise(
        b,
        packages={"scipy": None, "pandas": "3"},
        pip={"rich": "1"},
        variables={"MODE": "fast", "N": "1"},
    )
    outcome = merge(b)
    assert outcome.step.action is Action.MERGE
    assert outcome.is_settled
    env = b.engine.env("ml")
    assert b.engine.versions("ml") == {
        **{"python": "3.12", "numpy": "2", "zlib": "1"},
        **{"pandas": "3"},
    }
    assert env.pip == {"six": "2", "rich": "1"}
    assert env.variables == {"MODE": "fast", "N": "1"}
    assert env.pinned == ("zlib 1.*",)
    # What has come here, in words; and everybody gets it.
    assert outcome.notes[0].startswith("~numpy 1->2  +zlib 1")
    assert b.remote("ml") == b.engine.digest("ml")
    assert {ours, theirs, b.remote("ml")} <= b.history("ml")
    assert is_quiet(b.sync(prefer="merge"))
    assert actions(a.sync(prefer="merge")) == {"ml": Action.PULL}
    assert a.engine.env("ml").content == env.content
    assert a.engine.env("ml").modified == env.modified > NOW


def test_what_merely_came_along_collides_with_nothing(pair: Pair) -> None:
    a, b = pair
    for machine, libz, wanted in ((a, "2", "zlib"), (b, "3", "pandas")):
        revise(machine, packages={wanted: "1", "libz": libz})
        asked = ("python", "numpy", "scipy", wanted)
        machine.engine.env("ml").requested = asked
        outcome = merge(machine)
    assert outcome.step.action is Action.MERGE
    asked = ("numpy", "pandas", "python", "scipy", "zlib")
    assert b.engine.env("ml").requested == asked


def test_the_same_change_on_both_sides_is_none_that_collides(pair: Pair) -> None:
    a, b = pair
    revise(a, packages={"numpy": "2", "zlib": "1"}, pip={"six": None}, pinned=[])
    a.sync()
    revise(b, packages={"numpy": "2", "pandas": "3"}, pip={"six": None})
    assert merge(b).step.action is Action.MERGE
    versions = {"python": "3.12", "numpy": "2", "scipy": "1"}
    assert b.engine.versions("ml") == {**versions, "zlib": "1", "pandas": "3"}
    assert (b.engine.env("ml").pip, b.engine.env("ml").pinned) == ({}, ())


def test_collisions_are_named_and_both_sides_stay(pair: Pair) -> None:
    a, b = pair
    theirs = revise(
        a,
        packages={"numpy": "2", "scipy": None},
        pip={"six": "2"},
        variables={"MODE": "fast"},
        pinned=["python 3.13.*"],
    )
    a.sync()
    ours = revise(
        b,
        packages={"numpy": "3", "scipy": "2", "pandas": "3"},
        pip={"six": None},
        variables={"MODE": "slower"},
        pinned=["python 3.11.*"],
    )
    for saves in ({"save": 1}, {}):  # that there is a conflict
        outcome = merge(b)
        assert outcome.step.action is Action.CONFLICT
        assert not outcome.is_settled
        assert not outcome.error
        told = outcome.step.reason.partition("both sides have changed ")[2]
        assert told == (
            "numpy (3 here, 2 in the bucket), "
            "scipy (2 here, removed in the bucket), "
            "pip package six (removed here, six==2 in the bucket), "
            "variable MODE (slower here, fast in the bucket), "
            "pin python (python 3.11.* here, python 3.13.* in the bucket)"
        )
        assert "--prefer local" in outcome.step.hint
        assert b.did() == saves
    assert (b.engine.digest("ml"), b.remote("ml")) == (ours, theirs)


def test_what_was_never_in_step_merges_where_it_agrees(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    a.engine.edit("ml", {"python": "3.12", "numpy": "1"}, at=LATER)
    a.sync()
    b.engine.edit("ml", {"python": "3.12", "scipy": "1"}, at=LATEST)
    outcome = merge(b)
    assert (outcome.step.row, outcome.step.action) == (4, Action.MERGE)
    versions = {"python": "3.12", "numpy": "1", "scipy": "1"}
    assert b.engine.versions("ml") == versions
    a.engine.edit("two", {"python": "3.12"}, at=LATER)
    a.sync()
    b.engine.edit("two", {"python": "3.11"}, at=LATER)
    result = b.sync(prefer="merge")
    assert actions(result) == {"ml": Action.NOTHING, "two": Action.CONFLICT}
    reason = result.outcomes[1].step.reason
    assert reason.endswith("python (3.11 here, 3.12 in the bucket)")


def test_only_conflicts_are_merged(pair: Pair) -> None:
    a, b = pair
    revise(a, packages={"numpy": "2"})
    assert actions(a.sync(prefer="merge")) == {"ml": Action.PUSH}
    assert actions(b.sync(prefer="merge")) == {"ml": Action.PULL}


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_one_way_merges_nothing(pair: Pair, direction: str) -> None:
    a, b = pair
    revise(a, packages={"numpy": "2"})
    a.sync()
    revise(b, packages={"scipy": "2"})
    result = b.sync(prefer="merge", direction=direction)
    assert actions(result) == {"ml": Action.CONFLICT}
    assert b.did() == {"save": 1}


def write_by_hand(machine: FakeMachine, *specs: str, at: datetime = LATER) -> str:
    body = render("ml", channels=["fake"], specs=specs).body
    machine.bucket.plant("ml.yml", body, at)
    return str(machine.remote("ml"))


def test_what_a_person_has_written_is_merged(pair: Pair) -> None:
    a, b = pair
    theirs = write_by_hand(a, "python=3.12", "numpy=1", "scipy=1", "zlib=2")
    revise(b, packages={"scipy": "2"})
    b.sync(prefer="merge")
    # They have written nothing about pip and variables: those are gone there; but pins
    # are the machine's where nobody says anything about them.
    assert b.engine.versions("ml") == {
        **{"python": "3.12", "numpy": "1", "scipy": "2", "zlib": "2"}
    }
    env = b.engine.env("ml")
    assert (env.pip, env.variables) == ({}, {})
    assert env.pinned == ("python 3.12.*",)
    assert theirs in b.history("ml")


def test_a_version_that_a_person_asks_for_may_be_any_of_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    write_by_hand(a, "python=3.12", "numpy==2", "scipy=1")
    revise(b, packages={"pandas": "3"})
    asked: list[Lock] = []

    def watched(*args: Any, **options: Any) -> Applied:
        asked.append(args[3])
        return FakeEngine.apply(b.engine, *args, **options)

    monkeypatch.setattr(b.engine, "apply", watched)
    assert merge(b).step.action is Action.MERGE
    versions = {item["name"]: item["version"] for item in asked[0].packages}
    # Of python and scipy, this machine has what they ask for.
    expected = {"python": "3.12", "numpy": "2", "scipy": "1", "pandas": "3"}
    assert versions == expected
    write_by_hand(a, "python=3.13", "numpy==2", "scipy=1", "pandas==3")
    revise(b, packages={"pandas": "4"}, at=LATEST)
    merge(b)
    versions = {item["name"]: item["version"] for item in asked[1].packages}
    assert versions == {**expected, "python": "", "pandas": "4"}
    assert "python=3.13" in asked[1].requested
    assert b.engine.versions("ml")["python"] == "3.13"


def test_what_only_another_platform_has_survives_a_merge(tmp_path: Path) -> None:
    a, b = make_pair(tmp_path)
    mac = FakeMachine(tmp_path / "mac", a.bucket, platform="osx-arm64")
    mac.engine.edit("ml", {"python": "3.12", "only-osx-arm64": "3", "numpy": "1"})
    mac.sync()
    for machine in (a, b):
        machine.sync()
    revise(a, packages={"numpy": "2"})
    a.sync()
    revise(b, packages={"pandas": "1"})
    assert merge(b).step.action is Action.MERGE
    versions = {"python": "3.12", "numpy": "2", "pandas": "1"}
    assert b.engine.versions("ml") == versions
    for machine in (a, mac):
        machine.sync()
    assert mac.engine.versions("ml") == {**versions, "only-osx-arm64": "3"}
    for machine in (a, b, mac):
        assert is_quiet(machine.sync())


def test_two_platforms_merge(tmp_path: Path) -> None:
    linux, mac = make_pair(tmp_path, "osx-arm64")
    linux.engine.edit("ml", {"python": "3.12", "numpy": "1"})
    linux.sync()
    mac.sync()
    revise(linux, packages={"numpy": "2", "only-linux-64": "1"})
    linux.sync()
    revise(mac, packages={"pandas": "1", "only-osx-arm64": "1"})
    outcome = merge(mac)
    assert outcome.step.action is Action.MERGE
    assert "only-linux-64 is not to be had here: left out" in outcome.notes
    both = {"python": "3.12", "numpy": "2", "pandas": "1"}
    assert mac.engine.versions("ml") == {**both, "only-osx-arm64": "1"}
    assert actions(linux.sync()) == {"ml": Action.PULL}
    assert linux.engine.versions("ml") == {**both, "only-linux-64": "1"}
    for machine in (linux, mac):
        assert is_quiet(machine.sync(prefer="merge"))


def test_it_is_newer_than_what_it_is_made_of(pair: Pair) -> None:
    a, b = pair
    future = NOW + timedelta(days=9)
    write_by_hand(a, "python=3.12", "numpy=2", "scipy=1", at=future)
    revise(b, packages={"scipy": "2"})
    merge(b)
    # A clock that is far ahead is not believed.
    assert NOW < b.bucket.objects["ml.yml"].modified < future
    assert actions(a.sync()) == {"ml": Action.PULL}
