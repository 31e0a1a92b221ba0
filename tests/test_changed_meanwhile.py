"""An environment that somebody changes while a run looks at it: nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    bodies,
    content,
    history,
    plant,
    put,
    sync_json,
    sync_twice,
)
from machine import Machine
from make_channel import Channel
from usual_channel import post_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from s3server import Request, S3Server

    Build = Callable[..., Machine]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> Machine:
    """A machine with the environments `api` and `libs`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url])
    machine.create("api", "lib00=1.0")
    machine.create("libs", "lib01=1.0")
    return machine


@pytest.fixture
def a(machine: Build, original: Machine, bucket: str) -> Machine:
    """A machine with both environments, which are in the bucket, too."""
    a = machine("a")
    plant(original, "api", a)
    plant(original, "libs", a)
    a.sync_here(bucket)
    return a


@pytest.fixture
def b(machine: Build, original: Machine, a: Machine, bucket: str) -> Machine:
    """A machine in step with the bucket, which then has a newer `libs`."""
    b = machine("b")
    plant(original, "api", b)
    plant(original, "libs", b)
    b.sync_here(bucket)
    a.set_variables("libs", WHO="a")
    a.sync_here(bucket)
    return b


def when(
    verb: str, part: str, act: Callable[[], object], times: int = 1
) -> Callable[[Request], None]:
    """Return a hook that acts ahead of the first requests of a kind."""
    left = [times]

    def hook(request: Request) -> None:
        if request.verb == verb and part in request.key and left[0]:
            left[0] -= 1
            act()

    return hook


