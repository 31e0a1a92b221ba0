"""Writers of one environment at the same moment, each a process of its own."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING

from real_server import SERVER
from store_worlds import THEN, document

from conda_s3_sync_plugin.exceptions import EnvFileError, RemoteChangedError
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Listed
from conda_s3_sync_plugin.store import S3Store

if TYPE_CHECKING:
    from threading import Barrier

WRITERS, ROUNDS = 8, 12

#: What stands for half of one write and half of another: s3rver stores such.
DAMAGED = "damaged\n"


def store_in(bucket: str) -> S3Store:
    """Return a store in a bucket of the server that `make test-s3` names."""
    return S3Store(Location(bucket, "team"), endpoint_url=SERVER.endpoint)


def read(store: S3Store) -> tuple[str, str | None]:
    """Return the text and the ETag of what is there, or DAMAGED."""
    try:
        there = store.get("e1")
    except EnvFileError:
        listed = store.list().environments["e1"]
        assert isinstance(listed, Listed)
        return DAMAGED, listed.etag
    return (there.body.decode(), there.etag) if there else ("", None)


def write(bucket: str, writer: int, all_have_read: Barrier) -> list[str]:
    """Add lines to what is there, as a machine does; return those that were taken.

    In each round, nobody writes before all have read.
    """
    store, taken = store_in(bucket), []
    for number in range(ROUNDS):
        line = f"{number}.{writer}"
        text, seen = read(store)
        new = document(
            f"{text}{line}\n", THEN + timedelta(seconds=WRITERS * number + writer)
        )
        store.keep("e1", new)
        all_have_read.wait()
        try:
            store.put("e1", new, replaces=seen)
        except RemoteChangedError:
            continue
        taken.append(line)
    return taken


def write_at_once(bucket: str) -> list[str]:
    """Let all writers write; return the lines that were taken, each ROUND.WRITER."""
    context = get_context("spawn")  # a fork would share connections of ours
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(WRITERS, mp_context=context) as pool,
    ):
        barrier = manager.Barrier(WRITERS, timeout=60)
        writers = [pool.submit(write, bucket, each, barrier) for each in range(WRITERS)]
        return [line for writer in writers for line in writer.result()]
