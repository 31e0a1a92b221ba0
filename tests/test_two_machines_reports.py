"""What a run says and how it ends: lines, documents, exit codes, dry runs."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    bodies,
    complaint,
    plant,
    put,
    sync_json,
    sync_twice,
    tree,
)
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]

#: An environment file that no solver can do anything with.
IMPOSSIBLE = "dependencies: [lib01=2.0, conflict]\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> Machine:
    """A machine with the environment `ml`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url])
    machine.create("ml", "lib01=1.0")
    return machine


def rename(original: Machine, machine: Machine, name: str) -> None:
    """Copy the environment of the original under another name."""
    shutil.copytree(original.prefix("ml"), machine.prefix(name))


def test_a_dry_run_tells_everything_and_writes_nothing_anywhere(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    for name in ("new", "edited", "clash"):
        rename(original, a, name)
    for name in ("edited", "clash"):
        rename(original, b, name)
    # Not even on a machine that has never been synchronized.
    there, here = bodies(s3, bucket), tree(a.root)
    assert a.sync_here(bucket, "-d").stdout.endswith(": 3 to push\n")
    assert (bodies(s3, bucket), tree(a.root)) == (there, here)
    a.sync_here(bucket, "-n", "edited", "-n", "clash")
    b.sync_here(bucket)
    rename(original, b, "far")
    b.set_variables("clash", WHO="b")
    b.sync_here(bucket)
    a.set_variables("clash", WHO="a")
    a.set_variables("edited", WHO="a")
    there, here = bodies(s3, bucket), tree(a.root)
    s3.requests.clear()
    for _ in range(2):
        lines = a.sync_here(bucket, "--dry-run").stdout.splitlines()
        assert [line.split()[:2] for line in lines[:-1]] == [
            ["push", "clash"],
            ["push", "edited"],
            ["pull", "far"],
            ["push", "new"],
        ]
        assert lines[-1].endswith(": 3 to push, 1 to pull")
    document = sync_json(a, bucket, "-d", "--prefer", "remote")
    assert document["dry_run"] is True
    assert actions(document) == {
        "clash": "pull",
        "edited": "push",
        "far": "pull",
        "new": "push",
    }
    assert "PUT" not in s3.counts()
    assert (bodies(s3, bucket), tree(a.root)) == (there, here)
    sync_twice(a, s3, bucket)
    assert a.environments() == ["clash", "edited", "far", "new"]


def test_one_document_is_on_stdout_with_the_same_facts_as_the_lines(
    original: Machine, machine: Build, bucket: str
) -> None:
    a = machine("a")
    plant(original, "ml", a)
    document = sync_json(a, bucket)
    (entry,) = document["environments"]
    assert document.keys() == {
        "format",
        "success",
        "location",
        "dry_run",
        "environments",
        "warnings",
    }
    assert document["format"] == 1
    assert document["success"] is True
    assert document["location"].startswith(f"s3://{bucket} at http://127.0.0.1:")
    assert (entry["name"], entry["action"], entry["reason"]) == (
        "ml",
        "push",
        "new here",
    )
    assert entry["modified"].endswith("+00:00")
    assert actions(sync_json(a, bucket)) == {"ml": "nothing"}


def test_environments_that_fail_stop_no_others_and_are_told_apart(
    original: Machine, machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a, b = machine("a"), machine("b")
    rename(original, b, "pulled")
    b.sync_here(bucket)
    put(s3, bucket, "impossible.yml", f"channels: ['{channel.url}']\n{IMPOSSIBLE}")
    put(s3, bucket, "garbage.yml", "services: {db: {image: postgres}}\n")
    for name in ("broken", "pushed"):
        rename(original, a, name)
    next((a.prefix("broken") / "conda-meta").glob("*.json")).write_text("{")
    done = a.sync_here(bucket, check=False)
    assert done.returncode == 1
    assert a.environments() == ["broken", "pulled", "pushed"]
    assert "pushed.yml" in s3.keys(bucket)
    assert "broken.yml" not in s3.keys(bucket)
    assert not a.prefix("impossible").exists()
    told = {line.split()[1]: line for line in done.stderr.splitlines() if line[0] > " "}
    assert told.keys() == {"broken", "garbage", "impossible"}
    assert "cannot be read" in told["broken"]
    assert "no dependencies" in told["garbage"]
    assert "No solution" in told["impossible"]
    assert [line.split()[:2] for line in done.stdout.splitlines()[:-1]] == [
        ["push", "pushed"],
        ["pull", "pulled"],
    ]
    assert done.stdout.endswith(": 1 pushed, 1 pulled, 2 skipped, 1 failed\n")
    document = sync_json(a, bucket, code=1)
    assert document["success"] is False
    assert actions(document) == {
        "broken": "skip",
        "garbage": "skip",
        "impossible": "failed",
        "pulled": "nothing",
        "pushed": "nothing",
    }


def test_quiet_leaves_stdout_empty_and_errors_on_stderr(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    plant(original, "ml", a)
    done = a.sync_here(bucket, "-q")
    assert (done.stdout, done.stderr) == ("", "")
    put(s3, bucket, "garbage.yml", "[]")
    failed = a.sync_here(bucket, "-q", check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("skip  garbage  its file in the bucket")


def test_verbose_tells_what_is_in_step_too(
    original: Machine, machine: Build, bucket: str
) -> None:
    a = machine("a")
    plant(original, "ml", a)
    a.sync_here(bucket)
    assert a.sync_here(bucket, "-v").stdout.startswith("nothing  ml  in step")


def test_a_run_whose_environments_are_all_gone_is_stopped(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    for name in ("one", "two"):
        rename(original, a, name)
    a.sync_here(bucket)
    for name in ("one", "two"):
        shutil.rmtree(a.prefix(name))
    there, state = bodies(s3, bucket), tree(a.home / ".conda")
    done = a.sync_here(bucket, check=False)
    assert done.returncode == 3
    assert "All 2 known environments are gone from this machine" in done.stderr
    assert "--force" in done.stderr
    document = sync_json(a, bucket, code=3)
    assert document["error"]["type"] == "SafetyError"
    assert (bodies(s3, bucket), a.environments()) == (there, [])
    assert state.keys() == tree(a.home / ".conda").keys()
    sync_twice(a, s3, bucket, "--force")
    assert a.environments() == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        pytest.param([], 2, "UsageError", id="no-location"),
        pytest.param(["//x"], 2, "LocationError", id="no-bucket"),
        pytest.param(["bkt", "--path-filter", "("], 2, "UsageError", id="filter"),
        pytest.param(["bkt", "--conda-bin", "/no"], 2, "UsageError", id="conda-bin"),
        pytest.param(["bkt", "--offline"], 1, "StoreError", id="offline"),
        pytest.param(["no-such-bucket"], 1, "StoreError", id="no-such-bucket"),
    ],
)
def test_a_run_that_cannot_begin_is_told_in_one_document_or_in_two_lines(
    arguments: list[str], code: int, kind: str, machine: Build, s3: S3Server
) -> None:
    a = machine("a")
    document = sync_json(a, *arguments, code=code)
    assert document["success"] is False
    assert document["environments"] == []
    assert document["error"]["type"] == kind
    done = a.sync_here(*arguments, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines[0] == complaint(a, document["error"])
    assert lines[1:] == [hint for hint in [document["error"]["hint"]] if hint]


def test_offline_not_one_request_is_made(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    for arguments in (["--offline"], ["--offline", "-d"]):
        done = a.sync_here(bucket, *arguments, check=False)
        assert done.returncode == 1
        assert "to stay offline" in done.stderr
    a.write_condarc(offline=True)
    done = a.sync_here(bucket, "--json", check=False)
    assert json.loads(done.stdout)["error"]["type"] == "StoreError"
    assert s3.requests == []
