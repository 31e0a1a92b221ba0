"""What holds on every S3 server: nothing is lost, and two machines agree.

Run by `make test-s3`, on the server that it names.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from acceptance import contents
from machine import Machine
from real_server import SERVER
from store_worlds import KINDS, THEN, document

from conda_s3_sync_plugin.exceptions import EnvFileError, RemoteChangedError
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Listed
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from real_server import RealServer

WRITERS, ROUNDS = 8, 12

#: What stands for half of one write and half of another: s3rver stores such.
DAMAGED = "damaged\n"

#: What a run says of a server without conditional writes.
WARNING = "this S3 server cannot refuse a write that comes too late"


@dataclass(frozen=True)
class Place:
    """A bucket of a kind, where no conditional write has been tried yet."""

    server: RealServer
    kind: str
    bucket: str

    @property
    def is_versioned(self) -> bool:
        return self.kind == "versioned"

    def store(self) -> S3Store:
        return S3Store(Location(self.bucket, "team"), endpoint_url=SERVER.endpoint)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, real_server: RealServer) -> Place:
    return Place(real_server, request.param, real_server.new_bucket(request.param))


@pytest.fixture
def machines(
    tmp_path: Path, channel: Channel, wheels: Path, place: Place
) -> tuple[Machine, Machine]:
    """Two, which synchronize with the place unless they are told otherwise."""

    def build(name: str) -> Machine:
        machine = Machine(
            tmp_path / name,
            kind="standalone",
            channels=[channel.url],
            wheels=wheels,
            endpoint=SERVER.endpoint,
        )
        machine.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = f"{place.bucket}/team"
        return machine

    return build("a"), build("b")


def conditions(place: Place) -> Conditions | None:
    """Return how the server takes conditions, as one write finds out."""
    store = place.store()
    store.put("probed", document("x"), replaces=None)
    return store.conditions


def read(store: S3Store) -> tuple[str, str | None]:
    """Return the text and the ETag of what is there, or DAMAGED."""
    try:
        there = store.get("e1")
    except EnvFileError:
        listed = store.list().environments["e1"]
        assert isinstance(listed, Listed)
        return DAMAGED, listed.etag
    return (there.body.decode(), there.etag) if there else ("", None)


def test_what_a_server_does_with_conditions_is_found_out(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    found = conditions(place)
    record_property("conditional writes", str(found))
    assert found is not None
    store = place.store()
    store.conditions = found
    seen = store.put("e1", document("one"), replaces=None)
    store.put("e1", document("two"), replaces=seen)
    for replaces in (None, seen):
        with pytest.raises(RemoteChangedError):
            store.put("e1", document("three"), replaces=replaces)
    assert store.conditions is found


def test_no_version_is_lost_whoever_writes_at_the_same_moment(place: Place) -> None:
    barrier = Barrier(WRITERS, timeout=60)

    def write(writer: int) -> list[str]:
        """Add lines to what is there, as a machine does; return those that it added."""
        store, added = place.store(), []
        barrier.wait()
        for number in range(ROUNDS):
            line = f"{writer}.{number}"
            text, seen = read(store)
            new = document(
                f"{text}{line}\n", THEN + timedelta(seconds=ROUNDS * writer + number)
            )
            store.keep("e1", new)
            try:
                store.put("e1", new, replaces=seen)
            except RemoteChangedError:
                continue
            added.append(line)
        return added

    with ThreadPoolExecutor(WRITERS) as pool:
        added = [line for lines in pool.map(write, range(WRITERS)) for line in lines]
    assert added
    store = place.store()
    kept = [store.get_kept("e1", version) for version in store.history("e1")]
    texts = [version.body.decode() for version in kept if version]
    assert len(texts) == WRITERS * ROUNDS
    assert set(added) <= {text.split()[-1] for text in texts}
    current, _ = read(store)
    if conditions(place) is not Conditions.NONE:
        assert sorted(current.split()) == sorted(added)
    else:
        assert current in (*texts, DAMAGED)


def test_what_is_deleted_is_in_the_history(place: Place) -> None:
    store = place.store()
    for text in ("one", "two"):
        store.keep("e1", document(text))
        there = store.get("e1")
        seen = store.put("e1", document(text), replaces=there and there.etag)
    store.keep("e1", document("two"), Kind.DELETED)
    store.delete("e1", etag=seen)
    assert store.get("e1") is None
    kinds = [kept.kind for kept in place.store().history("e1")]
    assert sorted(kinds) == sorted([Kind.VERSION, Kind.VERSION, Kind.DELETED])
    if place.is_versioned:
        versions = place.server.versions(place.bucket, "team/e1.yml")
        assert sorted(versions) == [b"one", b"two"]
    # And it can come again.
    store.put("e1", document("three"), replaces=None)
    assert place.store().list().environments.keys() == {"e1"}


def test_two_machines_agree(place: Place, machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    a.create("ml", "lib01=1.0", "lib05=1.0")
    a.create("web", "nopy=1.0")
    pushed = a.sync_here()
    assert "2 pushed" in pushed.stdout
    is_weak = conditions(place) is Conditions.NONE
    place.server.client.delete_object(Bucket=place.bucket, Key="team/probed.yml")
    assert (WARNING in pushed.stderr) == is_weak
    assert "2 pulled" in b.sync_here().stdout
    assert contents(a) == contents(b)
    quiet(a, b)

    # Both change the same one: the last change wins, and the other one is kept.
    a.install("ml", "lib01=2.0")
    a.sync_here()
    b.install("ml", "lib05=2.0")
    won = b.sync_here().stdout
    assert "changed on both sides" in won
    kept = won.partition("kept as ")[2].split(";")[0]
    a.sync_here()
    assert contents(a) == contents(b)
    assert [a.packages("ml")[name][0] for name in ("lib01", "lib05")] == ["1.0", "2.0"]

    assert kept in a.sync_here("--history", "ml").stdout
    assert "1 restored" in a.sync_here("--restore", f"ml@{kept}").stdout
    b.sync_here()
    assert contents(a) == contents(b)
    assert [b.packages("ml")[name][0] for name in ("lib01", "lib05")] == ["2.0", "1.0"]

    a.remove("web")
    assert "1 removed from the bucket" in a.sync_here("--delete", "-y").stdout
    assert "1 removed here" in b.sync_here("--delete", "-y").stdout
    assert a.environments() == b.environments() == ["ml"]
    assert "1 restored" in b.sync_here("--restore", "web").stdout
    assert "1 pulled" in a.sync_here().stdout
    assert contents(a) == contents(b)
    quiet(a, b)


def quiet(*machines: Machine) -> None:
    """See that machines have nothing to do, with one line to say so."""
    for machine, _ in product(machines, range(2)):
        done = machine.sync_here()
        assert done.stdout.endswith("2 in step\n"), done.stdout
        assert (done.stdout.count("\n"), done.stderr) == (1, "")
