"""Both sides have changed: merged, or told, and whose clock counts."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    bodies,
    content,
    requested,
    spread,
    sync_json,
    sync_nothing,
)
from hand_made import write_variables
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]
    Pair = tuple[Machine, Machine]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> Machine:
    """A machine with the environment `libs`; only to be copied from."""
    machine = Machine(tmp_path_factory.mktemp("original"), channels=[channel.url])
    machine.create("libs", "lib01=1.0", "nopy=1.0")
    return machine


@pytest.fixture
def pair(original: Machine, machine: Build, bucket: str) -> Pair:
    """Two machines that have `ml` in step."""
    a, b = machine("a"), machine("b")
    spread(original, ["ml"], a)
    for one in (a, b):
        one.sync_here(bucket)
    return a, b


def test_changes_of_different_packages_become_one_version(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.install("ml", "lib03=1.0")
    a.sync_here(bucket)
    b.install("ml", "acty")
    b.remove("ml", "nopy")
    document = sync_json(b, bucket, "--merge")
    assert actions(document) == {"ml": "merge"}
    packages = content(b, "ml")["packages"]
    assert {"lib01", "lib03", "acty"} <= packages.keys()
    assert "nopy" not in packages
    assert [spec.split("[")[0].partition("=")[0] for spec in requested(b, "ml")] == [
        "acty",
        "lib01",
        "lib03",
    ]
    sync_nothing(b, s3, bucket, "--merge")
    assert actions(sync_json(a, bucket)) == {"ml": "pull"}
    assert content(a, "ml") == content(b, "ml")
    sync_nothing(a, s3, bucket)


def test_changes_of_one_package_are_named_and_nothing_is_done(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.install("ml", "lib01=1.1")
    a.sync_here(bucket)
    b.install("ml", "lib01=2.0")
    before, ours = bodies(s3, bucket), content(b, "ml")
    for _ in range(2):
        document = sync_json(b, bucket, "--merge", code=1)
        (entry,) = document["environments"]
        assert entry["action"] == "conflict"
        assert "both sides have changed lib01" in entry["reason"]
        assert "--diff ml" in entry["hint"]
        assert content(b, "ml") == ours
        assert bodies(s3, bucket) == before


def test_a_clock_that_is_ahead_is_named_and_wins_nothing(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    """Here, the server's clock is behind that of both."""
    a, b = pair
    now = datetime.now(timezone.utc)
    s3.date = format_datetime(now - timedelta(days=2), usegmt=True)
    a.install("ml", "lib03=1.0")
    said = a.sync_here(bucket, "-v")
    assert "ahead of" in said.stderr
    theirs = f"{now - timedelta(days=2):%Y%m%d}"
    assert any(f"/ml/{theirs}" in key for key in s3.keys(bucket))
    s3.date = None
    b.install("ml", "acty")
    said = b.sync_here(bucket)
    assert "push  ml  changed on both sides" in said.stdout
    assert "ahead" not in said.stderr


def test_old_versions_go_when_there_are_more_than_wanted(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.write_condarc(plugins={"s3_sync_keep_versions": 2})
    for number in range(4):
        # What was written less than a day ago stays: here, that is three days ago.
        if number == 3:
            # Its key is of a time that the server has not written it at, and then that
            # counts, which is told in whole seconds.
            time.sleep(1 - time.time() % 1)
            later = datetime.now(timezone.utc) + timedelta(days=3)
            s3.date = format_datetime(later, usegmt=True)
        write_variables(a.prefix("ml"), {"N": str(number)})
        a.sync_here(bucket)
        kept = sync_json(b, bucket, "--history", "ml")["versions"]
        assert len(kept) == (number + 2 if number < 3 else 2)
    assert kept[0]["difference"]["variables"] == [{"name": "N", "old": "2", "new": "3"}]
    assert actions(sync_json(b, bucket)) == {"ml": "pull"}
    assert b.variables("ml") == {"N": "3"}
