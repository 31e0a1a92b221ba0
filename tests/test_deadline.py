"""A store that gives up in time; what else it does is in the contract of all stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import MemoryStore
from machine import TIMEOUT
from store_worlds import document

from conda_s3_sync_plugin.deadline import DeadlineStore
from conda_s3_sync_plugin.exceptions import RemoteChangedError, StoreError


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_store_that_does_not_answer_is_given_up() -> None:
    released, store = threading.Event(), MemoryStore()
    store.before = lambda *_: released.wait(TIMEOUT) and None
    late = DeadlineStore(store, 0.01)
    try:
        with pytest.raises(StoreError, match="has not answered within 0.01 s") as told:
            late.list()
        assert told.value.hint == "The next run does what is left."
    finally:
        released.set()


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
