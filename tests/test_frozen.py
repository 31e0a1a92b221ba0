"""Frozen environments, end to end: pushed like all others, and never changed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from acceptance import actions, bodies, contents, put, sync_json, sync_twice
from hand_made import snapshot, write_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


def freeze(machine: Machine, name: str) -> None:
    """Mark an environment as one that nobody is to change."""
    marker = machine.prefix(name) / "conda-meta" / "frozen"
    marker.write_text('{"message": "Ask the team."}')


def errors(document: Any) -> dict[str, dict[str, str]]:
    """Return what failed, by environment."""
    return {
        entry["name"]: entry["error"]
        for entry in document["environments"]
        if "error" in entry
    }


def environments(s3: S3Server, bucket: str) -> dict[str, bytes]:
    """Return the environment files of a bucket, without their history."""
    found = bodies(s3, bucket)
    return {key: found[key] for key in found if "/" not in key}


def test_a_frozen_environment_is_pushed_and_arrives_as_any_other(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    a.create("libs", "lib01=1.0")
    write_variables(a.prefix("libs"), {"MODE": "fast"})
    freeze(a, "libs")
    before = snapshot(a.prefix("libs"))
    assert "push  libs" in sync_twice(a, s3, bucket).stdout
    assert snapshot(a.prefix("libs")) == before
    b.sync_here(bucket)
    assert contents(b) == contents(a) != {}
    # Whoever froze it has changed it all the same.
    write_variables(a.prefix("libs"), {"MODE": "slower"})
    assert "push  libs" in a.sync_here(bucket).stdout
    sync_twice(b, s3, bucket)
    assert b.variables("libs") == {"MODE": "slower"}


def test_what_is_frozen_is_never_changed_each_run_says_so_and_the_rest_goes_on(
    machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a, b = machine("a"), machine("b")
    a.create("free", "lib00=1.0")
    for name in ("libs", "vars"):
        shutil.copytree(a.prefix("free"), a.prefix(name))
    for one in (a, b):
        one.sync_here(bucket)
    for name in ("libs", "vars", "base"):
        freeze(b, name)
    before = {name: snapshot(b.prefix(name)) for name in ("libs", "vars")}
    base = snapshot(b.base / "conda-meta")
    for name in ("free", "libs"):
        a.install(name, "lib00=1.1")
    write_variables(a.prefix("vars"), {"MODE": "fast"})
    a.sync_here(bucket)
    root = f"channels: ['{channel.url}']\ndependencies: [lib00=1.0]"
    put(s3, bucket, "root.yml", root)
    there = environments(s3, bucket)

    said = []
    for free in ("pull", "nothing"):
        document = sync_json(b, bucket, "--include-root-env", code=1)
        assert actions(document) == {
            "free": free,
            **dict.fromkeys(("libs", "root", "vars"), "failed"),
        }
        said.append(errors(document))
        assert {name: snapshot(b.prefix(name)) for name in before} == before
        assert snapshot(b.base / "conda-meta") == base
    assert said[0] == said[1]
    for name, error in said[0].items():
        prefix = b.prefix("base" if name == "root" else name)
        assert error["message"] == f"{prefix} is frozen, and stays as it is."
        assert "conda-meta/frozen" in error["hint"]
    assert b.packages("free") == a.packages("free")
    assert environments(s3, bucket) == there

    for name in ("libs", "vars"):
        (b.prefix(name) / "conda-meta" / "frozen").unlink()
    b.sync_here(bucket)
    assert contents(b) == contents(a)
