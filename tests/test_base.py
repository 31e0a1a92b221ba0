"""The base environment between machines: pushed freely, and only ever added to."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import actions, bodies, put, sync_json, sync_twice
from conda_here import HAS_CLASSIC
from hand_made import snapshot
from machine import Machine
from make_channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3server import S3Server

    Build = Callable[..., Machine]

#: What bases have, an old one and a new one.
OLD = ("conda=25.1", "conda-plugin=1.0", "lib=1.0", "python=3.11.1")
NEW = ("conda=26.1", "conda-plugin=2.0", "lib=2.0", "python=3.12.1")

STAY = "conda, conda-plugin, lib, python stay as they are: base is only added to"

PULL = ("--include-root-env", "--prefer", "remote")


@pytest.fixture(scope="module")
def base_channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """A channel of what bases are made of, and of what can be added to them."""
    channel = Channel(tmp_path_factory.mktemp("channel"))
    for spec in (*OLD, *NEW):
        name, _, version = spec.partition("=")
        needs = {"conda": ["python"], "conda-plugin": ["conda"]}
        channel.add(name, version, depends=needs.get(name, []))
    for spec in ("added=1.0", "added=2.0", "new=1.0", "own=1.0"):
        channel.add(*spec.split("="))
    for need in ("conda >=26", "python >=3.12"):
        channel.add(f"needs-{need.split()[0]}", depends=[need])
    channel.write_index()
    return channel


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory, base_channel: Channel) -> Machine:
    """A machine with an old base, and something more in it; only to be copied from."""
    folder = tmp_path_factory.mktemp("old") / "machine"
    machine = Machine(folder, channels=[base_channel.url])
    machine.install("base", *OLD, "own")
    return machine


@pytest.fixture
def b(machine: Build, base_channel: Channel, old: Machine) -> Machine:
    """A machine with an old base."""
    b = machine("b", channels=[base_channel.url])
    if HAS_CLASSIC:  # after a solve that fails, others may crash on their way out
        b.environment["CONDA_SOLVER"] = "classic"
    shutil.copytree(old.base, b.base, symlinks=True, dirs_exist_ok=True)
    return b


def put_root(s3: S3Server, bucket: str, channel: Channel, *specs: str) -> None:
    """Write a base into the bucket, as a person does."""
    file = {"channels": [channel.url], "dependencies": specs}
    put(s3, bucket, "root.yml", json.dumps(file))


def installed(machine: Machine) -> dict[str, tuple[object, object]]:
    """Return all files of a base, with their times, but for its history."""
    return {
        path: (what, time)
        for path, (what, _, time) in snapshot(machine.base).items()
        if path != "conda-meta/history" and not path.startswith("envs")
    }


def root(document: Any) -> Any:
    """Return what a run says of base."""
    (entry,) = document["environments"]
    assert entry["name"] == "root"
    return entry


def test_bases_add_to_each_other_what_they_lack_and_change_nothing(
    b: Machine, machine: Build, s3: S3Server, bucket: str, base_channel: Channel
) -> None:
    a = machine("a", channels=[base_channel.url])
    a.install("base", *NEW, "new")
    assert "push  root  new here" in sync_twice(a, s3, bucket, PULL[0]).stdout
    before = installed(b)
    pulled = root(sync_json(b, bucket, *PULL))
    assert (pulled["action"], pulled["notes"]) == ("pull", [STAY])
    assert installed(b).items() >= before.items()
    assert b.packages("base").keys() >= {"new", "own"}
    sync_twice(b, s3, bucket, PULL[0])
    # What is done there goes back, and changes nothing either.
    b.set_variables("base", WHO="b")
    assert "push  root  changed here" in sync_twice(b, s3, bucket, PULL[0]).stdout
    before = installed(a)
    pulled = root(sync_json(a, bucket, PULL[0]))
    assert (pulled["action"], pulled["notes"]) == ("pull", [STAY])
    assert installed(a).items() >= before.items()
    assert a.packages("base").keys() == b.packages("base").keys()
    assert a.variables("base") == {"WHO": "b"}
    sync_twice(a, s3, bucket, PULL[0])


ASKED = {
    "other versions": (
        ["conda >=26", "lib=2.0", "python=3.12.*"],
        "conda, lib, python",
    ),
    "one other build": (["conda", "lib=1.0=1"], "lib stays as it is"),
    "fewer packages": (["lib", "conda=25.1"], ""),
    "nothing": ([], ""),
}


@pytest.mark.parametrize(("specs", "said"), ASKED.values(), ids=ASKED)
def test_whatever_a_document_asks_for_base_has_what_it_had(
    specs: list[str],
    said: str,
    b: Machine,
    s3: S3Server,
    bucket: str,
    base_channel: Channel,
) -> None:
    put_root(s3, bucket, base_channel, *specs)
    before = installed(b)
    pulled = root(sync_json(b, bucket, *PULL))
    assert said in "".join(pulled.get("notes", []))
    assert ("notes" in pulled) is bool(said)
    sync_twice(b, s3, bucket, PULL[0])
    assert installed(b) == before


@pytest.mark.parametrize("name", ["conda", "python"])
def test_what_would_change_base_is_refused_in_words_however_often(
    name: str, b: Machine, s3: S3Server, bucket: str, base_channel: Channel
) -> None:
    put_root(s3, bucket, base_channel, "new", f"needs-{name}")
    before = installed(b)
    for _ in range(2):
        error = root(sync_json(b, bucket, *PULL, code=1))["error"]
        assert f"needs-{name}" in error["message"]
        assert "\n" not in error["message"]
        assert installed(b) == before


def test_pins_of_base_are_left_alone_and_heeded(
    b: Machine, s3: S3Server, bucket: str, base_channel: Channel
) -> None:
    (b.base / "conda-meta" / "pinned").write_text("# ours\n\nadded 1.*\nlib 1.*\n")
    before = installed(b)
    put_root(s3, bucket, base_channel, "new", "added=2.0")
    error = root(sync_json(b, bucket, *PULL, code=1))["error"]
    assert "added" in error["message"]
    assert installed(b) == before
    put_root(s3, bucket, base_channel, "new", "added")
    sync_twice(b, s3, bucket, *PULL)
    assert b.packages("base")["added"][0] == "1.0"
    assert installed(b).items() >= before.items()


def test_where_there_is_no_base_that_is_said_and_the_rest_goes_on(
    machine: Build, s3: S3Server, bucket: str, base_channel: Channel
) -> None:
    b = machine("b", channels=[base_channel.url])
    shutil.rmtree(b.base / "conda-meta")
    put_root(s3, bucket, base_channel, "lib")
    there = bodies(s3, bucket)
    file = {"channels": [base_channel.url], "dependencies": ["lib"]}
    put(s3, bucket, "ml.yml", json.dumps(file))
    for ml in ("pull", "nothing"):
        document = sync_json(b, bucket, PULL[0], code=1)
        assert actions(document) == {"ml": ml, "root": "failed"}
        error = document["environments"][1]["error"]
        assert error["message"] == "This machine has no base environment to add to."
        assert "without --include-root-env" in error["hint"]
    assert not (b.base / "conda-meta").exists()
    assert bodies(s3, bucket).items() >= there.items()
