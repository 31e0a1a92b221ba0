"""What the history states to be deleted, where the deletion fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    FakeMachine,
    Pair,
    actions,
    change,
    errors,
    is_quiet,
    make_deleting_pair,
    once,
    raising,
)

from conda_s3_sync_plugin.chronicle import document, read_chronicle
from conda_s3_sync_plugin.exceptions import AccessDeniedError, StoreError
from conda_s3_sync_plugin.models import Scope
from conda_s3_sync_plugin.timeline import is_gone
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path

    from fake_engine import Hook


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_deleting_pair(tmp_path)


def denied(*operations: str) -> Hook:
    """Return a hook for who may not do some of it."""

    def hook(at: str, _: str) -> None:
        if at in operations:
            raise AccessDeniedError("denied")

    return hook


def is_stated(machine: FakeMachine) -> bool:
    """Tell whether the last word on `ml` is that it was deleted."""
    return is_gone(machine.store.history("ml"))


def vanish(machine: FakeMachine) -> None:
    """Delete the file of `ml` without a word, as another program does."""
    del machine.bucket.objects["ml.yml"]


@pytest.mark.parametrize("error", [AccessDeniedError("no"), StoreError("no")])
def test_a_deletion_that_fails_is_not_stated(pair: Pair, error: StoreError) -> None:
    a, b = pair
    a.engine.drop("ml")
    assert errors(a.run(once("delete", raising(error)), delete=True)) == {"ml": "no"}
    assert not is_stated(a)
    vanish(b)
    assert actions(b.sync(delete=True))["ml"] == Action.PUSH


def test_a_deletion_whose_reply_was_lost_is_stated_and_travels(pair: Pair) -> None:
    a, b = pair
    a.engine.drop("ml")
    a.store.after = once("delete", raising(StoreError("no answer")))
    assert errors(a.sync(delete=True)) == {"ml": "no answer"}
    assert is_stated(a)
    assert actions(a.sync(delete=True))["ml"] == Action.FORGET
    assert actions(b.sync(delete=True))["ml"] == Action.DELETE_LOCAL


def test_what_is_stated_by_who_may_not_delete_is_believed_by_nobody(
    pair: Pair,
) -> None:
    a, b = pair
    a.engine.drop("ml")
    for _ in range(2):
        result = a.run(denied("delete", "discard"), delete=True)
        assert errors(result) == {"ml": "denied"}
    # In the bucket as it is, it is told as such.
    assert is_stated(a)
    chronicle = read_chronicle(b.session(Scope()), "ml")
    assert [entry.is_deletion for entry in chronicle.entries] == [False]
    assert document(chronicle)["versions"][0]["current"] == ["in the bucket", "here"]
    # And once it has come back, it is not so any more.
    a.before = denied("delete", "discard")
    assert actions(a.sync())["ml"] == Action.PULL
    assert is_quiet(a.sync())
    vanish(b)
    assert actions(b.sync(delete=True))["ml"] == Action.PUSH


def test_who_may_not_delete_may_lose_a_race_all_the_same(pair: Pair) -> None:
    a, b = pair
    a.engine.drop("ml")
    theirs = change(b, "3")
    push = once("delete", lambda: b.sync())

    def hook(at: str, name: str) -> None:
        push(at, name)
        denied("discard")(at, name)

    result = a.run(hook, delete=True)
    assert actions(result)["ml"] == Action.PULL
    assert not errors(result)
    assert a.engine.digest("ml") == theirs
    assert not is_stated(a)


def test_pulling_only_asks_for_no_history(pair: Pair) -> None:
    a, _ = pair
    a.engine.drop("ml")
    assert actions(a.sync(direction="pull"))["ml"] == Action.PULL
    assert not a.did("history", "keep")
