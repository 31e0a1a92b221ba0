"""How `conda-s3-sync` ends: interrupted, unread, on a terminal, time and again."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lengths import IS_LONG
from standalone import command, document, plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

#: Longer than anything here takes, and shorter than what a server is waited for.
SOON = 15


@pytest.fixture
def a(machine: Build, without_conda: None) -> Machine:
    """A machine without conda and without environments."""
    return machine("a", kind="standalone")


def start(
    machine: Machine, *arguments: str, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start the command, and do not wait for it."""
    return subprocess.Popen(
        [*command(machine), *arguments],
        cwd=machine.home,
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=SOON)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("verb", ["LIST", "GET"])
@pytest.mark.parametrize("flags", [[], ["--json"], ["-vv"]], ids=str)
def test_interrupted_it_ends_at_once_and_the_next_run_works(
    verb: str, flags: list[str], a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "ml", "lib00")
    reached, released = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        if request.verb == verb:
            reached.set()
            released.wait(4 * SOON)

    s3.before = hold
    process = start(a, bucket, *flags)
    try:
        assert reached.wait(4 * SOON)
        process.send_signal(signal.SIGINT)
        assert finish(process) == (130, "", "conda-s3-sync: interrupted\n")
    finally:
        released.set()
    s3.before = None
    assert a.sync_here(bucket).stdout.endswith(": 1 pulled\n")


@pytest.mark.parametrize(
    "arguments",
    ["", "--json", "-d", "-V", "--offline --json"],
)
def test_where_nobody_reads_it_ends_without_a_word(
    arguments: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    for name in ("one", "two"):
        plant(s3, bucket, a, name, "lib00")
    reader, writer = os.pipe()
    os.close(reader)
    process = start(a, bucket, *arguments.split(), stdout=writer)
    os.close(writer)
    assert finish(process) == (1, None, "")
    a.sync_here(bucket)
    assert a.environments() == ["one", "two"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("flags", [[], ["--json"], ["-V"]], ids=str)
def test_on_a_full_disk_it_is_said_that_the_output_is_lost(
    flags: list[str], a: Machine, bucket: str
) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, err = finish(start(a, bucket, *flags, stdout=full.fileno()))
    assert code == 1
    assert "No space left on device" in err
    assert "Traceback" not in err


def test_with_all_streams_closed_it_works_all_the_same(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "ml", "lib00")
    a.run("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command(a), bucket)
    assert a.environments() == ["ml"]
    done = a.run(
        *("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"), *command(a), check=False
    )
    assert done.returncode == 2


def test_what_the_output_cannot_spell_is_spelled_out(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "größe", "lib00")
    done = a.run(*command(a), bucket, "-d", PYTHONIOENCODING="ascii")
    assert done.stdout.startswith("pull  gr\\xf6\\xdfe  ")


def test_a_long_output_arrives_as_a_whole(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    number, arguments = 2000, (bucket, "--json", "--diff")
    plant(s3, bucket, a, "e", *(f"package{n}=1" for n in range(number)))
    path = a.root / "out"
    with path.open("w") as file:
        assert finish(start(a, *arguments, stdout=file.fileno()))[0] == 0
    for text in (path.read_text(), a.sync(*arguments).stdout):
        assert len(text) > 2 * 65536  # what a pipe holds
        (entry,) = json.loads(text)["environments"]
        assert len(entry["difference"]["conda"]) == number


def on_a_terminal(machine: Machine, *arguments: str) -> str:
    """Run the command on a terminal, and return all that it writes there."""
    ours, its = pty.openpty()
    process = start(machine, *arguments, stdout=its)
    os.close(its)
    written = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(4096):
                written += part
        except OSError:  # the other end is closed
            pass
    code, _, err = finish(process)
    assert (code, err) == (0, "")
    return written.decode().replace("\r\n", "\n")


def test_on_a_terminal_a_bar_is_shown_while_it_pulls_and_then_gone(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    for name in ("one", "two"):
        plant(s3, bucket, a, name, "lib00")
    text = on_a_terminal(a, bucket)
    bars, _, rest = text.rpartition("\r\033[K")
    empty, half, full = " " * 30, "#" * 15 + " " * 15, "#" * 30
    assert bars.split("\r") == [
        "",
        f"Synchronizing environments |{empty}|   0%",
        f"Synchronizing environments |{half}|  50%",
        f"Synchronizing environments |{full}| 100%",
    ]
    assert [line.split()[0] for line in rest.splitlines()[:2]] == ["pull", "pull"]
    assert rest.endswith(": 2 pulled\n")
    assert on_a_terminal(a, bucket).endswith(": 2 in step\n")


@pytest.mark.parametrize("flag", ["--json", "-q", "-d"])
def test_there_is_no_bar_where_none_is_wanted(
    flag: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "one", "lib00")
    text = on_a_terminal(a, bucket, flag)
    assert "Synchronizing" not in text
    assert "\r" not in text
    assert "\r" not in a.sync(bucket).stdout


def test_nothing_to_push_shows_no_bar(a: Machine, bucket: str) -> None:
    assert on_a_terminal(a, bucket).count("\r") == 0


@pytest.mark.long
def test_time_and_again_each_run_ends_as_it_should(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    # Libraries of threads may crash a python that ends, after all the work is done.
    for turn in range(100 if IS_LONG else 4):
        specs = ["acty", "lib00"] if turn % 2 else ["acty"]
        plant(s3, bucket, a, "e", *specs)
        (entry,) = document(a, bucket)["environments"]
        assert entry["action"] == "pull"
        assert [*a.packages("e")] == specs
        done = a.sync(bucket)
        assert (done.stdout.count("\n"), done.stderr) == (1, "")
        assert done.stdout.endswith(": 1 in step\n")
