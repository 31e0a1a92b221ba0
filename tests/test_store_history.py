"""What every store does with histories, and with what is deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store_worlds import KINDS, THEN, document, make_world

from conda_s3_sync_plugin.exceptions import RemoteChangedError
from conda_s3_sync_plugin.versions import Kind

if TYPE_CHECKING:
    from store_worlds import World

#: What people and other programs may leave in the folder of a history.
FOREIGN = [
    "notes.txt",
    "20240506T070809.123456Z-0123456789ab",
    "20240506T070809.123456Z-0123456789ab.txt",
    "20240506T070809.123456Z-0123456789AB.yml",
    "20240506T070809.123456Z-0123456789a.yml",
    "20240506T070809Z-0123456789ab.yml",
    "20241306T070809.123456Z-0123456789ab.yml",
    "20240506T070809.123456Z-0123456789ab.loser.deleted",
    "0123456789ab.json",
    "0123456789ab.linux 64.json",
    "sub/20240506T070809.123456Z-0123456789ab.yml",
]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> World:
    return make_world(request.param, request)


def test_only_what_was_seen_is_deleted(world: World) -> None:
    store = world.store()
    store.keep("e1", document("one"))
    first = store.put("e1", document("one"), replaces=None)
    second = world.store().put("e1", document("two"), replaces=first)
    with pytest.raises(RemoteChangedError, match="delete.*e1"):
        store.delete("e1", etag=first)
    assert store.list().environments["e1"].etag == second
    # What is gone need not be deleted, whoever has done it.
    for _ in range(2):
        store.delete("e1", etag=second)
        assert store.get("e1") is None
        assert store.list().environments == {}
    store.delete("never", etag=second)
    assert [kept.kind for kept in store.history("e1")] == [Kind.VERSION]
    # And it can come again.
    store.put("e1", document("one"), replaces=None)
    assert "e1" in store.list().environments


def test_what_was_listed_under_another_ending_is_deleted_there(world: World) -> None:
    world.plant("team/a/e1.yaml", b"dependencies: [a]\n")
    world.plant("team/a/e2.yml", b"dependencies: [a]\n")
    store = world.store()
    store.delete("e1", etag=store.list().environments["e1"].etag)
    assert world.keys() == ["team/a/e2.yml"]


def test_a_history_has_all_kinds_in_the_order_of_their_times(world: World) -> None:
    store, written = world.store(), document("x")
    # Servers tell when an object was written in whole seconds.
    kinds = (Kind.VERSION, Kind.LOSER, Kind.DELETED)
    for seconds, kind in enumerate(kinds):
        moment = THEN + timedelta(seconds=seconds)
        for text in ("x", "not written any more"):
            store.keep(
                "e1", replace(written, body=text.encode(), modified=moment), kind
            )
    store.keep("e10", document("of another"))
    store.put("e1", written, replaces=None)
    history = world.store().history("e1")
    assert [(kept.kind, kept.modified) for kept in history] == [
        (Kind.VERSION, THEN),
        (Kind.LOSER, THEN + timedelta(seconds=1)),
        (Kind.DELETED, THEN + timedelta(seconds=2)),
    ]
    assert {kept.digest for kept in history} == {written.digest[:12]}
    endings = [kept.key.partition(written.digest[:12])[2] for kept in history]
    assert endings == [".yml", ".loser.yml", ".deleted"]
    for kept in history:
        read = store.get_kept("e1", kept)
        assert read is not None
        assert (read.body, read.modified) == (b"x", kept.modified)
        assert (read.platform, read.foreign) == ("linux-64", False)
    assert store.history("never") == ()


def test_a_history_tells_of_locks_by_their_platform(world: World) -> None:
    store = world.store()
    for platform in ("win-64", "linux-64"):
        store.put_lock("e1", "ab" * 32, platform, b"{}")
    history = store.history("e1")
    assert sorted(kept.platform for kept in history) == ["linux-64", "win-64"]
    for kept in history:
        assert (kept.kind, kept.digest) == (Kind.LOCK, "ab" * 6)
        assert kept.modified == kept.written > THEN


def test_what_others_leave_in_a_history_is_no_part_of_it(world: World) -> None:
    for file in FOREIGN:
        world.plant(f"team/a/.s3-sync/e1/{file}", b"?")
    world.plant("team/.s3-sync/e1/20240506T070809.123456Z-0123456789ab.yml", b"?")
    assert world.store().history("e1") == ()


@pytest.mark.parametrize("name", ["root", "环境", "100%", "a+b", "it's"])
def test_a_history_is_found_whatever_the_name(world: World, name: str) -> None:
    store = world.store()
    store.keep(name, document("x"))
    (kept,) = store.history(name)
    read = store.get_kept(name, kept)
    assert read is not None
    assert read.body == b"x"
    store.discard(name, kept)
    assert store.history(name) == ()


def test_what_is_discarded_is_gone_and_nothing_else(world: World) -> None:
    store = world.store()
    store.put("e1", document("one"), replaces=None)
    for text in ("one", "two"):
        store.keep("e1", document(text, THEN + timedelta(seconds=len(text))))
        store.put_lock("e1", document(text).digest, "linux-64", b"{}")
    one = document("one").digest
    for kept in store.history("e1"):
        if kept.digest == one[:12]:
            for _ in range(2):  # another machine may have done so
                store.discard("e1", kept)
            assert store.get_kept("e1", kept) is None
    assert {kept.digest for kept in store.history("e1")} == {
        document("two").digest[:12]
    }
    assert store.get_lock("e1", one, "linux-64") is None
    assert store.get("e1") is not None
