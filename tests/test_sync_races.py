"""What fails, and who is faster: nothing is lost, and nobody is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    LATER,
    LATEST,
    Pair,
    actions,
    change,
    errors,
    in_step,
    is_quiet,
    make_pair,
    once,
)

from conda_s3_sync_plugin.exceptions import EngineError, StateError, StoreError
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def failing(operation: str, name: str, error: Exception) -> Callable[[str, str], None]:
    def fail(at: str, of: str) -> None:
        if (at, of) == (operation, name):
            raise error

    return fail


@pytest.mark.parametrize(
    ("operation", "name", "error"),
    [
        ("look", "up", EngineError("no")),
        ("export", "up", EngineError("no")),
        ("put_lock", "up", StoreError("no")),
        ("keep", "up", StoreError("no")),
        ("put", "up", StoreError("no")),
        ("get", "down", StoreError("no")),
        ("get_lock", "down", StoreError("no")),
        ("apply", "down", EngineError("no")),
        ("link", "down", EngineError("no")),
        ("pip", "down", EngineError("no")),
        ("stamp", "down", EngineError("no")),
        ("export", "down", EngineError("no")),
    ],
)
def test_what_fails_stops_no_other_and_is_tried_again(
    pair: Pair, operation: str, name: str, error: Exception
) -> None:
    a, b = pair
    for down in ("a-down", "down", "z-down"):
        a.engine.edit(down, {"numpy": "1", "six": "1"}, pip={"x": "1"})
    a.sync()
    for up in ("a-up", "up", "z-up"):
        b.engine.edit(up, {"numpy": "1"})
    b.before = failing(operation, name, error)
    result = b.sync()
    unsettled = [o.step.name for o in result.outcomes if not o.is_settled]
    assert unsettled == [name]
    assert len(result.outcomes) == 6
    b.before = None
    again = b.sync()
    action = Action.PUSH if name == "up" else Action.PULL
    if (operation, name) == ("stamp", "down"):
        # All of it had arrived.
        action = Action.ADOPT
    done = actions(again)
    assert done.pop(name) == action
    assert set(done.values()) == {Action.NOTHING}
    assert b.remote(name) == b.engine.digest(name)
    assert is_quiet(b.sync())
    a.sync()
    assert a.engine.env(name).content == b.engine.env(name).content


def test_baselines_that_cannot_be_saved_are_told(pair: Pair) -> None:
    a, b = pair
    for name in ("one", "two"):
        a.engine.edit(name, {"numpy": "1"})

    def full() -> None:
        raise StateError("disk full")

    a.before = once("save", full, times=99)
    assert errors(a.sync()) == {"one": "disk full", "two": "disk full"}
    a.before = once("save", full)
    assert list(errors(a.sync()).values()) == ["disk full"]
    assert actions(a.sync())["two"] == Action.NOTHING
    assert is_quiet(a.sync())
    assert set(actions(b.sync()).values()) == {Action.PULL}


def test_without_a_folder_for_new_environments_the_others_go_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("theirs", {"numpy": "1"})
    a.sync()
    change(b)

    def nowhere(name: str) -> Path:
        raise EngineError("no folder is writable")

    prefix = b.engine.prefix_for("ml")
    monkeypatch.setattr(b.engine, "prefix_for", nowhere)
    assert actions(b.sync()) == {"ml": Action.PUSH, "theirs": Action.SKIP}
    assert prefix in b.engine.envs


@pytest.mark.parametrize("operation", ["put_lock", "keep", "put"])
def test_who_loses_a_race_looks_and_plans_again(pair: Pair, operation: str) -> None:
    a, b = pair
    in_step(a, b)
    ours, theirs = change(b, "4", at=LATEST), change(a, "3")
    b.before = once(operation, lambda: a.sync())
    result = b.sync()
    assert actions(result) == {"ml": Action.PUSH}
    assert result.outcomes[0].step.row == 9
    assert b.remote("ml") == ours
    assert theirs in b.history("ml")
    assert is_quiet(b.sync())


def test_who_loses_a_race_may_have_lost_for_good(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    ours, theirs = change(b, "4"), change(a, "3", at=LATEST)
    b.before = once("put", lambda: a.sync())
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == theirs
    assert ours in b.history("ml")


def test_a_race_that_does_not_end_is_an_error(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    versions = iter(range(10, 99))

    def faster() -> None:
        change(a, str(next(versions)))
        a.sync()

    ours = change(b, "4", at=LATEST)
    b.before = once("put", faster, times=99)
    assert "faster" in errors(b.sync())["ml"]
    assert b.did("put") == {"put": 3}
    b.before = None
    assert actions(b.sync()) == {"ml": Action.PUSH}
    assert b.remote("ml") == ours


def test_a_remote_version_that_was_never_read_may_change(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    b.engine.drop("ml")
    theirs = change(a)
    b.before = once("get", lambda: a.sync())
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == theirs
    assert is_quiet(b.sync())


def test_a_push_during_a_pull_is_pulled_next(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    change(a, "3")
    a.sync()

    def push_again() -> None:
        change(a, "4", at=LATEST)
        a.sync()

    b.before = once("apply", push_again)
    b.sync()
    assert b.engine.versions("ml")["numpy"] == "3"
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.versions("ml")["numpy"] == "4"


@pytest.mark.parametrize("moment", ["get_lock", "download"])
@pytest.mark.parametrize("ours", [LATER, LATEST], ids=["older", "newer"])
def test_an_edit_just_before_a_pull_is_not_lost(
    pair: Pair, ours: object, moment: str
) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3", at=LATER if ours is LATEST else LATEST)
    a.sync()
    edited: list[str] = []
    b.before = once(moment, lambda: edited.append(change(b, "4", at=ours)))
    b.sync()
    assert {*edited, theirs} <= {*b.history("ml"), b.remote("ml")}
    assert b.engine.digest("ml") == (edited[0] if ours is LATEST else theirs)
    assert is_quiet(b.sync())


def test_an_edit_that_a_failed_download_has_seen_is_an_edit(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3", at=LATER)
    a.sync()
    edited: list[str] = []

    def edit_and_fail() -> None:
        edited.append(change(b, "4", at=LATEST))
        raise EngineError("no network")

    b.before = once("download", edit_and_fail)
    assert errors(b.sync()) == {"ml": "no network"}
    assert actions(b.sync()) == {"ml": Action.PUSH}
    assert {*edited, theirs} <= b.history("ml")


def test_an_edit_while_pip_runs_is_kept_before_it_is_overwritten(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    change(a, "3", at=LATER)
    a.sync()
    edited: list[str] = []

    def edit() -> None:
        env = b.engine.env("ml")
        env.packages["extra"] = ("1", "0")
        edited.append(b.engine.digest("ml"))

    b.before = once("stamp", edit)
    b.sync()
    change(a, "5", at=LATEST)
    a.sync()
    b.sync()
    assert {*edited} <= {*b.history("ml"), b.remote("ml"), b.engine.digest("ml")}


def test_a_mistake_of_ours_stops_no_other_environment(pair: Pair) -> None:
    a, b = pair
    for name in ("x", "y"):
        a.engine.edit(name, {"numpy": "1"})
    a.sync()
    for operation in ("apply", "look"):
        b.before = failing(operation, "x", TypeError("oops"))
        result = b.sync()
        assert b.engine.versions("y") == {"numpy": "1"}
        (told,) = [one for one in result.outcomes if not one.is_settled]
        assert (told.step.name, "oops" in str(told)) == ("x", True)
    b.before = None
    assert actions(b.sync())["x"] == Action.PULL


def test_an_environment_created_just_before_a_pull_is_not_lost(pair: Pair) -> None:
    a, b = pair
    theirs = change(a, "3", at=LATEST)
    a.sync()
    made: list[str] = []
    b.before = once("get_lock", lambda: made.append(change(b, "4")))
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == theirs
    assert b.history("ml") == {theirs, *made}


@pytest.mark.parametrize("times", [1, 99], ids=["once", "all the time"])
def test_an_edit_while_it_is_read_is_not_pushed_half(pair: Pair, times: int) -> None:
    """The export of row 12, where nothing was read when planning."""
    a, b = pair
    in_step(a, b)
    del b.bucket.objects[b.store.location.key("ml")]
    versions = iter(range(10, 999))
    b.before = once("export", lambda: change(b, str(next(versions))), times=times)
    result = b.sync()
    b.before = None
    if times == 1:
        assert actions(result) == {"ml": Action.PUSH}
        assert result.outcomes[0].step.row == 13
    else:
        assert not result.outcomes[0].is_settled
        assert not b.did("put")
        b.sync()
    assert b.remote("ml") == b.engine.digest("ml")
    assert is_quiet(b.sync())


@pytest.mark.parametrize("moment", ["pip", "stamp", "export"])
def test_an_edit_while_it_is_pulled_is_still_an_edit(pair: Pair, moment: str) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3")
    a.sync()
    edited: list[str] = []
    b.before = once(moment, lambda: edited.append(change(b, "4", at=LATEST)))
    b.sync()
    b.before = None
    b.sync()
    assert {*edited, theirs} <= {*b.history("ml"), b.remote("ml")}
    assert b.remote("ml") == b.engine.digest("ml")


def test_a_lost_reply_is_adopted(pair: Pair) -> None:
    a, _ = pair
    change(a)

    def lost(operation: str, name: str) -> None:
        if operation == "put":
            raise StoreError("no reply")

    a.store.after = lost
    assert errors(a.sync()) == {"ml": "no reply"}
    a.store.after = None
    assert actions(a.sync()) == {"ml": Action.ADOPT}
    assert is_quiet(a.sync())
