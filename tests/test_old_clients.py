"""Clients that know nothing of ours in the same bucket, and how they leave it.

The original itself is run in test_seed.py; this is what it, and others, may do besides.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from acceptance import ZONES, content, history, plant, put, stamps, sync_twice

from conda_s3_sync_plugin.engines.prefix import to_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from make_channel import Channel
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

DATE = "conda-env-last-modified"


@pytest.fixture
def a(machine: Build, original: Machine, bucket: str) -> Machine:
    """A machine with `libs`, which is in the bucket."""
    a = machine("a")
    plant(original, "libs", a)
    a.sync_here(bucket)
    return a


def file_of(channel: Channel, *specs: str) -> str:
    """Return a file as the original writes it."""
    lines = "".join(f"  - {spec}\n" for spec in specs)
    return (
        f"name: libs\nchannels:\n  - {channel.url}\ndependencies:\n{lines}"
        "prefix: /home/joe/miniconda3/envs/libs\n"
    )


@pytest.mark.parametrize("zone", ["Sao_Paulo", "Tokyo"])
def test_a_time_without_a_zone_is_utc_wherever_it_is_read(
    zone: str, machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a = machine("a")
    a.environment["TZ"] = ZONES[zone]
    told = {"t": "2023-01-02T03:04:05.678901", "space": "2023-01-02 03:04:05.678901"}
    for name, text in told.items():
        body = file_of(channel, "lib00=1.0")
        put(s3, bucket, f"{name}.yml", body, **{DATE: text})
    sync_twice(a, s3, bucket)
    when = datetime(2023, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
    assert stamps(a) == dict.fromkeys(told, to_ns(when))


WRITTEN = {
    "no-metadata": {},
    "an-old-date": {DATE: "2020-01-01T00:00:00+00:00"},
    "a-date-of-no-zone": {DATE: "2020-01-01T00:00:00"},
    "a-date-in-the-future": {DATE: "2099-01-01T00:00:00+00:00"},
    "a-date-that-is-none": {DATE: "Wed, 1 Jan 2020"},
    "ours-copied": {"conda-env-digest": "0" * 64, "conda-env-sha256": "0" * 64},
}


def test_whatever_overwrites_ours_is_pulled_and_nothing_is_lost(
    original: Machine, machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a = machine("a")
    for name in WRITTEN:
        shutil.copytree(original.prefix("libs"), a.prefix(name))
    a.sync_here(bucket)
    theirs = file_of(channel, "lib00=1.0")
    for name, metadata in WRITTEN.items():
        put(s3, bucket, f"{name}.yml", theirs, **metadata)
    said = sync_twice(a, s3, bucket).stdout
    assert said.count("changed in the bucket") == len(WRITTEN)
    for name in WRITTEN:
        assert a.packages(name).keys() == {"lib00"}
        kept = history(s3, bucket, name)
        assert theirs in kept
        assert any("lib01=1.0=" in version for version in kept)


def test_what_is_written_while_we_push_is_seen_and_both_are_kept(
    a: Machine, machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a.install("libs", "lib01=2.0")
    theirs = file_of(channel, "lib00=1.0")
    written: list[Request] = []

    def be_faster(request: Request) -> None:
        if request.verb == "PUT" and request.key == "libs.yml" and not written:
            written.append(request)
            put(s3, bucket, "libs.yml", theirs, **{DATE: "2020-01-01T00:00:00+00:00"})

    s3.before = be_faster
    said = a.sync_here(bucket).stdout
    s3.before = None
    assert "push  libs  changed on both sides; last changed here" in said
    b = machine("b")
    for one in (a, b):
        sync_twice(one, s3, bucket)
        assert one.packages("libs")["lib01"][0] == "2.0"
    assert content(a, "libs") == content(b, "libs")
    assert theirs in history(s3, bucket, "libs")


def test_what_one_of_ours_has_seen_outlives_all_that_overwrites_it(
    a: Machine, machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    b = machine("b")
    versions = [
        file_of(channel, f"lib00={version}") for version in ("1.0", "1.1", "2.0")
    ]
    put(s3, bucket, "libs.yml", versions[0])
    b.sync_here(bucket)
    put(s3, bucket, "libs.yml", versions[1])
    # An edit here that loses is kept, and so is what wins.
    a.set_variables("libs", WHO="a")
    a.sync_here(bucket, "--prefer", "remote")
    put(s3, bucket, "libs.yml", versions[2])
    b.sync_here(bucket)
    b.set_variables("libs", WHO="b")
    for one in (b, a):
        sync_twice(one, s3, bucket)
    assert content(a, "libs") == content(b, "libs")
    assert a.packages("libs")["lib00"][0] == "2.0"
    assert a.variables("libs") == {"WHO": "b"}
    kept = history(s3, bucket, "libs")
    assert set(versions) <= set(kept)
    assert any("WHO: a" in version for version in kept)
