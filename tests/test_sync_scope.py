"""What a run leaves alone: by its options, its scope, or for safety."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_engine import START
from fake_machine import (
    LATER,
    LATEST,
    WRITES,
    FakeMachine,
    Pair,
    actions,
    change,
    in_step,
    is_quiet,
    make_pair,
)

from conda_s3_sync_plugin.exceptions import SafetyError
from conda_s3_sync_plugin.location import ROOT
from conda_s3_sync_plugin.models import Outcome, Result, Scope
from conda_s3_sync_plugin.words import Action, Conditions


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


@pytest.mark.parametrize("direction", ["both", "push", "pull"])
def test_a_dry_run_writes_nothing_anywhere(pair: Pair, direction: str) -> None:
    a, b = pair
    for name in ("theirs", "both"):
        a.engine.edit(name, {"numpy": "1"}, at=LATER)
    a.sync()
    for name in ("ours", "both"):
        b.engine.edit(name, {"numpy": "2"}, at=START)
    before = dict(b.bucket.objects)
    result = b.sync(dry_run=True, direction=direction)
    assert result.dry_run
    assert b.bucket.objects == before
    assert not b.did()
    assert not (b.folder / "state").exists()
    assert set(b.engine.envs) == {b.engine.root, *map(b.engine.prefix_for, names(b))}
    # And it has told the truth.
    assert actions(b.sync(direction=direction)) == actions(result)


def names(machine: FakeMachine) -> list[str]:
    return [prefix.name for prefix in machine.engine.envs][1:]


def test_pushing_only_changes_nothing_here(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("theirs", {"numpy": "1"})
    a.engine.edit("both", {"numpy": "1"}, at=LATEST)
    change(a)
    a.sync()
    b.engine.edit("ours", {"numpy": "1"})
    b.engine.edit("both", {"numpy": "2"}, at=LATER)
    expected = {
        "both": Action.CONFLICT,
        "ml": Action.HOLD,
        "ours": Action.PUSH,
        "theirs": Action.HOLD,
    }
    assert actions(b.sync(direction="push")) == expected
    assert not b.did("apply")
    assert names(b) == ["ml", "ours", "both"]
    # What was held back is still to be done.
    assert actions(b.sync())["ml"] == Action.PULL


def test_conditions_are_remembered(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.store.conditions = None
    a.sync()
    assert a.store.conditions is Conditions.QUOTED


def test_a_watcher_sees_each_step_begin_and_end(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("a", {"numpy": "1"})
    a.sync()
    assert [step.name for step in a.watcher.steps] == ["a", "ml"]
    expected = [(what, name) for name in ("a", "ml") for what in ("start", "finish")]
    assert a.watcher.told == expected


def test_one_lost_side_stops_the_run_unless_forced(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("other", {"numpy": "1"})
    a.sync()
    b.sync()
    objects = dict(b.bucket.objects)
    for name in ("ml", "other"):
        b.engine.drop(name)
    baselines = [b.baseline(name) for name in ("ml", "other")]
    with pytest.raises(SafetyError, match="2 known"):
        b.sync()
    assert not b.did()
    a.bucket.objects.clear()
    with pytest.raises(SafetyError, match="2 known"):
        a.sync()
    assert not a.did()
    assert [b.baseline(name) for name in ("ml", "other")] == baselines
    assert set(actions(a.sync(force=True)).values()) == {Action.PUSH}
    assert set(actions(b.sync(force=True)).values()) == {Action.PULL}
    assert b.bucket.objects.keys() >= objects.keys()


@pytest.mark.parametrize(
    "scope",
    [
        Scope(frozenset(["ml"])),
        Scope(path_filter=re.compile("/ml$")),
        Scope(path_filter=re.compile("envs/m")),
    ],
    ids=["name", "path", "part of a path"],
)
def test_outside_its_scope_nothing_is_touched(pair: Pair, scope: Scope) -> None:
    a, b = pair
    for machine in pair:
        for name in ("changed", "gone", "ml"):
            machine.engine.edit(name, {"numpy": "1"}, at=START)
        machine.sync()
    a.engine.edit("theirs", {"numpy": "1"})
    change(a)
    a.sync()
    b.engine.edit("changed", {"numpy": "2"})
    b.engine.edit("ours", {"numpy": "1"})
    b.engine.drop("gone")
    del b.bucket.objects[b.store.location.key("gone")]
    gone = b.baseline("gone")
    assert actions(b.sync(scope=scope)) == {"ml": Action.PULL}
    touched = {name for _, name in b.log if name}
    assert touched == {"ml"}
    assert b.baseline("gone") == gone


def test_base_takes_part_only_when_asked_and_is_only_added_to(pair: Pair) -> None:
    a, b = pair
    with_root = Scope(root=True)
    a.engine.edit("root", {"conda": "26", "mamba": "2"}, at=LATER)
    b.engine.edit("root", {"conda": "25", "pip": "1"}, at=START)
    assert actions(a.sync()) == {}
    assert actions(a.sync(scope=with_root)) == {"root": Action.PUSH}
    before = b.engine.digest("root")
    assert actions(b.sync()) == {}
    assert actions(b.sync(scope=with_root)) == {"root": Action.PULL}
    assert b.engine.versions("root") == {"conda": "25", "pip": "1", "mamba": "2"}
    assert before in b.history("root")
    assert is_quiet(b.sync(scope=with_root))


def test_another_folder_called_as_base_is_left_alone(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    other = a.folder / "app" / ROOT
    a.engine.envs[other] = a.engine.envs.pop(a.engine.prefix_for("ml"))
    a.engine.edit(ROOT, {"conda": "26"})
    for scope, pushed in ((Scope(), None), (Scope(root=True), Action.PUSH)):
        result = a.sync(scope=scope, force=True)
        assert actions(result).get(ROOT) is pushed
        (warning,) = result.warnings
        assert warning.startswith(f"{other} is left alone: ")
    assert a.remote(ROOT) == a.engine.digest(ROOT)


@pytest.mark.parametrize("delete", [True, False], ids=["deletes", "keeps"])
def test_what_is_only_out_of_sight_is_neither_removed_nor_made_again(
    pair: Pair, delete: bool
) -> None:
    a, _ = pair
    place = Path("/data/envs/ml")
    for name, prefix in (("ml", place), ("x", None), ("y", None)):
        a.engine.edit(name, {"numpy": "1"}, prefix=prefix)
    a.sync()
    a.engine.hidden.add(place)
    outcome = only(a.sync("ml", delete=delete))
    assert outcome.step.action is Action.SKIP
    assert outcome.step.reason.startswith(f"{place} is there, but ")
    a.engine.hidden.clear()
    assert is_quiet(a.sync(delete=delete))


def test_another_environment_of_the_same_name_is_no_change_of_the_first(
    pair: Pair,
) -> None:
    a, b = pair
    in_step(a, b)
    before, first = a.remote("ml"), a.engine.prefix_for("ml")
    other = Path("/other/ml")
    a.engine.edit("ml", {"numpy": "3"}, at=LATEST, prefix=other)
    filtered = Scope(path_filter=re.compile("^/other/"))
    outcome = only(a.sync(scope=filtered))
    assert outcome.step.action is Action.SKIP
    assert f"{first} was synchronized, and {other} is " in outcome.step.reason
    assert a.remote("ml") == before
    del a.engine.envs[first]  # it has moved
    assert actions(a.sync(scope=filtered)) == {"ml": Action.PUSH}


def only(result: Result) -> Outcome:
    (outcome,) = result.outcomes
    return outcome


def test_two_of_one_name_are_refused_with_both_places(pair: Pair) -> None:
    a, _ = pair
    places = [Path("/elsewhere/ml"), Path("/other/ml")]
    for place in places:
        a.engine.edit("ml", {"numpy": "1"}, prefix=place)
    result = a.sync()
    assert actions(result) == {"ml": Action.SKIP}
    assert all(str(place) in result.outcomes[0].step.reason for place in places)
    assert not a.did("export", *WRITES)
    chosen = a.sync(scope=Scope(path_filter=re.compile("elsewhere")))
    assert actions(chosen) == {"ml": Action.PUSH}


@pytest.mark.parametrize(
    "twin", ["ML", "u\N{COMBINING DIAERESIS}"], ids=["case", "composition"]
)
def test_names_that_some_disks_confuse_are_refused(pair: Pair, twin: str) -> None:
    a, b = pair
    name = {"ML": "ml"}.get(twin, "\N{LATIN SMALL LETTER U WITH DIAERESIS}")
    a.engine.edit(name, {"numpy": "1"})
    a.sync()
    b.engine.edit(twin, {"numpy": "2"})
    assert actions(b.sync()) == {name: Action.SKIP, twin: Action.SKIP}
    assert not b.did()


def test_a_name_that_was_only_remembered_confuses_nobody(pair: Pair) -> None:
    a, _ = pair
    a.engine.edit("ML", {"numpy": "1"})
    a.sync()
    a.engine.drop("ML")
    del a.bucket.objects[a.store.location.key("ML")]
    a.engine.edit("ml", {"numpy": "1"})
    assert actions(a.sync()) == {"ML": Action.FORGET, "ml": Action.PUSH}


def test_nothing_is_done_where_two_keys_are_one_environment(pair: Pair) -> None:
    a, b = pair
    a.engine.edit("ml", {"numpy": "1"})
    a.sync()
    key = a.store.location.key("ml")
    a.bucket.plant(key.replace(".yml", ".yaml"), b"dependencies: [numpy=2]")
    b.engine.edit("ml", {"numpy": "3"})
    before = a.bucket.keys()
    for one in (a, b):
        assert actions(one.sync()) == {"ml": Action.SKIP}
    assert a.bucket.keys() == before


def test_an_impossible_name_is_left_alone(pair: Pair) -> None:
    a, _ = pair
    a.engine.edit("two words", {"numpy": "1"}, prefix=Path("/two words"))
    a.engine.edit("ml", {"numpy": "1"})
    result = a.sync()
    # It never could take part, so that nothing has failed.
    assert actions(result) == {"ml": Action.PUSH}
    (warning,) = result.warnings
    assert warning.startswith("/two words is left alone: ")
    assert actions(a.sync("../up")) == {"../up": Action.SKIP}
    assert actions(a.sync("nowhere")) == {"nowhere": Action.SKIP}
