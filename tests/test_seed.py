"""The original conda-s3-sync on the other side of the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import bodies, content, history, plant, sync_json, sync_twice
from machine import Machine
from seed import NoSeed, Seed, install_seed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda


@pytest.fixture(scope="module")
def seed_executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable of the original."""
    try:
        return install_seed(tmp_path_factory.mktemp("seed") / "venv")
    except NoSeed as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel, wheels: Path
) -> Machine:
    """A machine with the environments `libs` and `py`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url], wheels=wheels)
    machine.create("libs", "lib01=1.1")
    machine.create("py", "python", "pip", "lib01=1.1")
    machine.pip("py", "install", "hello==1.0")
    machine.set_variables("py", MODE="fast")
    return machine


@pytest.fixture
def ours(machine: Build) -> Machine:
    """A machine with this plugin."""
    return machine("ours")


@pytest.fixture
def theirs(machine: Build) -> Machine:
    """A machine with the original."""
    return machine("theirs")


@pytest.fixture
def seed(theirs: Machine, seed_executable: Path) -> Seed:
    """The original, on its machine."""
    return Seed(theirs, seed_executable)


def bare(machine: Machine, name: str) -> dict[str, object]:
    """Return an environment without what the original does not carry."""
    whole = content(machine, name)
    del whole["requested"]
    return whole


def sync_with_theirs(machine: Machine, s3: S3Server, location: str) -> None:
    """Run ours twice; it has nothing to do but to leave their base alone."""
    machine.sync(location)
    s3.requests.clear()
    again = sync_json(machine, location)
    assert {entry["action"] for entry in again["environments"]} == {"nothing"}
    assert s3.counts() == {"LIST": 1}
    for warning in again["warnings"]:
        assert "base.yml is left alone" in warning


def test_the_original_pulls_what_we_pushed(
    original: Machine,
    ours: Machine,
    theirs: Machine,
    seed: Seed,
    s3: S3Server,
    bucket: str,
) -> None:
    plant(original, "py", ours)
    sync_twice(ours, s3, f"{bucket}/team")
    seed.sync(f"{bucket}/team")
    assert bare(theirs, "py") == bare(ours, "py")
    assert theirs.python("py", "-c", "import hello").returncode == 0
    # It has read nothing else of ours: what it calls NAME.yml is all it knows.
    assert theirs.environments() == ["py"]
    sync_with_theirs(ours, s3, f"{bucket}/team")


def test_we_pull_what_the_original_pushed(
    original: Machine,
    ours: Machine,
    theirs: Machine,
    seed: Seed,
    s3: S3Server,
    bucket: str,
) -> None:
    plant(original, "py", theirs)
    seed.sync(f"{bucket}/team")
    their_file = bodies(s3, bucket)["team/py.yml"]
    sync_with_theirs(ours, s3, f"{bucket}/team")
    assert bare(ours, "py") == bare(theirs, "py")
    assert "base" not in ours.environments()
    assert ours.packages("base") == {}
    # Read, and not written anew: they would take that for a change.
    assert bodies(s3, bucket)["team/py.yml"] == their_file
    assert history(s3, bucket, "py") == [their_file.decode()]


def test_edits_go_to_and_fro_and_no_version_is_lost(
    original: Machine,
    ours: Machine,
    theirs: Machine,
    seed: Seed,
    s3: S3Server,
    bucket: str,
) -> None:
    plant(original, "libs", ours)
    ours.sync(f"{bucket}/team")
    seed.sync(f"{bucket}/team")
    versions = [bodies(s3, bucket)["team/libs.yml"]]

    theirs.install("libs", "acty")
    seed.sync(f"{bucket}/team")
    versions.append(bodies(s3, bucket)["team/libs.yml"])
    sync_with_theirs(ours, s3, f"{bucket}/team")
    assert bare(ours, "libs") == bare(theirs, "libs")
    assert "acty" in ours.packages("libs")

    ours.install("libs", "lib01=2.0")
    ours.sync(f"{bucket}/team")
    versions.append(bodies(s3, bucket)["team/libs.yml"])
    seed.sync(f"{bucket}/team")
    assert theirs.packages("libs")["lib01"][0] == "2.0"
    assert bare(ours, "libs") == bare(theirs, "libs")
    sync_with_theirs(ours, s3, f"{bucket}/team")
    assert len(set(versions)) == 3
    assert {text.encode() for text in history(s3, bucket, "libs")} >= set(versions)


def test_where_both_have_changed_the_original_overwrites_us_and_nothing_is_lost(
    original: Machine,
    ours: Machine,
    theirs: Machine,
    seed: Seed,
    s3: S3Server,
    bucket: str,
) -> None:
    plant(original, "libs", ours)
    ours.sync(f"{bucket}/team")
    seed.sync(f"{bucket}/team")
    ours.install("libs", "lib01=2.0")
    ours.sync(f"{bucket}/team")
    theirs.install("libs", "acty")
    seed.sync(f"{bucket}/team")
    there = bodies(s3, bucket)["team/libs.yml"]
    assert b"acty" in there
    assert b"lib01=2.0" not in there
    sync_with_theirs(ours, s3, f"{bucket}/team")
    assert bare(ours, "libs") == bare(theirs, "libs")
    kept = history(s3, bucket, "libs")
    assert there.decode() in kept
    assert any("lib01=2.0" in version for version in kept)