def test_what_changes_right_before_it_is_pulled_is_a_conflict_and_is_kept(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    # By then it was observed, and the pull has been decided.
    s3.before = when("GET", ".s3-sync/libs/", lambda: b.install("libs", "acty"))
    said = b.sync_here(bucket).stdout
    s3.before = None
    assert "push  libs  changed on both sides; last changed here" in said
    assert "acty" in b.packages("libs")
    assert b.variables("libs") == {}
    for one in (b, a):
        sync_twice(one, s3, bucket)
    assert content(a, "libs") == content(b, "libs")
    assert any("WHO: a" in version for version in history(s3, bucket, "libs"))


def test_what_changes_all_the_time_is_left_alone_and_the_next_run_goes_on(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    numbers = iter("123456789")
    b.set_variables("api", WHO="b")
    s3.before = when(
        "GET",
        ".s3-sync/libs/",
        lambda: b.set_variables("libs", WHO=f"b{next(numbers)}"),
        times=9,
    )
    done = b.sync_here(bucket, "--prefer", "remote", check=False)
    s3.before = None
    assert done.returncode == 1
    assert f"{b.prefix('libs')} has just been changed by another program" in done.stderr
    assert "1 pushed, 1 failed" in done.stdout
    assert b.variables("libs") == {"WHO": "b3"}
    assert (
        "pull  libs  changed on both sides"
        in sync_twice(b, s3, bucket, "--prefer", "remote").stdout
    )
    assert content(b, "libs") == content(a, "libs")
    kept = "".join(history(s3, bucket, "libs"))
    assert "WHO: b3" in kept


def test_what_changes_while_it_is_pushed_is_pushed_by_the_next_run(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    a.set_variables("libs", WHO="early")
    s3.before = when("PUT", "libs.yml", lambda: a.install("libs", "acty"))
    assert "push  libs  changed here" in a.sync_here(bucket).stdout
    s3.before = None
    first = bodies(s3, bucket)["libs.yml"]
    assert b"WHO: early" in first
    assert b"acty" not in first
    assert "push  libs  changed here" in sync_twice(a, s3, bucket).stdout
    assert b"acty" in bodies(s3, bucket)["libs.yml"]
    assert first.decode() in history(s3, bucket, "libs")


def test_what_changes_while_it_is_read_is_skipped_and_it_is_said_why(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    before = bodies(s3, bucket)
    state = a.prefix("libs") / "conda-meta" / "state"
    os.mkfifo(state)

    def change() -> None:
        with state.open("w") as pipe:  # which is open as soon as a run reads it
            state.unlink()
            a.install("libs", "acty")
            pipe.write("{}")

    other = threading.Thread(target=change, daemon=True)
    other.start()
    document = sync_json(a, bucket, code=1)
    other.join(timeout=60)
    assert actions(document) == {"api": "nothing", "libs": "skip"}
    entry = document["environments"][1]
    assert "libs is being changed by another program" in entry["reason"]
    assert "Run the command again" in entry["hint"]
    assert bodies(s3, bucket) == before
    assert "push  libs  changed here" in sync_twice(a, s3, bucket).stdout
    assert b"acty" in bodies(s3, bucket)["libs.yml"]


def channel_of(folder: Path, script: str) -> Channel:
    """Return a channel with two versions of `lib`, and one package with a script."""
    channel = Channel(folder)
    for version in ("1.0", "2.0"):
        channel.add("lib", version)
    channel.add("odd", files=post_link("odd", script))
    channel.write_index()
    return channel


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Where a link script waits, for as long as a test wants."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@contextmanager
def waiting_at(gate: Path, run: Callable[[], object]) -> Iterator[None]:
    """Run something until a script of its waits at a pipe, which is then opened."""

    def run_and_pass() -> None:
        try:
            run()
        finally:  # nobody is to wait for a script that has never been run
            with suppress(FileNotFoundError):
                os.close(os.open(gate, os.O_RDONLY | os.O_NONBLOCK))

    other = threading.Thread(target=run_and_pass)
    other.start()
    with gate.open("w"):
        yield
        gate.unlink()
    other.join()


@pytest.mark.conda
@pytest.mark.parametrize("kind", ["conda", "standalone"])
def test_what_conda_has_half_changed_is_neither_pushed_nor_pulled(
    kind: str,
    machine: Build,
    s3: S3Server,
    bucket: str,
    gate: Path,
    tmp_path: Path,
    without_conda: None,
) -> None:
    channel = channel_of(tmp_path / "channel", f"cat {gate}")
    a = machine("a", channels=[channel.url])
    a.create("libs", "lib=1.0")
    a.sync_here(bucket)
    other = a.with_kind(kind)
    with waiting_at(gate, lambda: a.install("libs", "lib=2.0", "odd")):
        assert a.packages("libs") == {}
        for preferred in ("local", "remote"):
            there = bodies(s3, bucket)
            done = other.sync_here(bucket, "--prefer", preferred, check=False)
            assert done.returncode == 1
            assert "libs is being changed by conda" in done.stderr
            assert "1 skipped" in done.stdout
            assert bodies(s3, bucket) == there
            put(s3, bucket, "libs.yml", "dependencies: []")
    assert a.packages("libs").keys() == {"lib", "odd"}
    sync_twice(other, s3, bucket, "--prefer", "local")
    assert b"lib=2.0" in bodies(s3, bucket)["libs.yml"]


@pytest.mark.conda
@pytest.mark.parametrize("kind", ["conda", "standalone"])
def test_what_is_installed_while_it_is_pulled_is_pushed(
    kind: str,
    machine: Build,
    s3: S3Server,
    bucket: str,
    gate: Path,
    tmp_path: Path,
    without_conda: None,
) -> None:
    channel = channel_of(tmp_path / "channel", f"test ! -p {gate} || cat {gate}")
    channel.add("acty")
    channel.write_index()
    b = machine("b", channels=[channel.url])
    b.create("libs", "lib=1.0")
    b.sync_here(bucket)
    file = f"channels: ['{channel.url}']\ndependencies: [lib=2.0, odd]"
    put(s3, bucket, "libs.yml", file)
    pulling, said = b.with_kind(kind), []
    with waiting_at(gate, lambda: said.append(pulling.sync(bucket).stdout)):
        b.install("libs", "acty")
    assert "push  libs  changed here" in said[0]
    assert b.packages("libs").keys() == {"acty", "lib", "odd"}
    assert b"acty" in bodies(s3, bucket)["libs.yml"]
    assert file in history(s3, bucket, "libs")
    sync_twice(pulling, s3, bucket)
    a = machine("a", channels=[channel.url])
    sync_twice(a, s3, bucket)
    assert a.packages("libs") == b.packages("libs")


@pytest.mark.conda
def test_a_pull_that_is_killed_half_way_is_made_whole_by_the_next_run(
    machine: Build, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    script = f"if mkdir {first} 2>&-; then kill -KILL $PPID; fi"
    channel = channel_of(tmp_path / "channel", script)
    b = machine("b", channels=[channel.url])
    b.create("libs", "lib=1.0")
    b.sync_here(bucket)
    file = f"channels: ['{channel.url}']\ndependencies: [lib=2.0, odd]"
    put(s3, bucket, "libs.yml", file)
    assert b.sync_here(bucket, check=False).returncode == -signal.SIGKILL
    assert b.packages("libs") == {}
    assert "pull  libs  a pull was broken off" in sync_twice(b, s3, bucket).stdout
    assert b.packages("libs").keys() == {"lib", "odd"}
    a = machine("a", channels=[channel.url])
    sync_twice(a, s3, bucket)
    assert content(a, "libs") == content(b, "libs")
