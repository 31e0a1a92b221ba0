"""Deletions that meet something else, or are broken off."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    LATEST,
    Crash,
    FakeMachine,
    Pair,
    actions,
    change,
    delete,
    errors,
    in_step,
    is_quiet,
    make_deleting_pair,
    make_pair,
    once,
    raising,
)

from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path

    from conda_s3_sync_plugin.versions import Kept


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_deleting_pair(tmp_path)


def test_a_push_just_before_a_deletion_is_pulled(pair: Pair) -> None:
    a, b = pair
    a.engine.drop("ml")
    theirs = change(b, "3")
    a.before = once("delete", lambda: b.sync())
    result = a.sync(delete=True)
    assert actions(result)["ml"] == Action.PULL
    assert result.outcomes[0].step.row == 11
    assert a.engine.digest("ml") == a.remote("ml") == theirs
    assert is_quiet(a.sync(delete=True))


def test_a_deletion_that_comes_too_late_is_stated_no_longer(pair: Pair) -> None:
    a, _ = pair
    a.engine.drop("ml")
    stated: list[Kept] = []

    def be_faster() -> None:
        stated.extend(deletions(a))
        body = b"channels: [fake]\ndependencies: [numpy=7]\n"
        a.bucket.plant("ml.yml", body, LATEST)

    result = a.run(once("delete", be_faster), delete=True)
    assert actions(result)["ml"] is Action.PULL
    assert len(stated) == 1
    assert deletions(a) == []
    assert a.engine.versions("ml") == {"numpy": "7"}
    assert is_quiet(a.sync(delete=True))


def deletions(machine: FakeMachine) -> list[Kept]:
    history = machine.store.history("ml")
    return [kept for kept in history if kept.kind is Kind.DELETED]


def test_what_no_bucket_can_hold_keeps_an_environment_here(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    delete(a)
    export = b.engine.export
    monkeypatch.setattr(
        b.engine, "export", lambda env: replace(export(env), warnings=("work-1.0",))
    )
    before = b.engine.digest("ml")
    for _ in range(2):
        told = errors(b.sync(delete=True))
        assert told == {
            "ml": "It stays, because something would be lost: work-1.0\n"
            "Remove it yourself, or use --force."
        }
        assert b.engine.digest("ml") == before
    assert not errors(b.sync(delete=True, force=True))
    assert b.engine.prefix_for("ml") not in b.engine.envs


def test_two_may_delete_the_same(pair: Pair) -> None:
    a, b = pair
    for machine in pair:
        machine.engine.drop("ml")
    a.before = once("keep", lambda: b.sync(delete=True))
    assert not errors(a.sync(delete=True))
    assert a.remote("ml") is None
    for machine in pair:
        assert is_quiet(machine.sync(delete=True))


def test_an_edit_just_before_a_removal_is_pushed(pair: Pair) -> None:
    a, b = pair
    delete(a)
    ours: list[str] = []
    b.before = once("remove", lambda: ours.append(change(b, "3")))
    result = b.sync(delete=True)
    assert actions(result)["ml"] == Action.PUSH
    assert result.outcomes[0].step.row == 13
    assert [b.engine.digest("ml"), b.remote("ml")] == 2 * ours


def test_a_touch_just_before_a_removal_changes_nothing(pair: Pair) -> None:
    a, b = pair
    delete(a)
    b.before = once("remove", lambda: b.engine.touch("ml"))
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL
    assert b.engine.prefix_for("ml") not in b.engine.envs


def test_what_becomes_a_deletion_in_a_race_is_not_done_unasked(pair: Pair) -> None:
    a, b = pair
    old = b.engine.digest("ml")
    change(b, "3", at=LATEST)

    def undo_and_delete() -> None:
        change(b, "2.0", at=LATEST)
        delete(a)

    b.before = once("put", undo_and_delete)
    assert "changed meanwhile" in errors(b.sync(delete=True))["ml"]
    assert b.asked is None
    assert b.engine.digest("ml") == old
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL
    assert b.asked == ["ml"]


def half_removed(pair: Pair, error: BaseException) -> FakeMachine:
    """Return a machine whose removal of `ml` was broken off, as a hook has it."""
    a, b = pair
    delete(a)
    with contextlib.suppress(Crash):
        b.run(once("clear", raising(error)), delete=True)
    assert b.engine.versions("ml") == {"python": "3.12"}
    return b


BROKEN_OFF = pytest.mark.parametrize(
    "error", [Crash(), EngineError("in use")], ids=["killed", "failed"]
)


@BROKEN_OFF
def test_an_interrupted_removal_is_finished(pair: Pair, error: BaseException) -> None:
    b = half_removed(pair, error)
    digest = pair[0].history("ml").copy().pop()
    result = b.sync(delete=True)
    assert actions(result)["ml"] == Action.DELETE_LOCAL
    assert b.asked == ["ml"]
    assert b.engine.prefix_for("ml") not in b.engine.envs
    assert is_quiet(b.sync(delete=True))
    # What it left is nothing to go back to.
    b.restore("ml")
    assert b.engine.digest("ml") == digest


@BROKEN_OFF
def test_an_interrupted_removal_is_no_edit(pair: Pair, error: BaseException) -> None:
    b = half_removed(pair, error)
    for _ in range(2):
        result = b.sync()
        assert actions(result)["ml"] == Action.SKIP
        assert "half done" in result.outcomes[0].step.reason
        assert "conda env remove -n ml" in result.outcomes[0].step.hint
        assert b.remote("ml") is None
        assert not b.did()


@BROKEN_OFF
@pytest.mark.parametrize("number", ["2.0", "3"], ids=["the same", "another"])
def test_an_interrupted_removal_gives_way_to_a_new_version(
    pair: Pair, error: BaseException, number: str
) -> None:
    a = pair[0]
    b = half_removed(pair, error)
    theirs = change(a, number)
    a.sync()
    assert actions(b.sync(delete=True))["ml"] == Action.PULL
    assert b.engine.digest("ml") == b.remote("ml") == theirs
    assert is_quiet(b.sync(delete=True))


def test_an_edit_on_top_of_an_interrupted_removal_is_kept(pair: Pair) -> None:
    b = half_removed(pair, Crash())
    ours = change(b, "4")
    b.sync(delete=True)
    assert ours in b.history("ml")


def test_an_interrupted_removal_counts_once(tmp_path: Path) -> None:
    """Half of two may go: also where that one has begun to."""
    a, b = make_pair(tmp_path)
    in_step(a, b, others=["more"])
    half_removed((a, b), Crash())
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL


@pytest.mark.parametrize("why", ["frozen", "in use"])
def test_a_removal_that_removes_nothing_is_forgotten(pair: Pair, why: str) -> None:
    a, b = pair
    delete(a)
    before = b.baseline("ml")
    b.engine.env("ml").frozen = why == "frozen"
    b.before = once("unlink", raising(EngineError("in use")))
    assert why in errors(b.sync(delete=True))["ml"]
    assert b.baseline("ml") == before
    assert actions(b.sync())["ml"] == Action.PUSH
