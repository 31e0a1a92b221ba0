"""A store that gives up in time; what else it does is in the contract of all stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from fake_machine import actions, errors, in_step, is_quiet, make_pair
from fakes import MemoryStore
from machine import TIMEOUT
from store_worlds import THEN, document

from conda_s3_sync_plugin import deadline
from conda_s3_sync_plugin.deadline import DeadlineStore
from conda_s3_sync_plugin.exceptions import RemoteChangedError, StoreError
from conda_s3_sync_plugin.versions import Kept, Kind
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conda_s3_sync_plugin.protocols import Store


KEPT = Kept(".history/ml/key", Kind.VERSION, "0" * 12, THEN, THEN)

#: What is called -> what could not be done then.
CALLS: dict[str, tuple[Callable[[Store], object], str]] = {
    "list": (lambda store: store.list(), "list the environments"),
    "get": (lambda store: store.get("ml"), "read environment ml"),
    "put": (
        lambda store: store.put("ml", document("text"), replaces=None),
        "write environment ml",
    ),
    "delete": (
        lambda store: store.delete("ml", etag="0" * 32),
        "delete environment ml",
    ),
    "keep": (
        lambda store: store.keep("ml", document("text")),
        "write the history of environment ml",
    ),
    "history": (
        lambda store: store.history("ml"),
        "list the history of environment ml",
    ),
    "get_kept": (
        lambda store: store.get_kept("ml", KEPT),
        "read the history of environment ml",
    ),
    "discard": (
        lambda store: store.discard("ml", KEPT),
        "remove from the history of environment ml",
    ),
    "get_lock": (
        lambda store: store.get_lock("ml", "0" * 64, "linux-64"),
        "read the lock of environment ml",
    ),
    "put_lock": (
        lambda store: store.put_lock("ml", "0" * 64, "linux-64", b"{}"),
        "write the lock of environment ml",
    ),
}


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def silent() -> Iterator[threading.Event]:
    """Let whoever waits for it go on when the test ends."""
    released = threading.Event()
    yield released
    released.set()


def test_a_store_that_does_not_answer_is_given_up(silent: threading.Event) -> None:
    store = MemoryStore()
    store.before = lambda *_: silent.wait(TIMEOUT) and None
    with pytest.raises(StoreError, match=r"in full within 0.01 s\.") as told:
        DeadlineStore(store, 0.01).list()
    assert told.value.hint == "Check the network. The next run does what is left."


def test_one_call_is_given_up_and_the_next_has_time_again(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    late = DeadlineStore(store)
    for operation in ("list", "get"):
        monkeypatch.setattr(deadline, "PATIENCE", 0.01)
        store.before = lambda *_: silent.wait(TIMEOUT) and None
        with pytest.raises(StoreError, match=r"in full within 0.01 s\."):
            CALLS[operation][0](late)
        monkeypatch.setattr(deadline, "PATIENCE", TIMEOUT)
        store.before = None
        assert late.get("ml") is None


@pytest.mark.parametrize("operation", CALLS)
def test_what_was_given_up_is_told(operation: str) -> None:
    store = MemoryStore()
    call, doing = CALLS[operation]
    with pytest.raises(StoreError) as told:
        call(DeadlineStore(store, 0))
    assert told.value.summary.startswith(f"Cannot {doing}: the bucket has not ")
    call(DeadlineStore(store))
    assert store.calls == {operation: 1}


@pytest.mark.parametrize("operation", ["get", "get_lock", "keep", "put"])
def test_an_environment_that_is_given_up_stops_no_other(
    operation: str,
    silent: threading.Event,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = make_pair(tmp_path)
    in_step(theirs, others=["down"])
    ours.engine.edit("up", {"numpy": "1"})
    ours.engine.edit("other", {"numpy": "1"})
    name = "down" if operation.startswith("get") else "up"

    def fall_silent(at: str, of: str) -> None:
        if (at, of) == (operation, name):
            silent.wait(TIMEOUT)

    monkeypatch.setattr(ours, "store", DeadlineStore(ours.store))
    monkeypatch.setattr(deadline, "PATIENCE", 2)
    result = ours.run(fall_silent)
    told = {outcome.step.name: outcome.step.reason for outcome in result.outcomes}
    assert f"environment {name}: the bucket" in (told | errors(result))[name]
    rest = {"down": Action.PULL, "up": Action.PUSH, "other": Action.PUSH}
    rest["ml"] = Action.PULL
    del rest[name]
    assert actions(result).items() >= rest.items()
    assert errors(result).keys() <= {name}
    silent.set()
    assert not errors(ours.sync())
    assert is_quiet(ours.sync())


def test_who_gives_up_waits_for_nothing_and_asks_no_more(
    silent: threading.Event,
) -> None:
    store, asked = MemoryStore(), threading.Event()

    def fall_silent(*_: str) -> None:
        asked.set()
        silent.wait(TIMEOUT)

    store.before = fall_silent
    late = DeadlineStore(store)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(late.list)
        assert asked.wait(TIMEOUT)
        late.give_up()
        with pytest.raises(StoreError):
            waiting.result(TIMEOUT)
    with pytest.raises(StoreError):
        late.get("ml")
    assert store.calls == {"list": 1}


def test_the_time_of_all_calls_counts_and_then_none_is_made() -> None:
    clock, store = Clock(), MemoryStore()
    late = DeadlineStore(store, 30, clock=clock)

    def take(*_: str) -> None:
        clock.now += 14

    store.before = take
    clock.now += 100  # what happens between the calls does not count
    late.list()
    clock.now += 100
    late.get("ml")
    late.get("ml")
    calls = store.calls.copy()
    for _ in range(2):
        with pytest.raises(StoreError, match="within 30 s"):
            late.get("ml")
    assert store.calls == calls == {"list": 1, "get": 2}


def test_calls_side_by_side_count_once() -> None:
    clock, store = Clock(), MemoryStore()
    late = DeadlineStore(store, 30, clock=clock)
    together = threading.Barrier(4, action=lambda: setattr(clock, "now", 1020.0))
    store.before = lambda *_: together.wait(TIMEOUT) and None
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(late.get, "abcd")) == [None] * 4
    store.before = None
    assert late.get("e") is None


def test_what_the_store_raises_comes_through() -> None:
    late = DeadlineStore(MemoryStore(), TIMEOUT)
    with pytest.raises(RemoteChangedError):
        late.put("ml", document("text"), replaces="0" * 32)
