"""Deletions that travel: stated first, asked for, and never of what it lacks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fake_engine import START
from fake_machine import (
    LATER,
    NOW,
    WRITES,
    FakeMachine,
    Pair,
    actions,
    change,
    delete,
    errors,
    is_quiet,
    make_deleting_pair,
    once,
    raising,
)

from conda_s3_sync_plugin.exceptions import (
    AccessDeniedError,
    SafetyError,
    StoreError,
)
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_deleting_pair(tmp_path)


def statements(machine: FakeMachine, name: str = "ml") -> list[str]:
    prefix = f".s3-sync/{name}/"
    return [
        key
        for key in machine.bucket.objects
        if key.startswith(prefix) and key.endswith(".deleted")
    ]


def written(machine: FakeMachine) -> list[str]:
    return [operation for operation, _ in machine.log if operation in WRITES]


def test_a_deletion_is_stated_before_it_is_done(pair: Pair) -> None:
    a, _ = pair
    digest = a.engine.digest("ml")
    a.engine.drop("ml")
    result = a.sync(delete=True)
    assert actions(result)["ml"] == Action.DELETE_REMOTE
    assert written(a) == ["keep", "delete", "save"]
    assert a.remote("ml") is None
    assert a.baseline("ml") is None
    (key,) = statements(a)
    assert key.endswith(f"-{digest[:12]}.deleted")
    assert digest in a.history("ml")
    notes = {o.step.name: o.notes for o in result.outcomes}
    way = f"to bring it back: conda s3-sync --restore ml@{digest[:8]}"
    assert notes["ml"] == (way,)
    assert is_quiet(a.sync(delete=True))


def test_it_travels_and_leaves_a_way_back(pair: Pair) -> None:
    a, b = pair
    digest = a.engine.digest("ml")
    delete(a)
    result = b.sync(delete=True)
    assert actions(result)["ml"] == Action.DELETE_LOCAL
    assert b.asked == ["ml"]
    assert written(b) == ["remove", "save", "save"]
    assert b.engine.prefix_for("ml") not in b.engine.envs
    assert b.baseline("ml") is None
    assert digest in b.history("ml")
    told = next(o.notes for o in result.outcomes if o.step.name == "ml")
    assert told == (f"to bring it back: conda s3-sync --restore ml@{digest[:8]}",)
    for machine in pair:
        assert is_quiet(machine.sync(delete=True))
        assert is_quiet(machine.sync())
        assert not machine.did()


def test_what_is_not_confirmed_is_skipped_and_asked_again(pair: Pair) -> None:
    a, b = pair
    delete(a)
    for _ in range(2):
        result = b.sync(delete=True, confirm=False)
        assert actions(result)["ml"] == Action.SKIP
        assert "not confirmed" in result.outcomes[0].step.reason
        assert not result.outcomes[0].is_settled
        assert b.asked == ["ml"]
        assert not b.did()
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL


def test_nobody_is_asked_where_nothing_is_removed_here(pair: Pair) -> None:
    a, _ = pair
    a.engine.drop("ml")
    a.sync(delete=True, confirm=False)
    assert a.asked is None
    assert a.remote("ml") is None


def test_a_machine_that_has_missed_versions_follows_their_deletion(
    pair: Pair,
) -> None:
    a, b = pair
    change(a, "3")
    a.sync()
    delete(a)
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL


def test_what_is_merely_missing_goes_back(pair: Pair) -> None:
    a, b = pair
    del b.bucket.objects["ml.yml"]
    result = b.sync(delete=True)
    assert actions(result)["ml"] == Action.PUSH
    assert b.remote("ml") == b.engine.digest("ml")
    assert b.asked is None


def test_it_is_stated_after_all_versions_whatever_their_clocks(pair: Pair) -> None:
    a, b = pair
    body = b"channels: [fake]\ndependencies: [numpy=7]\n"
    a.bucket.plant("ml.yml", body, NOW + timedelta(days=1))
    for machine in pair:
        assert actions(machine.sync())["ml"] == Action.PULL
    delete(a)
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL


def test_a_statement_does_not_outlive_what_it_is_about(pair: Pair) -> None:
    """Who deletes nothing pushes it again; that it is gone after that says nothing."""
    a, b = pair
    delete(a)
    assert actions(b.sync())["ml"] == Action.PUSH
    a.sync()
    del b.bucket.objects["ml.yml"]
    for machine in (b, a):
        assert actions(machine.sync(delete=True))["ml"] in (Action.PUSH, Action.NOTHING)
        assert machine.engine.prefix_for("ml") in machine.engine.envs
    # And it can be deleted once more.
    delete(b)
    assert actions(a.sync(delete=True))["ml"] == Action.DELETE_LOCAL


@pytest.mark.parametrize("how", ["a copy", "another", "solved anew", "by hand"])
def test_what_is_brought_back_may_be_older_than_the_deletion(
    pair: Pair, tmp_path: Path, how: str
) -> None:
    a, b = pair
    platform = "osx-arm64" if how == "solved anew" else "linux-64"
    c = FakeMachine(tmp_path / "c", a.bucket, platform=platform)
    if how == "solved anew":
        c.sync()
    elif how != "by hand":
        version = "2.0" if how == "a copy" else "7"
        c.engine.edit("ml", {"python": "3.12", "numpy": version}, at=LATER)
    delete(a)
    b.sync(delete=True)
    if how == "by hand":
        body = b"channels: [fake]\ndependencies: [numpy=7]\n"
        a.bucket.plant("ml.yml", body, LATER)
    else:
        assert actions(c.sync())["ml"] == Action.PUSH
    for machine in pair:
        assert actions(machine.sync(delete=True))["ml"] == Action.PULL
    del b.bucket.objects["ml.yml"]
    assert actions(b.sync(delete=True))["ml"] == Action.PUSH


@pytest.mark.parametrize("side", ["here", "there"])
def test_a_change_beats_a_deletion(pair: Pair, side: str) -> None:
    a, b = pair
    remover, editor = (a, b) if side == "there" else (b, a)
    ours = change(editor, "3")
    if side == "here":
        editor.sync()
        remover.engine.drop("ml")
    else:
        delete(remover)
        editor.sync(delete=True)
    for machine in (remover, editor):
        machine.sync(delete=True)
        assert machine.engine.digest("ml") == machine.remote("ml") == ours


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_deletion_goes_no_wrong_way(pair: Pair, direction: str) -> None:
    a, b = pair
    if direction == "push":
        delete(a)
        machine = b
    else:
        a.engine.drop("ml")
        machine = a
    result = machine.sync(delete=True, direction=direction)
    assert actions(result)["ml"] == Action.HOLD
    assert machine.asked is None
    assert not machine.did()


def test_deleting_more_than_half_stops_before_anything_is_touched(pair: Pair) -> None:
    a, b = pair
    for name in ("more", "most"):
        a.engine.drop(name)
    a.engine.edit("new", {"numpy": "1"})
    with pytest.raises(SafetyError, match="2 of 3 .*more, most") as caught:
        a.sync(delete=True)
    assert caught.value.return_code == 3
    assert not a.did()
    a.sync(delete=True, force=True)
    with pytest.raises(SafetyError, match="2 of 3"):
        b.sync(delete=True)
    assert b.asked is None
    assert not b.did()
    b.sync(delete=True, force=True)
    assert {prefix.name for prefix in b.engine.envs} == {"base", "ml", "new"}


def test_what_nobody_has_kept_is_kept_before_it_goes(pair: Pair) -> None:
    """A run that only pulls leaves what others have written to those who push."""
    a, _ = pair
    body = b"channels: [fake]\ndependencies: [numpy=7]\n"
    a.bucket.plant("theirs.yml", body, LATER)
    theirs = a.remote("theirs")
    a.sync(direction="pull")
    assert a.history("theirs") == set()
    delete(a, "theirs")
    assert theirs in a.history("theirs")


def test_what_an_old_history_has_lost_is_kept_before_it_goes(pair: Pair) -> None:
    a, b = pair
    digest = a.engine.digest("ml")
    delete(a)
    for kept in a.store.history("ml"):
        if kept.digest == digest[:12] and not kept.key.endswith(".deleted"):
            a.store.discard("ml", kept)
    assert digest not in b.history("ml")
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL
    assert digest in b.history("ml")
    b.restore("ml", digest[:8])
    assert b.engine.digest("ml") == digest


def test_who_may_not_list_the_history_can_push_all_the_same(pair: Pair) -> None:
    a, _ = pair
    a.engine.edit("new", {"numpy": "1"})
    a.before = once("history", raising(AccessDeniedError("denied")), times=99)
    assert actions(a.sync())["new"] == Action.PUSH
    assert a.remote("new") == a.engine.digest("new")


def test_where_the_history_cannot_be_reached_nothing_comes_back_as_deleted(
    pair: Pair,
) -> None:
    a, b = pair
    delete(a)
    b.sync(delete=True)
    b.engine.edit("ml", {"numpy": "9"}, at=START)  # before it was deleted
    b.before = once("history", raising(StoreError("no answer")))
    assert errors(b.sync(delete=True)) == {"ml": "no answer"}
    assert a.remote("ml") is None
    assert actions(b.sync(delete=True))["ml"] == Action.PUSH
    assert actions(a.sync(delete=True))["ml"] == Action.PULL
    assert actions(b.sync(delete=True))["ml"] == Action.NOTHING


def test_what_cannot_be_stated_is_not_deleted(pair: Pair) -> None:
    a, _ = pair
    a.engine.drop("ml")
    a.before = once("keep", raising(StoreError("denied")))
    assert errors(a.sync(delete=True)) == {"ml": "denied"}
    assert a.remote("ml")
    assert actions(a.sync(delete=True))["ml"] == Action.DELETE_REMOTE
