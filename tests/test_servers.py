"""What holds on every S3 server: nothing is lost, and two machines agree.

Run by `make test-s3`, on the server that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pytest
from acceptance import contents
from crowd import lose_nothing
from machine import Machine
from real_server import SERVER
from store_worlds import KINDS, document
from writers import DAMAGED, ROUNDS, WRITERS, read, store_in, write_at_once

from conda_s3_sync_plugin.exceptions import RemoteChangedError
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from real_server import RealServer

    from conda_s3_sync_plugin.store import S3Store

    Build = Callable[[str], Machine]

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
        return store_in(self.bucket)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, real_server: RealServer) -> Place:
    return Place(real_server, request.param, real_server.new_bucket(request.param))


@pytest.fixture
def machine(tmp_path: Path, channel: Channel, wheels: Path, place: Place) -> Build:
    """Build machines, which synchronize with the place unless told otherwise."""

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

    return build


def conditions(place: Place) -> Conditions | None:
    """Return how the server takes conditions, as one write finds out."""
    store = place.store()
    store.put("probed", document("x"), replaces=None)
    place.server.client.delete_object(Bucket=place.bucket, Key="team/probed.yml")
    return store.conditions


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
    taken = write_at_once(place.bucket)
    assert taken
    store = place.store()
    kept = [store.get_kept("e1", version) for version in store.history("e1")]
    texts = [version.body.decode() for version in kept if version]
    assert len(texts) == WRITERS * ROUNDS
    assert set(taken) <= {text.split()[-1] for text in texts}
    current, _ = read(store)
    if conditions(place) is Conditions.NONE:
        assert current in (*texts, DAMAGED)
        return
    rounds = [line.split(".")[0] for line in taken]
    assert len(rounds) == len(set(rounds))
    assert sorted(current.split()) == sorted(taken)


def test_a_crowd_loses_nothing_and_comes_into_step(
    place: Place, machine: Build, originals: list[Path]
) -> None:
    machines = [machine(f"m{number}") for number in range(8)]
    warnings = lose_nothing(
        machines, originals, place.server, place.bucket, rounds=2, names="x,y"
    )
    assert (WARNING in warnings) == (conditions(place) is Conditions.NONE)


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


def test_two_machines_agree(place: Place, machine: Build) -> None:
    a, b = machine("a"), machine("b")
    a.create("ml", "lib01=1.0", "lib05=1.0")
    a.create("web", "nopy=1.0")
    pushed = a.sync_here()
    assert "2 pushed" in pushed.stdout
    assert (WARNING in pushed.stderr) == (conditions(place) is Conditions.NONE)
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
