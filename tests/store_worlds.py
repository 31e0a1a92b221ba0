"""Stores of each kind over buckets of their own: what a contract is tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

from fakes import MemoryBucket, MemoryStore
from real_server import SERVER

from conda_s3_sync_plugin.deadline import DeadlineStore
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from real_server import RealServer
    from s3server import S3Server

    from conda_s3_sync_plugin.protocols import Store

#: What a contract is tested on, and in `make test-s3`.
KINDS = ("plain", "versioned") if SERVER else ("memory", "deadline", "s3")

THEN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=timezone.utc)


@dataclass(frozen=True)
class World:
    """A bucket, and how to reach it: each store is another machine's."""

    store: Callable[[], Store]
    keys: Callable[[], list[str]]
    plant: Callable[[str, bytes], object]


def memory_world(path: str) -> World:
    bucket = MemoryBucket()
    location = Location("bucket", path)
    return World(lambda: MemoryStore(bucket, location), bucket.keys, bucket.plant)


def in_time(world: World) -> World:
    """Return the same world, whose stores have a deadline that is far away."""
    return replace(world, store=lambda: DeadlineStore(world.store(), 300))


def s3_world(path: str, s3: S3Server | RealServer, bucket: str) -> World:
    location = Location(bucket, path)

    def plant(key: str, body: bytes) -> None:
        s3.client.put_object(Bucket=bucket, Key=key, Body=body)

    return World(
        lambda: S3Store(location, endpoint_url=s3.endpoint),
        lambda: [key for key in s3.keys(bucket) if not key.endswith("/.probe")],
        plant,
    )


def make_world(kind: str, request: pytest.FixtureRequest) -> World:
    """Make a world with an empty bucket, of one of the KINDS."""
    if SERVER:
        server: RealServer = request.getfixturevalue("real_server")
        return s3_world("team/a", server, server.new_bucket(kind))
    if kind == "memory":
        return memory_world("team/a")
    if kind == "deadline":
        return in_time(memory_world("team/a"))
    s3: S3Server = request.getfixturevalue("s3")
    one_at_a_time(s3, request.getfixturevalue("monkeypatch"))
    return s3_world("team/a", s3, request.getfixturevalue("bucket"))


def one_at_a_time(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make moto check a condition and write in one go, as S3 does."""
    app, lock = s3._app, Lock()

    def guarded(*args: Any) -> list[bytes]:
        with lock:
            return [b"".join(app(*args))]

    monkeypatch.setattr(s3, "_app", guarded)


def document(text: str, modified: datetime = THEN) -> Document:
    body = text.encode()
    return Document(body, sha256(body).hexdigest(), modified, "linux-64")
