"""What the original got wrong, done right: what comes from elsewhere, and secrets."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import (
    actions,
    bodies,
    content,
    plant,
    put,
    stamps,
    sync_json,
    sync_twice,
)
from http_channel import TOKEN
from make_channel import this_subdir
from usual_channel import make_usual_channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from machine import Machine
    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture
def a(machine: Build) -> Machine:
    """A machine without environments."""
    return machine("a")


def reasons(document: Any) -> dict[str, str]:
    """Return why each environment is what it is."""
    return {entry["name"]: entry["reason"] for entry in document["environments"]}


def test_10_bad_environments_stop_no_others_in_either_direction(
    a: Machine, original: Machine, s3: S3Server, bucket: str, channel: Channel
) -> None:
    for name in ("a-bad", "b-good", "z-bad"):
        shutil.copytree(original.prefix("libs"), a.prefix(name))
    for name in ("a-bad", "z-bad"):
        next((a.prefix(name) / "conda-meta").glob("lib01*")).write_text("{")
    head = f"channels: ['{channel.url}']\ndependencies:"
    put(s3, bucket, "c-bad.yml", f"{head} [needsmissing]")
    put(s3, bucket, "d-good.yml", f"{head} [lib00=1.1]")
    put(s3, bucket, "y-bad.yml", "dependencies: [")
    for what in (("push", "pull"), ("nothing", "nothing")):
        assert actions(sync_json(a, bucket, code=1)) == {
            "a-bad": "skip",
            "b-good": what[0],
            "c-bad": "failed",
            "d-good": what[1],
            "y-bad": "skip",
            "z-bad": "skip",
        }
    assert a.packages("d-good")["lib00"][0] == "1.1"


def test_11_two_environments_of_one_name_are_refused_by_name(
    a: Machine, original: Machine, s3: S3Server, bucket: str
) -> None:
    twin = a.root / "elsewhere" / "libs"
    a.create(twin, "lib00")
    plant(original, "libs", a)
    shutil.copytree(original.prefix("libs"), a.prefix("other"))
    before = content(a, "libs")
    document = sync_json(a, bucket, code=1)
    assert actions(document) == {"libs": "skip", "other": "push"}
    assert str(twin) in reasons(document)["libs"]
    assert str(a.prefix("libs")) in reasons(document)["libs"]
    assert [key for key in s3.keys(bucket) if "libs" in key] == []
    # The filter, which is about paths, tells them apart.
    sync_twice(a, s3, bucket, "--path-filter", "elsewhere")
    assert b"lib01" not in bodies(s3, bucket)["libs.yml"]
    assert content(a, "libs") == before


IGNORED = ["team/sub/x.yml", "team/README.md", "team/../y.yml"]
REFUSED = [
    "team/-n.yml",
    "team/--help.yml",
    "team/base.yml",
    "team/a b.yml",
    "team/a:b.yml",
    "team/x#y.yml",
    "team/..x.yml",
    "team/.yml",
    "team/x\\..\\y.yml",
]
TWINS = ["team/twin.yml", "team/twin.yaml"]
TAKEN = {"team/ünï.yml": "ünï", "team/good.yaml": "good"}


def test_12_keys_are_checked_before_they_become_names(
    a: Machine, s3: S3Server, bucket: str, channel: Channel
) -> None:
    for key in (*IGNORED, *REFUSED, *TWINS, *TAKEN):
        body = f"channels: ['{channel.url}']\ndependencies: [lib00=1.0]"
        put(s3, bucket, key, body)
    put(s3, bucket, "team/docker-compose.yml", "services: {}")
    for action in ("pull", "nothing"):
        document = sync_json(a, f"{bucket}/team", code=1)
        assert actions(document) == {
            "docker-compose": "skip",
            "twin": "skip",
            **dict.fromkeys(TAKEN.values(), action),
        }
        refused = {line.split(" is left alone")[0] for line in document["warnings"]}
        assert refused == set(REFUSED)
    assert sorted(path.name for path in a.envs.iterdir() if path.is_dir()) == [
        "good",
        "ünï",
    ]
    assert b"lib00" in bodies(s3, bucket)["team/good.yaml"]


@pytest.mark.parametrize(
    "date", ["yesterday", "2099-01-01T00:00:00+00:00", "", "0001-01-01T00:00:00+14:00"]
)
def test_13_a_date_that_cannot_be_right_is_not_believed(
    date: str, a: Machine, s3: S3Server, bucket: str, channel: Channel
) -> None:
    body = f"channels: ['{channel.url}']\ndependencies: [lib00=1.0]"
    put(s3, bucket, "libs.yml", body, **{"conda-env-last-modified": date})
    there = s3.client.head_object(Bucket=bucket, Key="libs.yml")["LastModified"]
    a.sync_here(bucket)
    assert stamps(a)["libs"] == int(there.timestamp()) * 10**9
    # An edit of ours goes out, which such a date would hold back for ever.
    a.install("libs", "lib00=1.1")
    sync_twice(a, s3, bucket)
    assert b"lib00=1.1" in bodies(s3, bucket)["libs.yml"]


def test_15_no_secret_leaves_the_machine(
    machine: Build, http_channel: HttpChannel, s3: S3Server, bucket: str
) -> None:
    private, password = http_channel.private_url, http_channel.password_url
    a = machine("a", channels=[private])
    a.environment["CONDA_SOLVER"] = "classic"  # another one loses tokens
    a.create("ml", "lib00=1.0")
    a.create("acty", "acty", channel=password)
    a.set_variables("ml", API_KEY="hush-1", MIRROR="https://joe:hush-2@host/", MODE="x")
    said = sync_twice(a, s3, bucket).stdout
    assert "API_KEY" in said
    assert "MIRROR" in said
    everything = b"".join(bodies(s3, bucket).values())
    assert b"MODE" in everything
    for secret in (TOKEN, "s3cret", "joe", "hush", str(a.root), "prefix:"):
        assert secret.encode() not in everything
    # Whoever has the token gets the environment all the same.
    b = machine("b", channels=[private, password])
    sync_twice(b, s3, bucket)
    for name in ("ml", "acty"):
        assert b.packages(name) == a.packages(name) != {}
    assert b.variables("ml") == {"MODE": "x"}


@pytest.mark.parametrize(
    "requirement",
    ["file://{}", "{}", "evil @ file://{}", "-e {}", "--find-links={} evil"],
    ids=["url", "path", "direct", "editable", "option"],
)
def test_16_pip_runs_nothing_from_this_disk_because_a_bucket_says_so(
    requirement: str,
    a: Machine,
    s3: S3Server,
    bucket: str,
    channel: Channel,
    tmp_path: Path,
) -> None:
    source = tmp_path / "evil"
    source.mkdir()
    marker = tmp_path / "it-ran"
    (source / "setup.py").write_text(f"open({str(marker)!r}, 'w')")
    put(
        s3,
        bucket,
        "evil.yml",
        f"channels: ['{channel.url}']\n"
        f"dependencies: [python, pip, pip: ['{requirement.format(source)}']]",
    )
    document = sync_json(a, bucket, code=1)
    assert actions(document) == {"evil": "skip"}
    assert "would run as you" in reasons(document)["evil"]
    assert a.environments() == []
    assert not marker.exists()


def test_19_another_platform_gets_what_it_can_and_is_told_the_rest(
    machine: Build, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    here, there = this_subdir(), "osx-arm64"
    if here == there:
        there = "linux-64"
    channel = make_usual_channel(tmp_path / "c", here, there, python=False, pip=False)
    a = machine("a", channels=[channel.url])
    b = machine("b", channels=[channel.url], subdir=there)
    a.create("ml", "lib02=1.1", f"only-{here}")
    a.sync_here(bucket)
    said = sync_twice(b, s3, bucket).stdout
    assert f"only-{here}" in said
    assert {name: version for name, (version, *_) in b.packages("ml").items()} == {
        "lib00": "2.0",
        "lib01": "2.0",
        "lib02": "1.1",
    }
    # It is in step: nothing goes back, and a lives on with what b cannot have.
    sync_twice(a, s3, bucket)
    assert f"only-{here}" in a.packages("ml")
