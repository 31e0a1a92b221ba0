"""A new name travels as one: as no deletion, and without a solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    FakeMachine,
    Pair,
    actions,
    errors,
    in_step,
    is_quiet,
    make_deleting_pair,
    make_pair,
    once,
    raising,
    rename,
)

from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_deleting_pair(tmp_path)


def test_a_renaming_travels_without_a_solve(pair: Pair, tmp_path: Path) -> None:
    a, b = pair
    mac = FakeMachine(tmp_path / "mac", a.bucket, platform="osx-arm64")
    mac.sync()
    rename(a, "ml", "ai")
    for machine, gone in ((a, Action.DELETE_REMOTE), (b, Action.DELETE_LOCAL)):
        result = machine.sync(delete=True)
        reasons = {o.step.name: o.step.reason for o in result.outcomes}
        assert actions(result)["ml"] == gone
        assert (reasons["ai"], reasons["ml"]) == (
            "renamed from ml",
            "renamed to ai",
        )
        # The old one goes last.
        assert machine.watcher.told[-1] == ("finish", "ml")
    assert b.engine.versions("ai")
    assert b.engine.calls["solve"] == 0
    # Other platforms have the locks that they had.
    solved = mac.engine.calls["solve"]
    mac.sync(delete=True)
    assert mac.engine.calls["solve"] == solved
    assert mac.engine.versions("ai") == a.engine.versions("ai")
    for machine in (a, b, mac):
        assert is_quiet(machine.sync(delete=True))


@pytest.mark.parametrize(
    ("machine", "operation"), [(0, "put"), (1, "link")], ids=["push", "pull"]
)
def test_the_old_name_stays_until_the_new_one_is_there(
    pair: Pair, machine: int, operation: str
) -> None:
    one = pair[machine]
    rename(pair[0], "ml", "ai")
    if machine:
        pair[0].sync(delete=True)
    one.before = once(operation, raising(EngineError("no")))
    told = errors(one.sync(delete=True))
    assert told["ai"] == "no"
    assert "ai, its new name" in told["ml"]
    assert not one.did("delete", "remove")
    assert not errors(one.sync(delete=True))
    assert one.did("delete", "remove").total() == 1


def test_a_new_name_is_no_deletion(tmp_path: Path) -> None:
    """Where it is the only environment, not even of all that is known."""
    a, b = make_pair(tmp_path)
    in_step(a, b)
    rename(a, "ml", "ai")
    for machine in (a, b):
        machine.sync(delete=True)
        assert [prefix.name for prefix in machine.engine.envs] == ["base", "ai"]


def test_without_deletions_both_names_stay_with_a_word(pair: Pair) -> None:
    a, b = pair
    rename(a, "ml", "ai")
    result = a.sync()
    assert actions(result)["ml"] == Action.PULL
    hints = {o.step.name: o.step.hint for o in result.outcomes}
    assert hints["ml"].startswith("It is ai now")
    b.sync()
    assert b.engine.digest("ai") == b.engine.digest("ml")
