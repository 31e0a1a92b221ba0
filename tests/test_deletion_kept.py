"""Whatever is deleted is in the history first, and stated once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    bring_back,
    content,
    history,
    plant,
    put,
    sync_json,
    sync_twice,
)
from machine import Machine
from make_channel import Channel, this_subdir

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3server import Request, S3Server

    Build = Callable[..., Machine]

OTHER = "osx-arm64"


@pytest.fixture(scope="module")
def both_platforms(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """A channel for two platforms, with a package that only ours has."""
    channel = Channel(tmp_path_factory.mktemp("channel"), this_subdir(), OTHER)
    channel.add("lib")
    channel.add("here-only", subdirs=[this_subdir()])
    channel.write_index()
    return channel


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, both_platforms: Channel
) -> Machine:
    """A machine with the environments `keep` and `libs`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[both_platforms.url])
    machine.create("libs", "lib", "here-only")
    shutil.copytree(machine.prefix("libs"), machine.prefix("keep"))
    return machine


@pytest.fixture
def a(original: Machine, machine: Build, both_platforms: Channel) -> Machine:
    """A machine with the environments of the original."""
    a = machine("a", channels=[both_platforms.url])
    for name in original.environments():
        plant(original, name, a)
    return a


@pytest.fixture
def stranger(machine: Build, both_platforms: Channel) -> Machine:
    """A machine of another platform, without environments."""
    return machine("b", channels=[both_platforms.url], subdir=OTHER)


@pytest.mark.parametrize("way", ["--pull-only", "--delete"])
def test_what_was_only_made_here_is_kept_and_the_original_comes_back(
    way: str, a: Machine, stranger: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    # Who only pulls does not share what the solver has made of it.
    stranger.sync_here(bucket, way)
    assert stranger.packages("libs").keys() == {"lib"}
    count = {"--pull-only": 1, "--delete": 2}[way]
    assert len(history(s3, bucket, "libs")) == count
    before = content(a, "libs")
    a.remove("libs")
    a.sync_here(bucket, "--delete")
    said = sync_twice(stranger, s3, bucket, "--delete").stdout
    assert stranger.environments() == ["keep"]
    versions = history(s3, bucket, "libs")
    assert len(versions) == 2
    assert sorted("here-only" in text for text in versions) == [False, True]
    # By the name alone, too: not what another platform has made of it last.
    assert bring_back(stranger, said)[:-1] == [bucket, "--restore"]
    assert actions(sync_json(a, bucket, "--restore", "libs")) == {"libs": "restore"}
    assert content(a, "libs") == before
    sync_twice(stranger, s3, bucket, "--delete")
    assert stranger.packages("libs").keys() == {"lib"}


def test_a_file_that_no_history_has_is_kept_before_it_is_deleted(
    a: Machine, both_platforms: Channel, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    text = f"channels: ['{both_platforms.url}']\ndependencies: [lib]  # by hand\n"
    put(s3, bucket, "hand.yml", text)
    # Who only pulls writes nothing about it.
    assert actions(sync_json(a, bucket, "--pull-only"))["hand"] == "pull"
    assert history(s3, bucket, "hand") == []
    a.remove("hand")
    assert actions(sync_json(a, bucket, "--delete"))["hand"] == "delete-remote"
    assert history(s3, bucket, "hand") == [text]
    assert "hand.yml" not in s3.keys(bucket)
    a.sync_here(bucket, "--restore", "hand")
    assert a.packages("hand").keys() == {"lib"}


def test_a_deletion_that_fails_half_way_is_stated_once(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    a.remove("libs")

    def denied(request: Request) -> tuple[int, str] | None:
        return (403, "AccessDenied") if request.method == "DELETE" else None

    s3.before = denied
    for _ in range(2):
        (_, entry) = sync_json(a, bucket, "--delete", code=1)["environments"]
        assert entry["action"] == "delete-remote"
        assert "s3:DeleteObject" in entry["error"]["hint"]
    s3.before = None
    statements = [key for key in s3.keys(bucket) if key.endswith(".deleted")]
    assert len(statements) == 1
    sync_twice(a, s3, bucket, "--delete")
    assert "libs.yml" not in s3.keys(bucket)
