"""Whatever goes wrong after a command of conda: the command has done its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from acceptance import put
from following import in_bucket, is_silent, set_up, words
from machine import CLOSED_DOOR, TIMEOUT
from make_channel import Channel
from usual_channel import post_link

from conda_s3_sync_plugin.state import RUNNING, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda

LATER = "what was changed here is shared after the next command"


@pytest.fixture
def a(machine: Build, bucket: str) -> Machine:
    """A machine that pushes, however busy it is."""
    return set_up(machine("a"), bucket, auto_timeout="60")


HASTE = {"CONDA_PLUGINS_S3_SYNC_AUTO_TIMEOUT": "1"}


def create(machine: Machine, *flags: str, **variables: str) -> str:
    """Create `ml`; see that conda is not disturbed, and return what follows it."""
    command = (machine._python, "-m", "conda", "create", "-n", "ml", "lib00")
    done = machine.run(*command, "--json", *flags, **variables)
    assert json.loads(done.stdout)["success"] is True
    assert machine.environments() == ["ml"]
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("s3-sync: ")
    return done.stderr.removeprefix("s3-sync: ").removesuffix("\n")


def catches_up(machine: Machine, s3: S3Server, bucket: str) -> None:
    """See that the next command shares what this one could not."""
    s3.before = None
    done = machine.conda("create", "-n", "next", "lib00")
    assert words(done, s3) == f"pushed ml, next to s3://{bucket}/team"


def test_of_many_reasons_some_are_told(a: Machine, s3: S3Server, bucket: str) -> None:
    for number in range(5):
        for name in (f"x{number}", f"X{number}"):
            put(s3, bucket, f"team/{name}.yml", "dependencies: []")
    said = create(a)
    assert said.count("are the same name") == 3
    assert "; 2 more such reasons; see conda s3-sync --dry-run" in said


def test_offline(a: Machine, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    assert create(a, "--offline") == f"offline; {LATER}"
    assert s3.requests == []
    catches_up(a, s3, bucket)


def test_without_credentials(a: Machine, s3: S3Server, bucket: str) -> None:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    kept = {key: a.environment.pop(key) for key in keys}
    text = create(a)
    assert "there are no complete AWS credentials" in text
    assert "Run `aws configure`" in text
    a.environment |= kept
    catches_up(a, s3, bucket)


def test_without_a_bucket(a: Machine, s3: S3Server, bucket: str) -> None:
    text = create(a, CONDA_PLUGINS_S3_SYNC_LOCATION="no-such-bucket")
    assert "there is no bucket no-such-bucket" in text
    catches_up(a, s3, bucket)


def test_with_a_dead_endpoint(a: Machine, s3: S3Server, bucket: str) -> None:
    text = create(a, AWS_ENDPOINT_URL_S3=CLOSED_DOOR)
    assert f"{CLOSED_DOOR} cannot be reached" in text
    catches_up(a, s3, bucket)


@pytest.mark.parametrize("verb", ["LIST", "PUT"])
def test_with_a_server_that_does_not_answer(
    verb: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    released = threading.Event()

    def hold(request: Request) -> None:
        if request.verb == verb:
            released.wait(TIMEOUT)

    s3.before = hold
    try:
        text = create(a, **HASTE)  # it ends while the server still waits
    finally:
        released.set()
    assert "the bucket has not answered in full within 1 s" in text
    catches_up(a, s3, bucket)


def test_with_a_server_that_refuses(a: Machine, s3: S3Server, bucket: str) -> None:
    s3.before = lambda request: (403, "AccessDenied") if request.body else None
    text = create(a)
    assert text.startswith("ml: Cannot write the ")
    assert "access is denied" in text
    assert text.endswith("; see conda s3-sync --dry-run")
    catches_up(a, s3, bucket)


def test_interrupted(a: Machine, s3: S3Server, bucket: str) -> None:
    reached, released = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        reached.set()
        released.wait(TIMEOUT)

    s3.before = hold
    command = [a._python, "-m", "conda", "create", "-n", "ml", "lib00", "--json"]
    process = subprocess.Popen(
        command,
        cwd=a.home,
        env=a.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert reached.wait(TIMEOUT)
        process.send_signal(signal.SIGINT)
        s3.before = None
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        released.set()
        process.kill()
    assert (process.returncode, err) == (0, f"s3-sync: interrupted; {LATER}\n")
    assert json.loads(out)["success"] is True
    catches_up(a, s3, bucket)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AUTO", "pull", "s3_sync_auto is one of off, push, sync, not 'pull'."),
        ("AUTO_TIMEOUT", "-1", "s3_sync_auto_timeout is a number from 0 on, not -1."),
        ("LOCATION", "", "No location is given."),
        ("DIRECTION", "pull", "s3_sync_auto says push, and s3_sync_direction pull."),
    ],
)
def test_with_a_setting_that_makes_no_sense(
    variable: str, value: str, told: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    name = f"CONDA_PLUGINS_S3_SYNC_{variable}"
    assert create(a, **{name: value}).startswith(told)
    assert s3.requests == []
    catches_up(a, s3, bucket)


def test_with_a_setting_of_a_wrong_type(a: Machine, s3: S3Server, bucket: str) -> None:
    del a.environment["CONDA_PLUGINS_S3_SYNC_AUTO"]
    a.write_condarc(plugins={"s3_sync_auto": ["push"]})
    assert "Error: " in create(a)  # which one is up to conda
    a.write_condarc(plugins={"s3_sync_auto": "push"})
    catches_up(a, s3, bucket)


def test_beside_another_run(a: Machine, s3: S3Server, bucket: str) -> None:
    with State(a.home / ".conda" / "s3-sync").locked():
        text = create(a)
    assert text.startswith("Another synchronization is running: process ")
    catches_up(a, s3, bucket)


def test_with_a_memory_that_cannot_be_written(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    folder = a.home / ".conda"
    folder.mkdir(exist_ok=True)
    (folder / "s3-sync").write_text("in the way")
    assert "s3-sync/baselines.json cannot be read" in create(a)
    (folder / "s3-sync").unlink()
    catches_up(a, s3, bucket)


def test_with_a_closed_stderr(a: Machine, s3: S3Server, bucket: str) -> None:
    command = (a._python, "-m", "conda", "create", "-n", "ml", "lib00")
    a.run("/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *command)
    assert in_bucket(s3, bucket) == {"ml": ["lib00"]}


def test_a_command_that_fails_is_not_followed(a: Machine, s3: S3Server) -> None:
    done = a.conda("create", "-n", "ml", "no-such-package", check=False)
    assert done.returncode == 1
    assert is_silent(done)
    assert s3.requests == []


def test_what_a_run_starts_is_not_followed(
    machine: Build, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    """A pull of `odd` starts a conda, which creates an environment."""
    channel = Channel(tmp_path / "channel")
    channel.add("lib")
    create = f"{sys.executable} -m conda create -n inner lib >$PREFIX/inner 2>&1"
    told = f'echo "${RUNNING}" >"$PREFIX/running"'
    channel.add("odd", files=post_link("odd", f"{create}; {told}"))
    channel.write_index()
    a = set_up(machine("a", channels=[channel.url]), bucket)
    a.conda("create", "-n", "one", "lib")
    s3.client.put_object(Bucket=bucket, Key="team/odd.yml", Body=b"dependencies: [odd]")
    a.sync()
    assert (a.prefix("odd") / "running").read_text() == "1\n"
    assert a.environments() == ["inner", "odd", "one"]
    assert "s3-sync" not in (a.prefix("odd") / "inner").read_text()
    assert in_bucket(s3, bucket).keys() == {"odd", "one"}
    assert RUNNING not in os.environ
