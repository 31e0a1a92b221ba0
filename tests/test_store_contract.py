"""What every store does: the one in memory, and the one on S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from store_worlds import KINDS, THEN, document, make_world

from conda_s3_sync_plugin.exceptions import RemoteChangedError
from conda_s3_sync_plugin.models import Listed, Unknown
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from store_worlds import World

NAMES = [
    "e1",
    "root",
    "ünï-çødé",
    "环境",
    "100%",
    "%41",
    "a+b",
    "q?a=b&c",
    "it's",
    "e~1",
]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> World:
    return make_world(request.param, request)


def test_empty_bucket(world: World) -> None:
    store = world.store()
    assert store.list().environments == {}
    assert store.get("e1") is None
    assert store.get_lock("e1", "0" * 64, "linux-64") is None


def test_what_is_written_is_read(world: World) -> None:
    written = document("dependencies: [python]\n")
    etag = world.store().put("e1", written, replaces=None)
    store = world.store()
    listed = store.list().environments["e1"]
    assert isinstance(listed, Listed)
    assert listed.etag == etag
    read = store.get("e1")
    assert read is not None
    assert (read.etag, read.body) == (etag, written.body)
    assert (read.modified, read.platform, read.foreign) == (THEN, "linux-64", False)


@pytest.mark.parametrize("name", NAMES)
def test_names(world: World, name: str) -> None:
    store = world.store()
    etag = store.put(name, document("one"), replaces=None)
    store.keep(name, document("one"))
    store.put_lock(name, "1" * 64, "linux-64", b"{}")
    assert list(store.list().environments) == [name]
    assert store.get_lock(name, "1" * 64, "linux-64") == b"{}"
    store.put(name, document("two"), replaces=etag)
    read = world.store().get(name)
    assert read is not None
    assert read.body == b"two"


def test_create_only_where_nothing_is(world: World) -> None:
    etag = world.store().put("e1", document("one"), replaces=None)
    with pytest.raises(RemoteChangedError, match="e1"):
        world.store().put("e1", document("two"), replaces=None)
    assert world.store().list().environments["e1"].etag == etag


def test_replace_only_what_was_seen(world: World) -> None:
    store = world.store()
    first = store.put("e1", document("one"), replaces=None)
    second = store.put("e1", document("two"), replaces=first)
    assert second != first
    with pytest.raises(RemoteChangedError):
        world.store().put("e1", document("three"), replaces=first)
    read = store.get("e1")
    assert read is not None
    assert (read.etag, read.body) == (second, b"two")


def test_what_vanished_is_not_replaced(world: World) -> None:
    with pytest.raises(RemoteChangedError):
        world.store().put("e1", document("one"), replaces="0" * 32)
    assert world.keys() == []


@pytest.mark.parametrize("exists", [False, True], ids=["create", "replace"])
def test_one_of_many_writers_wins(world: World, exists: bool) -> None:
    replaces = None
    if exists:
        replaces = world.store().put("e1", document("old"), replaces=None)
    barrier = Barrier(16, timeout=30)
    shared = world.store()

    def write(number: int) -> str | None:
        store = shared if number % 4 else world.store()
        barrier.wait()
        try:
            return store.put("e1", document(f"by {number}"), replaces=replaces)
        except RemoteChangedError:
            return None

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(write, range(16)))
    winners = [number for number, etag in enumerate(results) if etag]
    # Where writes have no conditions, one may win after the other.
    assert len(winners) == 1 or (winners and shared.conditions is Conditions.NONE)
    read = world.store().get("e1")
    assert read is not None
    assert (read.etag, read.body) in [
        (results[winner], f"by {winner}".encode()) for winner in winners
    ]


def test_history_is_kept_apart_and_never_changed(world: World) -> None:
    store = world.store()
    for seconds in range(3):
        version = document(f"version {seconds}", THEN + timedelta(seconds=seconds))
        for _ in range(2):
            store.keep("e1", version)
    assert store.list().environments == {}
    digests = [document(f"version {seconds}").digest[:12] for seconds in range(3)]
    assert world.keys() == [
        f"team/a/.s3-sync/e1/20240506T070809.123456Z-{digests[0]}.yml",
        f"team/a/.s3-sync/e1/20240506T070810.123456Z-{digests[1]}.yml",
        f"team/a/.s3-sync/e1/20240506T070811.123456Z-{digests[2]}.yml",
    ]


def test_locks(world: World) -> None:
    store, digest = world.store(), "ab" * 32
    store.put_lock("e1", digest, "linux-64", b'{"first": 1}')
    store.put_lock("e1", digest, "linux-64", b'{"second": 2}')
    store.put_lock("e1", digest, "win-64", b"{}")
    assert world.store().get_lock("e1", digest, "linux-64") == b'{"first": 1}'
    assert world.store().get_lock("e1", digest, "osx-arm64") is None
    for body in (b'{"third": 3}', b'{"third": 3}', b'{"4th": 4}'):
        store.put_lock("e1", digest, "linux-64", body, renew=True)
        assert world.store().get_lock("e1", digest, "linux-64") == body
    store.put_lock("e1", digest, "osx-arm64", b"{}", renew=True)
    assert world.store().get_lock("e1", digest, "osx-arm64") == b"{}"
    assert store.list().environments == {}


def test_listing_sees_its_path_only(world: World) -> None:
    keys = ["e0.yml", "team/e0.yml", "team/ab.yml", "team/a.yml", "team/a/sub/e0.yml"]
    for key in [*keys, "team/a/", "team/a/README.md", "team/a/e1.yml"]:
        world.plant(key, b"name: e")
    listing = world.store().list()
    assert list(listing.environments) == ["e1"]
    assert listing.refused == {}


def test_keys_that_cannot_be_environments(world: World) -> None:
    bad = ["team/a/.hidden.yml", "team/a/base.yml", "team/a/two words.yml"]
    twins = ["team/a/twin.yaml", "team/a/twin.yml"]
    for key in [*bad, *twins, "team/a/good.yml", "team/a/root.yml"]:
        world.plant(key, b"name: e")
    listing = world.store().list()
    assert set(listing.environments) == {"good", "root", "twin"}
    assert set(listing.refused) == set(bad)
    unclear = listing.environments["twin"]
    assert isinstance(unclear, Unknown)
    assert all(twin in unclear.reason for twin in twins)


def test_objects_of_others(world: World) -> None:
    world.plant("team/a/e1.yaml", b"dependencies: [a]\n")
    store = world.store()
    etag = store.list().environments["e1"].etag
    read = store.get("e1")
    assert read is not None
    assert (read.etag, read.foreign, read.platform) == (etag, True, "")
    assert abs(datetime.now(timezone.utc) - read.modified) < timedelta(minutes=10)
    store.put("e1", document("ours"), replaces=etag)
    assert world.keys() == ["team/a/e1.yaml"]
    again = store.get("e1")
    assert again is not None
    assert not again.foreign


def test_times_are_instants(world: World) -> None:
    zone = timezone(timedelta(hours=-7))
    for modified in (THEN.astimezone(zone), THEN.replace(microsecond=0)):
        store = world.store()
        store.list()
        there = store.get("e1")
        later = document(str(modified), modified)
        store.put("e1", later, replaces=there.etag if there else None)
        read = store.get("e1")
        assert read is not None
        assert read.modified == modified


def test_known_conditions_are_taken_over(world: World) -> None:
    first = world.store()
    first.put("e1", document("one"), replaces=None)
    second = world.store()
    second.conditions = first.conditions
    with pytest.raises(RemoteChangedError):
        second.put("e1", document("two"), replaces=None)
    assert second.conditions == first.conditions


def test_identity_tells_locations_apart(world: World) -> None:
    assert world.store().identity == world.store().identity
    assert "/team/a" in world.store().identity


def test_large_objects_are_written(world: World) -> None:
    lock = b"0123456789" * 300_000
    world.store().put_lock("e1", "c" * 64, "linux-64", lock)
    assert world.store().get_lock("e1", "c" * 64, "linux-64") == lock
