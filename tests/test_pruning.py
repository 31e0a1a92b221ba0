"""Old versions go, but none that anybody may still need."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fake_engine import Clock
from fake_machine import LATER, NOW, Pair, actions, errors, is_quiet, make_pair, once
from fake_machine import raising as failing
from fakes import MemoryBucket, MemoryStore
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_s3_sync_plugin.archive import by_age
from conda_s3_sync_plugin.exceptions import StoreError
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.pruning import prune, superfluous
from conda_s3_sync_plugin.versions import Kept, Kind
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

DAY = timedelta(days=1)
LOCK, VERSION, LOSER, DELETED = Kind.LOCK, Kind.VERSION, Kind.LOSER, Kind.DELETED
VERSIONS = (VERSION, LOSER, Kind.ASIDE)


def kept(kind: Kind, digest: str, age: float, written: float | None = None) -> Kept:
    """Return an object of some days ago; `digest` is a sign."""
    moment = NOW - age * DAY
    seen = NOW - (age if written is None else written) * DAY
    key = f"{kind}-{digest}-{age}-{written}"
    return Kept(key, kind, digest * 12, moment, seen, "any" if kind is LOCK else "")


def chosen(*history: Kept, keep: int = 2, current: str = "c") -> list[Kept]:
    digest = current * 64
    return superfluous(history, current=digest, keep=keep, now=NOW)


def test_the_latest_stay() -> None:
    latest, earlier, old = (
        kept(VERSION, d, a) for d, a in zip("abd", (1, 2, 3), strict=True)
    )
    assert chosen(latest, old, earlier) == [old]
    assert chosen(latest, old, earlier, keep=1) == [earlier, old]
    assert chosen(latest, old, earlier, keep=3) == []


def test_the_current_one_stays_however_old() -> None:
    history = [kept(VERSION, digest, age) for age, digest in enumerate("abdc")]
    assert chosen(*history) == [history[2]]


@pytest.mark.parametrize(("age", "stays"), [(29, True), (31, False)])
def test_who_has_lost_a_conflict_has_some_weeks_to_notice(
    age: float, stays: bool
) -> None:
    latest = [kept(VERSION, digest, 0) for digest in "ab"]
    # How old the version itself is does not matter: it was kept that long ago.
    for made in (age, 400):
        loser = kept(LOSER, "d", made, written=age)
        assert chosen(*latest, loser) == ([] if stays else [loser])


@pytest.mark.parametrize(("age", "stays"), [(0.9, True), (1.1, False)])
def test_what_was_just_written_may_be_about_to_become_current(
    age: float, stays: bool
) -> None:
    latest = [kept(VERSION, digest, 0) for digest in "ab"]
    new = kept(VERSION, "d", 400, written=age)
    assert chosen(*latest, new) == ([] if stays else [new])


def test_one_version_under_two_names_counts_once_and_stays_as_one() -> None:
    latest = [kept(VERSION, "a", 1), kept(LOSER, "a", 1, written=40)]
    second, old = kept(VERSION, "b", 2), kept(VERSION, "d", 3)
    assert chosen(*latest, second, old) == [old]
    young = [kept(VERSION, "e", 9), kept(LOSER, "e", 9)]
    assert chosen(*latest, second, *young) == []


def test_locks_go_with_the_last_of_their_versions() -> None:
    latest = [kept(VERSION, "a", 1), kept(VERSION, "b", 2)]
    gone = kept(VERSION, "d", 3)
    again = kept(VERSION, "b", 4)
    locks = [kept(LOCK, digest, 4) for digest in "abd"]
    assert chosen(*latest, gone, again, *locks) == [gone, again, locks[2]]


@pytest.mark.parametrize(("age", "stays"), [(0.9, True), (1.1, False)])
def test_a_lock_may_wait_for_its_version(age: float, stays: bool) -> None:
    lock = kept(LOCK, "d", age)
    assert chosen(kept(VERSION, "a", 1), lock) == ([] if stays else [lock])


def test_statements_are_counted_for_themselves() -> None:
    versions = [kept(VERSION, "a", 2), kept(VERSION, "b", 4)]
    statements = [
        kept(DELETED, digest, age) for digest, age in zip("abd", (1, 3, 5), strict=True)
    ]
    assert chosen(*versions, *statements) == [statements[2]]


def version_of(item: Kept) -> tuple[datetime, str]:
    return item.modified, item.digest


ages = st.integers(0, 60)
objects = st.builds(kept, st.sampled_from(Kind), st.sampled_from("abcd"), ages, ages)
histories = st.lists(objects, max_size=12, unique_by=lambda item: item.key)


@settings(deadline=None)
@given(history=histories, keep=st.integers(1, 4), current=st.sampled_from("abcd"))
def test_whatever_the_history_nothing_needed_goes(
    history: list[Kept], keep: int, current: str
) -> None:
    going = chosen(*history, keep=keep, current=current)
    staying = [item for item in history if item not in going]
    assert len(going) + len(staying) == len(history)
    versions = [item for item in history if item.kind in VERSIONS]
    left = [item for item in staying if item in versions]
    assert not any(
        item.digest == current * 12
        or (item.kind is LOSER and NOW - item.written < 30 * DAY)
        for item in going
        if item in versions
    )
    times = sorted(versions, key=by_age, reverse=True)
    latest = set(list(dict.fromkeys(map(version_of, times)))[:keep])
    assert latest <= set(map(version_of, left))
    digests = {item.digest for item in left}
    assert not any(item.kind is LOCK and item.digest in digests for item in going)
    # But no more than that: what stays of old age is what is needed.
    for item in left:
        ages = [
            (v.kind, NOW - v.written) for v in left if version_of(v) == version_of(item)
        ]
        assert (
            version_of(item) in latest
            or item.digest == current * 12
            or any(age < (30 * DAY if kind is LOSER else DAY) for kind, age in ages)
        )
    # And the second time there is nothing left to do.
    assert chosen(*staying, keep=keep, current=current) == []


def test_only_that_is_deleted_from_the_bucket() -> None:
    clock = Clock(NOW - 6 * DAY)
    store = MemoryStore(MemoryBucket(clock=clock))
    for number in (4, 3, 2, 1, 0):
        clock.advance(days=1)
        moment, digest = clock(), str(number) * 64
        store.keep("ml", Document(b"", digest, moment))
        store.keep("other", Document(b"", digest, moment))
    store.put("ml", Document(b"", "4" * 64, NOW - 4 * DAY), replaces=None)
    prune(store, "ml", current="4" * 64, keep=2, now=NOW)
    digests = [item.digest[0] for item in store.history("ml")]
    assert digests == ["4", "1", "0"]
    assert len(store.history("other")) == 5
    assert store.get("ml")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def push(pair: Pair, *versions: int, keep_versions: int) -> None:
    a, _ = pair
    clock = a.bucket.clock
    assert isinstance(clock, Clock)
    for version in versions:
        # What is younger than a day stays in any case.
        clock.advance(days=2)
        a.engine.edit("ml", {"numpy": str(version)}, at=clock())
        assert not errors(a.sync(keep_versions=keep_versions))


def count(pair: Pair) -> int:
    history = pair[0].store.history("ml")
    return sum(item.kind is VERSION for item in history)


def test_pushing_keeps_about_as_many_as_are_wanted(pair: Pair) -> None:
    a, b = pair
    listed = 0
    for version in range(1, 31):
        push(pair, version, keep_versions=10)
        listed += a.did("history")["history"]
        # Looked for with every fifth part of that.
        assert min(version, 10) <= count(pair) <= 11
    # One for what may have been deleted; a listing is not for nothing.
    assert listed == 1 + 30 / 2
    assert is_quiet(a.sync(keep_versions=10))
    b.sync()
    assert b.engine.versions("ml") == {"numpy": "30"}
    b.restore("ml")
    assert b.engine.versions("ml") == {"numpy": "29"}


def test_a_merge_is_a_push_like_any_other(pair: Pair) -> None:
    a, b = pair
    clock = a.bucket.clock
    assert isinstance(clock, Clock)
    push(pair, 0, keep_versions=10)
    for number in range(1, 16):
        # What has lost a conflict would stay for longer.
        clock.advance(days=40)
        for machine, package in ((a, "scipy"), (b, "zlib")):
            assert not errors(machine.sync())
            packages = {**machine.engine.versions("ml"), package: str(number)}
            machine.engine.edit("ml", packages, at=clock())
        assert not errors(a.sync())
        result = b.sync(prefer="merge", keep_versions=10)
        assert actions(result) == {"ml": Action.MERGE}
        # Looked for with every second merge, and each time a has pushed one, too.
        assert count(pair) <= 10 + 2 * 2


@pytest.mark.parametrize(("keep", "left"), [(0, 5), (1, 1), (50, 5)])
def test_none_is_for_ever_and_one_is_the_current_one(
    pair: Pair, keep: int, left: int
) -> None:
    push(pair, *range(5), keep_versions=keep)
    assert count(pair) == left
    assert pair[0].remote("ml") in pair[0].history("ml")


def test_the_current_one_is_whichever_was_pushed_last(pair: Pair) -> None:
    a, b = pair
    push(pair, 1, 2, 3, keep_versions=0)
    b.engine.edit("ml", {"numpy": "9"}, at=LATER)
    ours = b.engine.digest("ml")
    b.sync(prefer="local", keep_versions=1)
    assert b.remote("ml") == ours
    assert ours in b.history("ml")
    # Of two that are needed, one is the latest, and what has lost is young.
    assert a.engine.digest("ml") in b.history("ml")


def test_who_may_not_delete_pushes_all_the_same(pair: Pair) -> None:
    a, _ = pair
    push(pair, 1, 2, keep_versions=0)
    a.before = once("discard", failing(StoreError("denied")), times=9)
    push(pair, 3, keep_versions=1)
    assert count(pair) == 3
    a.before = None
    push(pair, 4, keep_versions=1)
    assert count(pair) == 1


def test_who_has_not_kept_up_loses_nothing(pair: Pair) -> None:
    """A machine whose version is long gone from the history goes on from there."""
    _, b = pair
    push(pair, 1, keep_versions=1)
    b.sync()
    old = b.engine.digest("ml")
    push(pair, 2, 3, keep_versions=1)
    assert old not in b.history("ml")
    assert actions(b.sync()) == {"ml": Action.PULL}
    push(pair, 4, keep_versions=1)
    b.engine.edit("ml", {"numpy": "8"}, at=LATER)
    ours = b.engine.digest("ml")
    b.sync(prefer="merge")
    assert ours in (b.engine.digest("ml"), *b.history("ml"))
