"""What follows each command of conda that changes environments, if that is set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from acceptance import actions, bodies, content, put, sync_json
from following import in_bucket, is_silent, set_up, words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda


@pytest.fixture
def a(machine: Build, bucket: str) -> Machine:
    """A machine that pushes."""
    return set_up(machine("a"), bucket)


def test_each_command_that_changes_an_environment_is_followed(
    a: Machine, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    pushed = f"pushed {{}} to s3://{bucket}/team"
    there = {"ml": ["lib00"]}

    def follows(*command: str, name: str = "ml") -> None:
        s3.requests.clear()
        assert words(a.conda(*command), s3) == pushed.format(name)
        assert in_bucket(s3, bucket) == there

    follows("create", "-n", "ml", "lib00=1.0")
    there["ml"] = ["lib00", "lib01"]
    follows("install", "-n", "ml", "lib01")
    follows("update", "-n", "ml", "lib00")
    there["ml"] = ["lib00"]
    follows("remove", "-n", "ml", "lib01")
    follows("env", "config", "vars", "set", "-n", "ml", "COLOUR=blue")
    file = tmp_path / "web.yml"
    file.write_text("name: web\ndependencies: [lib00]\n")
    there["web"] = ["lib00"]
    follows("env", "create", "-f", str(file), name="web")
    file.write_text("name: web\ndependencies: [lib00, lib01]\n")
    there["web"] = ["lib00", "lib01"]
    follows("env", "update", "-f", str(file), name="web")
    there["site"] = there["web"]
    follows("rename", "-n", "web", "site", name="site")
    assert a.sync_here().stdout.count("\n") > 1  # `web` comes back: it was not deleted


def test_where_nothing_has_changed_nothing_is_asked_nor_said(
    a: Machine, s3: S3Server
) -> None:
    a.conda("create", "-n", "ml", "lib00")
    s3.requests.clear()
    for command in (
        ("install", "-n", "ml", "lib00"),
        ("env", "config", "vars", "list", "-n", "ml"),
        ("list", "-n", "ml"),
        ("install", "-n", "ml", "lib00", "--json"),
        ("create", "-n", "other", "lib00", "--dry-run"),
    ):
        done = a.conda(*command, check="--dry-run" not in command)
        assert is_silent(done)
    assert s3.requests == []
    a.history("ml").touch()  # no change of content, which takes one look
    for _ in range(2):
        assert is_silent(a.conda("install", "-n", "ml", "lib00"))
        assert s3.counts() == {"LIST": 1}


def test_off_is_off(a: Machine, s3: S3Server) -> None:
    a.environment["CONDA_PLUGINS_S3_SYNC_AUTO"] = "off"
    assert is_silent(a.conda("create", "-n", "ml", "lib00"))
    assert s3.requests == []


def test_json_and_quiet_stay_what_they_are(a: Machine, s3: S3Server) -> None:
    done = a.conda("create", "-n", "ml", "lib00", "--json")
    assert json.loads(done.stdout)["success"] is True
    assert words(done, s3).startswith("pushed ml")
    assert is_silent(a.conda("install", "-n", "ml", "lib01", "-q"))
    assert s3.counts()["PUT"] > 3


def test_what_pip_has_changed_is_shared_after_the_next_command(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.conda("create", "-n", "py", "python", "pip")
    a.pip("py", "install", "six==1.16.0")
    done = a.conda("create", "-n", "other", "lib00")
    assert words(done, s3) == f"pushed other, py to s3://{bucket}/team"
    assert b"six==1.16.0" in bodies(s3, bucket)["team/py.yml"]


def test_an_environment_that_was_removed_stays_away_and_in_the_bucket(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.environment["CONDA_PLUGINS_S3_SYNC_AUTO"] = "sync"
    for name in ("ml", "web"):
        a.conda("create", "-n", name, "lib00")
    assert is_silent(a.conda("env", "remove", "-n", "ml"))
    a.conda("install", "-n", "web", "lib01")
    assert a.environments() == ["web"]
    assert in_bucket(s3, bucket).keys() == {"ml", "web"}


def test_with_deletion_it_goes_from_the_bucket_and_can_be_brought_back(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.environment["CONDA_PLUGINS_S3_SYNC_DELETE"] = "true"
    for name in ("ml", "web"):
        a.conda("create", "-n", name, "lib00")
    done = a.conda("env", "remove", "-n", "ml")
    assert words(done, s3) == f"removed ml from s3://{bucket}/team"
    assert in_bucket(s3, bucket).keys() == {"web"}
    a.sync("--restore", "ml")
    assert a.environments() == ["ml", "web"]


@pytest.fixture
def b(machine: Build, bucket: str) -> Machine:
    """A machine that pulls as well."""
    return set_up(machine("b"), bucket, "sync")


def test_sync_pulls_what_only_the_bucket_has_changed(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.conda("create", "-n", "ml", "lib00=1.0")
    done = b.conda("create", "-n", "own", "lib00")
    place = f"s3://{bucket}/team"
    assert words(done, s3) == f"pushed own to {place}; pulled ml from {place}"
    a.conda("install", "-n", "ml", "lib01")
    done = b.conda("install", "-n", "own", "lib01")
    assert words(done, s3) == f"pushed own to {place}; pulled ml from {place}"
    assert content(a, "ml") == content(b, "ml")
    s3.requests.clear()
    assert is_silent(b.conda("install", "-n", "ml", "lib01"))
    assert s3.requests == []


def test_push_pulls_nothing(a: Machine, s3: S3Server, bucket: str) -> None:
    put(s3, bucket, "team/ml.yml", "dependencies: [lib00]")
    a.conda("create", "-n", "own", "lib00")
    assert a.environments() == ["own"]


def test_flags_of_the_command_are_not_meant_for_what_follows(
    b: Machine, s3: S3Server, bucket: str
) -> None:
    put(s3, bucket, "team/ml.yml", "dependencies: [lib02=1.0]")
    done = b.conda("create", "-n", "own", "lib05", "--no-deps")
    assert "pulled ml" in words(done, s3)
    assert [*b.packages("own")] == ["lib05"]
    assert [*b.packages("ml")] == ["lib00", "lib01", "lib02"]


def test_a_conflict_is_told_once_and_decided_by_nobody(
    a: Machine, b: Machine, s3: S3Server
) -> None:
    a.conda("create", "-n", "ml", "lib00=1.0")
    b.environment["CONDA_PLUGINS_S3_SYNC_PREFER"] = "local"
    done = b.conda("create", "-n", "ml", "lib00=2.0")
    assert words(done, s3) == (
        "ml: conflict, never in step; see conda s3-sync --dry-run"
    )
    assert b.packages("ml")["lib00"][0] == "2.0"
    assert a.sync().stdout.endswith(": 1 in step\n")
    s3.requests.clear()
    assert is_silent(b.conda("install", "-n", "ml", "lib00=2.0"))
    assert s3.requests == []
    assert actions(sync_json(b)) == {"ml": "push"}
