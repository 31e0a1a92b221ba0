"""Locks by hand: conda exports them, and makes the very same environments of them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from acceptance import bodies, content
from conda_here import HAS_CLASSIC, HAS_CONDA
from following import set_up, words
from http_channel import TOKEN
from machine import Machine
from make_channel import Channel, this_subdir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda

OTHER = "linux-64" if this_subdir().startswith("osx") else "osx-arm64"

CREATE = ("env", "create", "-n")
EXPORT = ("export", "--format=s3-sync-lock", "-n")


def reads_formats() -> bool:
    """Tell whether conda knows formats of plugins beyond `conda env create`."""
    if not HAS_CONDA:
        return False
    from conda.models.environment import Environment

    return hasattr(Environment, "from_cli_with_file_envs")


needs_formats = pytest.mark.skipif(not reads_formats(), reason="needs conda 26.3")
needs_classic = pytest.mark.skipif(
    not HAS_CLASSIC, reason="all other solvers are plugins themselves"
)


class Pushed(NamedTuple):
    """A machine with the environment `py`, and its lock in the bucket."""

    machine: Machine
    #: The address of the lock.
    url: str
    body: bytes
    #: The lock as conda has exported it.
    file: Path
    #: What conda has said meanwhile.
    warnings: str


@pytest.fixture(scope="module")
def pushed(
    tmp_path_factory: pytest.TempPathFactory,
    channel: Channel,
    wheels: Path,
    s3_server: S3Server,
) -> Pushed:
    """Only to be read."""
    folder, bucket = tmp_path_factory.mktemp("pushed"), s3_server.new_bucket()
    machine = Machine(
        folder / "a",
        channels=[channel.url],
        wheels=wheels,
        endpoint=s3_server.endpoint,
    )
    machine.create("py", "python", "pip", "lib01=1.1", "six")
    machine.pip("py", "install", "hello==1.0", "greet")
    machine.set_variables("py", MODE="fast", MY_TOKEN="mine")
    machine.sync(f"{bucket}/team")
    (key,) = (key for key in s3_server.keys(bucket) if key.endswith(".json"))
    body = s3_server.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    file = folder / "py.s3-sync.lock.json"
    done = machine.conda(*EXPORT, "py", "--file", file)
    return Pushed(machine, f"s3://{bucket}/{key}", body, file, done.stderr)


def without_secret(machine: Machine, name: str) -> dict[str, Any]:
    """Return all of an environment that may leave its machine."""
    found = content(machine, name)
    return {**found, "variables": {"MODE": found["variables"]["MODE"]}}


def fails(machine: Machine, *command: str | Path, code: int = 1) -> str:
    """Run a conda command that fails and makes nothing; return its one or two lines."""
    done = machine.conda(*command, check=False)
    assert done.returncode == code, done.stdout
    assert machine.environments() == []
    assert done.stderr.strip().count("\n") <= 1
    return done.stderr


def test_what_conda_exports_is_what_the_bucket_has(pushed: Pushed) -> None:
    # conda ends every file with a line break.
    assert pushed.file.read_bytes() == pushed.body + b"\n"
    assert "py: variable MY_TOKEN stays here: it looks secret\n" in pushed.warnings
    assert b"mine" not in pushed.body


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("create --file FILE", marks=needs_formats),
        "env create -f FILE",
        "env create -f URL",
    ],
)
def test_conda_makes_the_very_same_of_it_without_a_solve(
    pushed: Pushed, machine: Build, command: str
) -> None:
    b = machine("b", channels=[])  # where nothing could be found for a solve
    source = {"FILE": str(pushed.file), "URL": pushed.url}
    words = [source.get(word, word) for word in command.split()]
    for _ in range(2):
        b.conda(*words, "-n", "copy")
        assert content(b, "copy") == without_secret(pushed.machine, "py")
        assert b.conda(*EXPORT, "copy").stdout == pushed.file.read_text()


@needs_formats
def test_packages_are_added_to_an_environment_that_is_there(
    pushed: Pushed, machine: Build
) -> None:
    b = machine("b")
    b.create("mine", "lib02=1.0", "lib01=1.0", "acty")
    b.set_variables("mine", MODE="slow", MINE="1")
    for _ in range(2):
        b.conda("install", "-n", "mine", "--file", pushed.file)
        found = content(b, "mine")
        assert found["packages"].keys() >= {"python", "acty", "lib02"}
        assert found["packages"]["lib01"][0] == "1.1"
        assert found["pip"] == {"hello": "1.0", "greet": "1.0"}
        assert found["variables"] == {"MODE": "fast", "MINE": "1"}


def test_nothing_is_made_in_a_dry_run(pushed: Pushed, machine: Build) -> None:
    b = machine("b")
    done = b.conda(*CREATE, "copy", "-f", pushed.file, "--dry-run")
    assert "Dry run" in done.stderr
    assert b.environments() == []
    assert list(b.pkgs.iterdir()) == []


def test_what_pip_cannot_install_is_said_with_the_command_that_does(
    pushed: Pushed, machine: Build, wheels: Path
) -> None:
    b = machine("b", wheels=None)
    done = b.conda(*CREATE, "copy", "-f", pushed.file, check=False)
    assert done.returncode == 1
    error, hint = done.stderr.strip().splitlines()
    assert error.startswith("PipError: pip could not install greet==1.0, hello==1.0")
    expected = without_secret(pushed.machine, "py")
    assert content(b, "copy") == {**expected, "pip": {}}
    b.environment["PIP_FIND_LINKS"] = str(wheels)
    _, _, again = hint.partition("To try again: ")
    b.run(*shlex.split(again))
    assert content(b, "copy") == expected


DAMAGED = {
    "cut off": (lambda body: body[:900], "Its lock is not valid JSON."),
    "of a later release": (
        lambda body: body.replace(b'"format": 1', b'"format": 99'),
        "Its lock has a format that this release does not know.",
    ),
    "with options for pip": (
        lambda body: body.replace(b"hello==1.0", b"--index-url=http://x"),
        "It asks pip for '--index-url=http://x'",
    ),
    "for elsewhere": (
        lambda body: body.replace(this_subdir().encode(), OTHER.encode()),
        f"is for {OTHER}, not for {this_subdir()}.",
    ),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGED.values(), ids=DAMAGED)
def test_a_lock_that_cannot_be_used_is_said_to_be_one(
    pushed: Pushed,
    machine: Build,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    says: str,
) -> None:
    file = tmp_path / "lock.json"
    file.write_bytes(damage(pushed.body))
    said = fails(machine("b"), *CREATE, "copy", "-f", file)
    assert said.strip().startswith(f"EnvFileError: {file} ")
    assert says in said


@needs_formats
def test_two_different_locks_make_no_environment(
    pushed: Pushed, machine: Build, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(pushed.body.replace(b"fast", b"slow"))
    words = ("create", "-n", "copy", "--file", pushed.file, "--file", other)
    said = fails(machine("b"), *words, code=2)
    assert f"{other} is a second lock: an environment is made of one." in said


def test_a_login_is_added_on_arrival_and_stays_out_of_the_lock(
    machine: Build, http_channel: HttpChannel, tmp_path: Path
) -> None:
    a, b, c = (machine(name, channels=[http_channel.private_url]) for name in "abc")
    file = tmp_path / "s3-sync.lock.json"
    a.create("ml", "acty")
    a.conda("export", "-n", "ml", "--file", file)
    assert TOKEN not in file.read_text()
    b.conda(*CREATE, "ml", "-f", file)
    assert b.packages("ml") == a.packages("ml")
    for path in b.prefix("ml").rglob("conda-meta/*.json"):
        assert TOKEN not in path.read_text()
    (fn,) = (entry["fn"] for entry in json.loads(file.read_text())["packages"])
    http_channel.broken[fn] = 403
    said = fails(c, *CREATE, "ml", "-f", file)
    assert f"EngineError: {file} could not be installed: HTTP 403" in said
    assert TOKEN not in said


def test_a_package_that_is_not_the_locked_one_is_refused(
    machine: Build, http_channel: HttpChannel, tmp_path: Path
) -> None:
    a, b = (machine(name, channels=[http_channel.url]) for name in "ab")
    a.create("ml", "acty")
    lock = json.loads(a.conda(*EXPORT, "ml").stdout)
    lock["packages"][0]["sha256"] = "5" * 64
    file = tmp_path / "lock.json"
    file.write_text(json.dumps(lock))
    said = fails(b, *CREATE, "ml", "-f", file)
    assert f"{file} could not be installed" in said
    assert "sha256" in said


def test_there_is_no_lock_for_another_platform_than_this(
    machine: Build, tmp_path: Path
) -> None:
    both = Channel(tmp_path / "channel", this_subdir(), OTHER)
    both.add("lib")
    both.write_index()
    a = machine("a", channels=[both.url])
    a.create("ml", "lib")
    done = a.conda(*EXPORT, "ml", "--platform", OTHER, check=False)
    assert done.returncode == 1
    error, hint = done.stderr.strip().splitlines()
    assert error.endswith(f"there is no lock of it for {OTHER}.")
    assert OTHER in hint


def test_pins_are_said_to_stay(machine: Build) -> None:
    a = machine("a")
    a.create("ml", "lib00")
    a.pin("ml", "lib00 2.*")
    assert "ml: pins stay here: a lock has none\n" in a.conda(*EXPORT, "ml").stderr


def test_no_terminal_obeys_the_name_of_what_stays(machine: Build) -> None:
    a = machine("a")
    a.create("ml")
    state = {"version": 1, "env_vars": {"A\x1b[2J\nB": "1"}}
    (a.prefix("ml") / "conda-meta" / "state").write_text(json.dumps(state))
    done = a.conda(*EXPORT, "ml")
    assert done.stderr == (
        r"ml: variable A\x1b[2J\nB stays here: no shell could set it" "\n"
    )


@needs_classic
def test_conda_alone_makes_what_was_pushed_of_the_file_in_the_bucket(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    a.create("libs", "lib05", "lib02=1.1", "acty")
    a.set_variables("libs", MODE="fast")
    a.sync(f"{bucket}/team")
    b.environment["CONDA_NO_PLUGINS"] = "true"
    b.conda(*CREATE, "libs", "-f", f"s3://{bucket}/team/libs.yml")
    assert b.packages("libs") == a.packages("libs")
    assert b.variables("libs") == {"MODE": "fast"}


@needs_classic
def test_conda_alone_makes_what_was_pushed_of_the_file_that_somebody_has_fetched(
    pushed: Pushed, machine: Build, s3: S3Server, tmp_path: Path
) -> None:
    b = machine("b")
    bucket, _, key = pushed.url.removeprefix("s3://").partition("/")
    file = tmp_path / "py.yml"
    s3.client.download_file(bucket, f"{key.split('/')[0]}/py.yml", str(file))
    b.environment["CONDA_NO_PLUGINS"] = "true"
    b.conda(*CREATE, "py", "-f", file)
    found, expected = content(b, "py"), without_secret(pushed.machine, "py")
    for part in ("packages", "pip", "variables"):
        assert found[part] == expected[part]


def test_what_follows_a_command_has_all_of_the_lock(
    pushed: Pushed, machine: Build, s3: S3Server, bucket: str
) -> None:
    b = set_up(machine("b"), bucket, auto_timeout="60")
    done = b.conda(*CREATE, "mine", "-f", pushed.file)
    assert words(done, s3) == f"pushed mine to s3://{bucket}/team"
    text = bodies(s3, bucket)["team/mine.yml"].decode()
    assert "hello==1.0" in text
    assert "MODE: fast" in text
