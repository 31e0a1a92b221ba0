"""What the original got wrong, done right: what travels, when, and which way."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    ZONES,
    actions,
    bodies,
    content,
    history,
    plant,
    put,
    requested,
    stamps,
    sync_json,
    sync_twice,
)

from conda_s3_sync_plugin.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

#: A time that is another one as a float of seconds.
ODD = 1_700_000_000_603_570_999


@pytest.fixture
def a(machine: Build, original: Machine) -> Machine:
    """A machine with the environment `libs`."""
    a = machine("a")
    plant(original, "libs", a)
    return a


@pytest.fixture
def b(machine: Build) -> Machine:
    """A machine without environments."""
    return machine("b")


def test_01_after_a_sync_nothing_is_transferred_until_something_changes(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    os.utime(a.history("libs"), ns=(ODD, ODD))
    a.sync_here(f"{bucket}/team")
    b.sync_here(f"{bucket}/team")
    for one in (a, b):
        sync_twice(one, s3, f"{bucket}/team")


def test_02_time_zones_do_not_matter(
    a: Machine, b: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    c = machine("c")
    a.environment["TZ"] = ZONES["Sao_Paulo"]
    b.environment["TZ"] = ZONES["Tokyo"]
    c.environment["TZ"] = ZONES["UTC"]
    os.utime(a.history("libs"), ns=(ODD, ODD))
    for one in (a, b, c):
        one.sync_here(bucket)
        assert stamps(one)["libs"] // 1000 == ODD // 1000
    # A real edit a minute later is newer than the version that has gone round.
    b.install("libs", "lib00=1.0", "lib01=1.0")
    minute_later = ODD + 60 * 10**9
    os.utime(b.history("libs"), ns=(minute_later, minute_later))
    for one in (b, a, c):
        sync_twice(one, s3, bucket)
        assert one.packages("libs")["lib00"][0] == "1.0"
        assert stamps(one)["libs"] // 1000 == minute_later // 1000


def test_03_base_is_left_alone_unless_asked(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.install("base", "lib00")
    sync_twice(a, s3, bucket)
    assert [key for key in s3.keys(bucket) if "/" not in key] == ["libs.yml"]
    b.sync_here(bucket)
    assert b.packages("base") == {}
    assert b.environments() == ["libs"]


def test_04_base_takes_part_when_asked_under_one_name_everywhere(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    done = sync_twice(a, s3, f"{bucket}/team", "--include-root-env")
    assert done.stdout.startswith("push  root  new here")
    assert b"name: root" in bodies(s3, bucket)["team/root.yml"]


@pytest.mark.parametrize("text", ["bkt", "s3://bkt", "bkt/", "s3://bkt//"])
def test_05_a_bucket_without_a_path_is_fine(text: str) -> None:
    location = Location.parse(text)
    assert (location.bucket, location.prefix) == ("bkt", "")
    assert location.key("ml") == "ml.yml"
    assert location.name("ml.yml") == "ml"


def test_06_the_filter_includes_and_the_rest_is_neither_read_nor_written(
    a: Machine, original: Machine, s3: S3Server, bucket: str
) -> None:
    shutil.copytree(original.prefix("libs"), a.prefix("web"))
    old = {"conda-env-last-modified": "2020-01-01T00:00:00+00:00"}
    put(s3, bucket, "libs.yml", "dependencies: [lib01=2.0]", **old)
    before = content(a, "libs")
    a.sync_here(bucket, "--path-filter", "envs/web$")
    assert {"web.yml"} <= {request.key for request in s3.requests}
    assert not [request for request in s3.requests if "libs" in request.key]
    sync_twice(a, s3, bucket, "--path-filter", "envs/web$")
    assert content(a, "libs") == before
    assert bodies(s3, bucket)["libs.yml"] == b"dependencies: [lib01=2.0]"


def test_07_what_was_removed_on_one_machine_goes_on_the_other_and_stays_away(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    b.sync_here(bucket)
    a.remove("libs", "lib01")
    a.sync_here(bucket)
    sync_twice(b, s3, bucket)
    # And what came along with it, as conda decides.
    assert b.packages("libs") == a.packages("libs") == {}
    b.install("libs", "acty")
    b.sync_here(bucket)
    sync_twice(a, s3, bucket)
    assert a.packages("libs").keys() == {"acty"}


def test_08_a_conflict_is_seen_and_nothing_is_lost(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    b.sync_here(bucket)
    a.install("libs", "acty")
    b.install("libs", "postl")
    a.sync_here(bucket)
    said = b.sync_here(bucket).stdout
    assert "changed on both sides; last changed here" in said
    sync_twice(a, s3, bucket)
    assert content(a, "libs") == content(b, "libs")
    assert a.packages("libs").keys() == {"lib00", "lib01", "postl"}
    assert any("acty" in version for version in history(s3, bucket, "libs"))


def test_09_a_write_that_comes_too_late_overwrites_nothing(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    b.sync_here(bucket)
    a.set_variables("libs", WHO="a")
    b.set_variables("libs", WHO="b")
    held: list[Request] = []

    def let_the_other_win(request: Request) -> None:
        if request.verb == "PUT" and request.key == "libs.yml" and not held:
            held.append(request)
            b.sync_here(bucket)

    s3.before = let_the_other_win
    said = a.sync_here(bucket, "--prefer", "newest").stdout
    s3.before = None
    assert (held[0].condition or "").startswith("If-Match: ")
    # The one who came too late has looked again, and has seen that b's is newer.
    assert "pull  libs  changed on both sides; last changed in the bucket" in said
    assert a.variables("libs") == {"WHO": "b"}
    for one in (a, b):
        sync_twice(one, s3, bucket)
    kept = "".join(history(s3, bucket, "libs"))
    assert "WHO: a" in kept
    assert "WHO: b" in kept


def test_14_pip_packages_and_variables_count_as_changes(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    a.create("py", "python", "pip")
    a.sync_here(bucket)
    when = a.history("py").stat().st_mtime_ns
    a.pip("py", "install", "hello==1.0")
    assert "push  py  changed here" in sync_twice(a, s3, bucket).stdout
    assert b"hello==1.0" in bodies(s3, bucket)["py.yml"]
    a.set_variables("py", MODE="fast")
    assert "push  py  changed here" in sync_twice(a, s3, bucket).stdout
    assert b"MODE: fast" in bodies(s3, bucket)["py.yml"]
    # conda's history, by which the original tells changes, knows of neither.
    assert a.history("py").stat().st_mtime_ns == when


def test_17_what_brings_a_removed_or_renamed_environment_back_is_told(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync_here(bucket)
    a.manage("rename", "-n", "libs", "books")
    document = sync_json(a, bucket)
    assert actions(document) == {"books": "push", "libs": "pull"}
    hint = document["environments"][1]["hint"]
    assert (
        "It is books now. To be rid of the old name, conda env remove -n libs" in hint
    )
    s3.client.delete_object(Bucket=bucket, Key="libs.yml")
    a.remove("libs")
    sync_twice(a, s3, bucket)
    assert a.environments() == ["books"]


def test_18_only_what_is_ours_is_listed(a: Machine, s3: S3Server, bucket: str) -> None:
    for folder in ("", "team/sub/", "team/.s3-sync/libs/", "teams/", "tea/"):
        put(s3, bucket, f"{folder}foreign.yml", "dependencies: []")
    sync_twice(a, s3, f"{bucket}/team")
    assert a.environments() == ["libs"]
    (request,) = s3.requests
    assert (request.query["prefix"], request.query["delimiter"]) == ("team/", "/")


def test_20_what_a_person_asked_for_travels(
    machine: Build, b: Machine, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    a.create("libs", "lib05", "lib01>=1.1")
    a.sync_here(bucket)
    sync_twice(b, s3, bucket)
    assert len(b.packages("libs")) == 6
    assert requested(b, "libs") == requested(a, "libs")
    assert len(requested(b, "libs")) == 2
    if a.kind == "conda":
        exported = [
            one.conda("env", "export", "--from-history", "-n", "libs").stdout
            for one in (a, b)
        ]
        # In the order of asking, which is of no meaning, and differs.
        there, here = (sorted(text.split("prefix:")[0].split()) for text in exported)
        assert there == here
