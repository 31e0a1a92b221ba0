"""Deletions that travel: what was removed on purpose goes, and can be brought back."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    bodies,
    bring_back,
    contents,
    history,
    put,
    spread,
    sync_json,
    sync_twice,
    tree,
)
from hand_made import write_variables
from machine import TIMEOUT, Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3server import S3Server

    Build = Callable[..., Machine]
    Pair = tuple[Machine, Machine]

NAMES = ("api", "db", "ml", "web")


@pytest.fixture
def pair(original: Machine, machine: Build, bucket: str) -> Pair:
    """Two machines in step, each with four environments."""
    a, b = machine("a"), machine("b")
    spread(original, NAMES, a, b)
    a.sync_here(bucket)
    b.sync_here(bucket)
    return a, b


def drop(machine: Machine, *names: str) -> None:
    """Remove environments as anybody does who knows where they are."""
    for name in names:
        shutil.rmtree(machine.prefix(name))


def objects(s3: S3Server, bucket: str) -> list[str]:
    """Return the names of the environments in a bucket."""
    return sorted(key[:-4] for key in s3.keys(bucket) if "/" not in key)


def test_what_is_removed_on_one_machine_goes_everywhere_and_one_command_brings_it_back(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    everything = contents(a)
    versions = history(s3, bucket, "api")
    a.remove("api")
    said = sync_json(a, bucket, "--delete")
    assert actions(said) == {
        "api": "delete-remote",
        **dict.fromkeys(("db", "ml", "web"), "nothing"),
    }
    assert said["environments"][0]["reason"] == "removed here"
    assert objects(s3, bucket) == ["db", "ml", "web"]
    b.environment["CONDA_PLUGINS_S3_SYNC_DELETE"] = "true"
    told = sync_twice(b, s3, bucket).stdout
    assert "delete-local  api  removed from the bucket\n" in told
    assert told.endswith(": 1 removed here, 3 in step\n")
    for one in pair:
        assert one.environments() == ["db", "ml", "web"]
        registered = one.home / ".conda" / "environments.txt"
        assert not registered.exists() or "envs/api" not in registered.read_text()
    assert set(actions(sync_json(a, bucket, "--delete")).values()) == {"nothing"}
    assert history(s3, bucket, "api") == versions

    command = bring_back(b, told)
    assert "restore  api" in b.sync_here(*command).stdout
    there = bodies(s3, bucket)
    assert b.sync_here(*command).stdout.endswith(": 1 in step\n")
    assert actions(sync_json(b, bucket))["api"] == "nothing"
    assert bodies(s3, bucket) == there
    assert "pull  api" in sync_twice(a, s3, bucket, "--delete").stdout
    assert contents(a) == contents(b) == everything


def test_what_was_changed_or_is_only_missing_does_not_go(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    drop(a, "api", "web")
    write_variables(b.prefix("api"), {"NAME": "changed before"})
    b.sync_here(bucket)
    s3.client.delete_object(Bucket=bucket, Key="db.yml")
    said = sync_json(a, bucket, "--delete")
    assert actions(said) == {
        "api": "pull",
        "db": "push",
        "ml": "nothing",
        "web": "delete-remote",
    }
    reasons = {entry["name"]: entry["reason"] for entry in said["environments"]}
    assert reasons["api"] == "removed here, but changed in the bucket"
    assert reasons["db"] == "missing in the bucket"
    assert objects(s3, bucket) == ["api", "db", "ml"]
    write_variables(b.prefix("web"), {"NAME": "changed after"})
    told = sync_twice(b, s3, bucket, "--delete").stdout
    assert "push  web  removed from the bucket, but changed here" in told
    sync_twice(a, s3, bucket, "--delete")
    assert contents(a) == contents(b)
    assert b.variables("api") == {"NAME": "changed before"}
    assert a.variables("web") == {"NAME": "changed after"}


def test_more_than_half_stops_before_anything_is_touched_unless_forced(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    drop(a, "api", "db", "web")
    stops(a, s3, bucket, "3 of 4 known environments would be deleted (api, db, web)")
    assert "3 to remove from the bucket" in a.sync_here(bucket, "--delete", "-d").stdout
    said = a.sync_here(bucket, "--delete", "--force").stdout
    assert said.endswith(": 3 removed from the bucket, 1 in step\n")
    assert b.sync_here(bucket, "--delete", check=False).returncode == 3
    assert b.environments() == list(NAMES)
    chosen = ("-n", "api", "-n", "db", "--delete")
    assert set(actions(sync_json(b, bucket, *chosen)).values()) == {"delete-local"}
    assert b.environments() == ["ml", "web"]
    sync_twice(b, s3, bucket, "--delete")
    assert b.environments() == ["ml"]


@pytest.mark.parametrize("side", ["here", "there"])
def test_one_side_that_is_suddenly_empty_stops_the_run(
    side: str, pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, _ = pair
    if side == "here":
        drop(a, *NAMES)
        where = "this machine"
    else:
        for name in NAMES:
            s3.client.delete_object(Bucket=bucket, Key=f"{name}.yml")
        where = f"s3://{bucket} at {s3.endpoint}"
    stops(a, s3, bucket, f"All 4 known environments are gone from {where}")
    stops(a, s3, bucket, "All 4 known environments are gone", "-n", "api")
    said = a.sync_here(bucket, "--delete", "--dry-run", "--force").stdout
    assert said.endswith(" from the bucket\n" if side == "here" else ": 4 to push\n")


def stops(
    machine: Machine, s3: S3Server, bucket: str, why: str, *arguments: str
) -> None:
    """See that a run that would delete stops, and has done nothing anywhere."""
    memory = machine.home / ".conda" / "s3-sync" / "baselines.json"
    there, here = bodies(s3, bucket), tree(machine.envs)
    remembered = memory.read_bytes()
    done = machine.sync_here(bucket, "--delete", *arguments, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert why in done.stderr
    assert "; nothing was done." in done.stderr
    assert "--force" in done.stderr
    # With it, and with --delete, nothing is brought back.
    assert "bring them back" not in done.stderr
    document = sync_json(machine, bucket, "--delete", *arguments, code=3)
    assert document["error"]["type"] == "SafetyError"
    assert (document["success"], document["environments"]) == (False, [])
    assert (bodies(s3, bucket), tree(machine.envs)) == (there, here)
    assert memory.read_bytes() == remembered


def test_what_goes_here_goes_only_with_a_yes(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    del b.environment["CONDA_ALWAYS_YES"]
    drop(a, "api", "web")
    a.sync_here(bucket, "--delete")
    # Nobody is there to ask.
    done = b.sync_here(bucket, "--delete", check=False)
    assert done.returncode == 1
    assert "skip  api  removed from the bucket, and not confirmed" in done.stderr
    assert "-y removes it here" in done.stderr
    assert "?" not in done.stderr
    said = sync_json(b, bucket, "--delete", code=1)
    assert actions(said)["web"] == "skip"
    # And whoever is asked may say no, or nothing at all.
    for answer in ("n\n", "\x04"):
        done = ask(b, answer, bucket, "--delete")
        assert "Remove from this machine, as elsewhere: api, web?" in done.stderr
        assert done.returncode == 1
        assert b.environments() == list(NAMES)
    done = ask(b, "y\n", bucket, "--delete", "-n", "api")
    assert "Remove from this machine, as elsewhere: api?" in done.stderr
    assert (done.returncode, b.environments()) == (0, ["db", "ml", "web"])
    sync_twice(b, s3, bucket, "--delete", "-y")
    assert b.environments() == ["db", "ml"]


def ask(
    machine: Machine, answer: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run our command on a terminal, where somebody has typed an answer."""
    ours, terminal = pty.openpty()
    try:
        os.write(ours, answer.encode())
        return subprocess.run(
            [*machine.ours, *arguments],
            cwd=machine.home,
            env=machine.environment,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    finally:
        os.close(ours)
        os.close(terminal)


def test_frozen_and_active_environments_and_base_are_never_removed(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    for one in pair:
        one.sync_here(bucket, "--include-root-env")
    folder = ".s3-sync/root/"
    (version,) = (key for key in s3.keys(bucket) if re.match(f"{folder}.*yml", key))
    statement = re.sub(r"\d+T(.*)yml", r"29990101T\1deleted", version)
    put(s3, bucket, statement, "whoever says so")
    s3.client.delete_object(Bucket=bucket, Key="root.yml")
    drop(a, "api", "web")
    a.sync_here(bucket, "--delete")
    (b.prefix("api") / "conda-meta" / "frozen").touch()
    b.environment["CONDA_PREFIX"] = str(b.prefix("web"))
    before = tree(b.envs)
    for root in ("push", "nothing"):
        said = sync_json(b, bucket, "--delete", "--include-root-env", code=1)
        assert actions(said) == {
            "api": "failed",
            "db": "nothing",
            "ml": "nothing",
            "root": root,
            "web": "failed",
        }
        errors = {entry["name"]: entry.get("error") for entry in said["environments"]}
        assert "is frozen, and stays" in errors["api"]["message"]
        assert "is active, and stays" in errors["web"]["message"]
    assert tree(b.envs) == before
    assert (b.base / "conda-meta" / "history").exists()
    # As soon as nothing speaks against it, they go.
    (b.prefix("api") / "conda-meta" / "frozen").unlink()
    del b.environment["CONDA_PREFIX"]
    sync_twice(b, s3, bucket, "--delete")
    assert b.environments() == ["db", "ml"]


def test_without_the_flag_it_comes_back_and_either_direction_may_hold_it(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    drop(a, "api")
    there = bodies(s3, bucket)
    said = sync_json(a, bucket, "--delete", "--pull-only")
    assert actions(said)["api"] == "hold"
    assert bodies(s3, bucket) == there
    a.sync_here(bucket, "--delete", "--push-only")
    assert objects(s3, bucket) == ["db", "ml", "web"]
    said = b.sync_here(bucket, "--delete", "--push-only").stdout
    assert "hold  api  removed from the bucket (--push-only)" in said
    assert "1 held back, 3 in step" in said
    assert b.environments() == list(NAMES)
    # Who does not delete puts it back, and is told.
    said = sync_twice(b, s3, bucket).stdout
    assert "push  api  missing in the bucket\n" in said
    assert "conda env remove -n api" in said
    assert "--delete" in said
    # From now on, that it is missing is no deletion any more.
    s3.client.delete_object(Bucket=bucket, Key="api.yml")
    assert actions(sync_json(b, bucket, "--delete"))["api"] == "push"
    sync_twice(a, s3, bucket, "--delete")
    assert contents(a) == contents(b)
    drop(b, "api")
    b.sync_here(bucket, "--delete")
    assert actions(sync_json(a, bucket, "--delete", "--pull-only"))["api"] == (
        "delete-local"
    )
    assert a.environments() == ["db", "ml", "web"]
