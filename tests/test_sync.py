"""The pipeline on fakes: what each row of the table does, where, in which order."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import TYPE_CHECKING

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

from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def delete_remote(machine: FakeMachine) -> None:
    del machine.bucket.objects[machine.store.location.key("ml")]


def test_row_1_new_here_is_pushed_in_the_order_that_is_safe(pair: Pair) -> None:
    a, _ = pair
    a.engine.edit("ml", {"numpy": "2.0"})
    assert actions(a.sync()) == {"ml": Action.PUSH}
    written = [operation for operation, _ in a.log if operation in WRITES]
    # The last save is of what was found out about the server.
    assert written == ["put_lock", "keep", "put", "save", "save"]
    assert a.remote("ml") == a.engine.digest("ml")
    assert a.history("ml") == {a.engine.digest("ml")}


def test_row_2_new_in_the_bucket_is_created_from_its_lock(pair: Pair) -> None:
    a, b = pair
    a.engine.edit("ml", {"numpy": "2.0"}, pip={"x": "1"}, variables={"A": "1"})
    a.sync()
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.env("ml").content == a.engine.env("ml").content
    assert b.engine.env("ml").requested == ("numpy",)
    assert b.engine.env("ml").modified == a.engine.env("ml").modified
    assert not b.engine.calls["solve"]
    # Begun before the environment is touched, remembered after.
    written = [operation for operation, _ in b.log if operation in WRITES]
    assert written == ["apply", "save", "save"]


def test_row_3_and_8_equal_content_is_adopted_without_a_transfer(pair: Pair) -> None:
    a, b = pair
    for machine, at in ((a, START), (b, LATER)):
        machine.engine.edit("ml", {"numpy": "2.0"}, at=at)
    a.sync()
    assert actions(b.sync()) == {"ml": Action.ADOPT}
    assert b.did() == {"save": 1}
    for machine in pair:
        change(machine)
    assert actions(a.sync()) == {"ml": Action.PUSH}
    assert actions(b.sync()) == {"ml": Action.ADOPT}
    assert b.did() == {"save": 1}
    assert is_quiet(b.sync())


@pytest.mark.parametrize("seconds", [-1, 1], ids=["older here", "newer here"])
def test_row_4_never_in_step_the_newest_wins(pair: Pair, seconds: int) -> None:
    a, b = pair
    first = change(a, "1", at=LATER)
    second = change(b, "2", at=LATER + timedelta(seconds=seconds))
    a.sync()
    b.sync()
    assert a.remote("ml") == b.engine.digest("ml") == (first, second)[seconds > 0]
    assert a.history("ml") == {first, second}
    assert is_quiet(b.sync())


def test_row_4_equal_times_leave_both_and_say_so(pair: Pair) -> None:
    a, b = pair
    first, second = change(a, "1"), change(b, "2")
    a.sync()
    for saves in ({"save": 1}, {}):  # that there is a conflict, and nothing else
        result = b.sync()
        assert actions(result) == {"ml": Action.CONFLICT}
        assert not result.outcomes[0].is_settled
        assert b.did() == saves
    assert (b.remote("ml"), b.engine.digest("ml")) == (first, second)


def test_row_5_nothing_to_do_is_one_listing(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    for machine in pair:
        for number in range(20):
            machine.engine.edit(f"e{number}", {"numpy": "2.0"}, at=START)
        machine.sync()
        assert is_quiet(machine.sync())
        assert machine.did("list", "get", "get_lock", "export") == {"list": 1}
        assert not machine.did()


def test_what_is_here_is_looked_at_once_and_while_the_bucket_is_listed(
    pair: Pair,
) -> None:
    a, _ = pair
    in_step(a)
    looked, waited = Event(), []

    def before(operation: str, name: str) -> None:
        if operation == "look":
            looked.set()
        if operation == "list":
            waited.append(looked.wait(60))

    a.before = before
    assert is_quiet(a.sync())
    assert waited == [True]
    assert a.did("look") == {"look": 1}


def test_what_several_would_replace_is_read_at_once(pair: Pair) -> None:
    a, _ = pair
    names = ["ml", "web", "api"]
    in_step(a, others=names[1:])
    for name in names:
        a.engine.edit(name, {"numpy": "9"})
    all_of_them = Barrier(len(names), timeout=60)

    def before(operation: str, name: str) -> None:
        if operation == "get":
            all_of_them.wait()

    a.before = before
    result = a.sync(in_detail=True)
    assert [bool(outcome.difference) for outcome in result.outcomes] == 3 * [True]
    assert not a.did()


def test_row_5_a_touch_is_no_change(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.touch("ml")
    assert is_quiet(a.sync())
    assert a.did("export", *WRITES) == {"export": 1, "save": 1}
    assert is_quiet(a.sync())
    assert not a.did("export", *WRITES)
    assert is_quiet(b.sync())


@pytest.mark.parametrize(
    "edit",
    [
        lambda engine: engine.edit("ml", {"numpy": "3"}),
        lambda engine: engine.edit("ml", pip={"six": "1"}),
        lambda engine: engine.edit("ml", variables={"MODE": "fast"}),
        lambda engine: engine.edit("ml", {}),
    ],
    ids=["packages", "pip", "variables", "all removed"],
)
def test_rows_6_and_7_a_change_travels(pair: Pair, edit: Callable[..., object]) -> None:
    a, b = pair
    in_step(a, b)
    edit(a.engine)
    assert actions(a.sync()) == {"ml": Action.PUSH}
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.env("ml").content == a.engine.env("ml").content
    for machine in pair:
        assert is_quiet(machine.sync())
        assert not machine.did("export", *WRITES)


@pytest.mark.parametrize("prefer", ["newest", "local", "remote"])
@pytest.mark.parametrize("newer", ["here", "there"])
def test_row_9_the_loser_of_a_conflict_is_kept(
    pair: Pair, prefer: str, newer: str
) -> None:
    a, b = pair
    in_step(a, b)
    there = change(a, "3", at=LATEST if newer == "there" else LATER)
    here = change(b, "4", at=LATEST if newer == "here" else LATER)
    a.sync()
    action = actions(b.sync(prefer=prefer))["ml"]
    wins_here = prefer == "local" or (prefer == "newest" and newer == "here")
    assert action == (Action.PUSH if wins_here else Action.PULL)
    assert b.remote("ml") == b.engine.digest("ml") == (here if wins_here else there)
    assert {here, there} <= b.history("ml")
    assert is_quiet(b.sync(prefer=prefer))


def test_row_9_a_change_without_history_has_the_time_of_its_files(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    change(a, at=LATER)
    b.engine.edit("ml", pip={"six": "1"}, at=LATEST)
    ours = b.engine.digest("ml")
    a.sync()
    assert actions(b.sync()) == {"ml": Action.PUSH}
    assert b.remote("ml") == ours
    a.sync()
    assert a.engine.env("ml").modified == LATEST


def test_row_9_preferring_none_leaves_both(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    there, here = change(a, "3"), change(b, "4", at=LATEST)
    a.sync()
    assert actions(b.sync(prefer="none")) == {"ml": Action.CONFLICT}
    assert (b.remote("ml"), b.engine.digest("ml")) == (there, here)
    assert b.did() == {"save": 1}


@pytest.mark.parametrize("is_changed", [False, True], ids=["row 10", "row 11"])
def test_removed_here_comes_back(pair: Pair, is_changed: bool) -> None:
    a, b = pair
    in_step(a, b)
    if is_changed:
        change(a)
        a.sync()
    b.engine.drop("ml")
    result = b.sync()
    assert actions(result) == {"ml": Action.PULL}
    assert bool(result.outcomes[0].step.hint) != is_changed
    assert b.engine.env("ml").content == a.engine.env("ml").content
    assert is_quiet(b.sync())


@pytest.mark.parametrize("is_changed", [False, True], ids=["row 12", "row 13"])
def test_removed_from_the_bucket_goes_back(pair: Pair, is_changed: bool) -> None:
    a, b = pair
    in_step(a, b)
    delete_remote(a)
    if is_changed:
        change(b)
    assert actions(b.sync()) == {"ml": Action.PUSH}
    assert b.remote("ml") == b.engine.digest("ml")
    assert is_quiet(b.sync())


def test_row_14_removed_on_both_sides_is_forgotten(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    b.engine.drop("ml")
    delete_remote(b)
    assert actions(b.sync()) == {"ml": Action.FORGET}
    assert b.baseline("ml") is None
    assert actions(b.sync()) == {}


def test_row_15_what_cannot_be_told_here_is_left_alone(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    change(a)
    a.sync()
    before = b.baseline("ml")
    b.engine.env("ml").broken = True
    for _ in range(2):
        result = b.sync()
        assert actions(result) == {"ml": Action.SKIP}
        assert "history is missing" in result.outcomes[0].step.reason
        assert not b.did()
    assert b.baseline("ml") == before
    b.engine.env("ml").broken = False
    assert actions(b.sync()) == {"ml": Action.PULL}


def test_row_16_a_malformed_document_stops_no_other(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    key, body = b.store.location.key("ml"), b"dependencies: {"
    before = b.baseline("ml")
    b.bucket.plant(key, body)
    change(b)
    b.engine.edit("other", {"numpy": "1"})
    assert actions(b.sync()) == {"ml": Action.SKIP, "other": Action.PUSH}
    assert b.bucket.objects[key].body == body
    assert b.baseline("ml") == before
