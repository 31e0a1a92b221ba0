"""Merges that cannot be, meet something else, or break off: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    LATEST,
    Pair,
    actions,
    errors,
    is_quiet,
    once,
    raising,
)
from merge_scene import BOTH, make_merging_pair, merge, part_ways, revise

from conda_s3_sync_plugin.exceptions import EngineError, PipError, StoreError
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_merging_pair(tmp_path)


def test_without_the_version_both_had_nothing_is_merged(pair: Pair) -> None:
    a, b = pair
    base = str(b.remote("ml"))
    ours, theirs = part_ways(a, b)
    for kept in b.store.history("ml"):
        if kept.digest == base[:12]:
            b.store.discard("ml", kept)
    outcome = merge(b)
    assert outcome.step.action is Action.CONFLICT
    assert "in no history" in outcome.step.reason
    assert (b.engine.digest("ml"), b.remote("ml")) == (ours, theirs)
    assert b.did() == {"save": 1}


def test_without_locks_nobody_knows_what_was_asked_for(pair: Pair) -> None:
    a, b = pair
    ours, theirs = part_ways(a, b)
    for kept in b.store.history("ml"):
        if kept.key.endswith(".json"):
            b.store.discard("ml", kept)
    outcome = merge(b)
    assert outcome.step.action is Action.CONFLICT
    assert "there is no lock" in outcome.step.reason
    assert (b.engine.digest("ml"), b.remote("ml")) == (ours, theirs)


@pytest.mark.parametrize("at", ["apply", "download"])
def test_what_cannot_be_solved_is_a_conflict(pair: Pair, at: str) -> None:
    a, b = pair
    ours, theirs = part_ways(a, b)
    error = EngineError("No solution: numpy 2 needs scipy 3")
    b.before = once(at, raising(error), times=2)
    for _ in range(2):
        outcome = merge(b)
        assert outcome.step.action is Action.CONFLICT
        assert "cannot be merged: No solution: numpy 2" in outcome.step.reason
        assert (b.engine.digest("ml"), b.remote("ml")) == (ours, theirs)
    assert {ours, theirs} <= b.history("ml")
    assert merge(b).step.action is Action.MERGE


@pytest.mark.parametrize("error", [EngineError("no"), PipError("no")])
def test_half_a_merge_is_merged_again(pair: Pair, error: EngineError) -> None:
    a, b = pair
    ours, theirs = part_ways(a, b)
    assert errors(b.run(once("pip", raising(error)), prefer="merge")) == {"ml": "no"}
    assert b.remote("ml") == theirs
    assert ours in b.history("ml")
    assert actions(b.sync(prefer="merge")) == {"ml": Action.MERGE}
    assert b.engine.versions("ml") == BOTH
    assert b.remote("ml") == b.engine.digest("ml")
    assert is_quiet(b.sync(prefer="merge"))


@pytest.mark.parametrize("moment", ["get_lock", "keep", "put"])
def test_another_push_meanwhile_is_merged_too(pair: Pair, moment: str) -> None:
    a, b = pair
    part_ways(a, b)

    def push() -> None:
        revise(a, packages={"zlib": "1"}, at=LATEST)
        a.sync()

    result = b.run(once(moment, push), prefer="merge")
    assert actions(result) == {"ml": Action.MERGE}
    assert b.engine.versions("ml") == {**BOTH, "zlib": "1"}
    assert b.remote("ml") == b.engine.digest("ml")
    assert is_quiet(b.sync(prefer="merge"))


def test_an_edit_meanwhile_is_merged_too(pair: Pair) -> None:
    a, b = pair
    part_ways(a, b)
    edited: list[str] = []

    def edit() -> None:
        edited.append(revise(b, packages={"zlib": "1"}, at=LATEST))

    result = b.run(once("download", edit), prefer="merge")
    assert actions(result) == {"ml": Action.MERGE}
    assert b.engine.versions("ml") == {**BOTH, "zlib": "1"}
    assert {*edited} <= b.history("ml")


def test_what_cannot_be_kept_is_not_merged(pair: Pair) -> None:
    a, b = pair
    ours, theirs = part_ways(a, b)
    denied = raising(StoreError("denied"))
    assert errors(b.run(once("keep", denied), prefer="merge")) == {"ml": "denied"}
    assert (b.engine.digest("ml"), b.remote("ml")) == (ours, theirs)
    assert not b.did("apply")


def test_a_merge_that_could_not_be_pushed_is_an_edit(pair: Pair) -> None:
    a, b = pair
    part_ways(a, b)
    denied = raising(StoreError("denied"))
    assert errors(b.run(once("put", denied), prefer="merge")) == {"ml": "denied"}
    merged = b.engine.digest("ml")
    assert b.engine.versions("ml") == BOTH
    result = b.sync()
    assert (result.outcomes[0].step.row, actions(result)) == (9, {"ml": Action.PUSH})
    assert b.remote("ml") == b.engine.digest("ml") == merged
