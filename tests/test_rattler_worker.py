"""The process that rattler installs in: one for many jobs, none after a failure."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from lab import Lab, environment
from test_rattler_killed import is_alive
from usual_channel import make_scripted_channel

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rattler


@pytest.fixture
def installers(tmp_path: Path) -> Path:
    """A file: a line for each link script that ran, with the process that ran it."""
    return tmp_path / "installers"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installers: Path) -> Lab:
    """A machine whose package `odd` cannot be linked into the environment `bad`."""
    command = f'echo $PPID >> {installers}; [ "$(basename "$PREFIX")" != bad ]'
    channel = make_scripted_channel(tmp_path / "channel", command)
    return Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])


def used(installers: Path) -> list[int]:
    return [int(line) for line in installers.read_text().splitlines()]


def test_it_does_one_job_after_the_other(lab: Lab, installers: Path) -> None:
    for name in ("one", "two", "three"):
        lab.make(name, "odd")
    pids = used(installers)
    assert len(pids) == 3
    assert len(set(pids)) == 1
    assert is_alive(pids[0])
    lab.engine._worker._end()
    assert not is_alive(pids[0])


def test_it_ends_with_what_fails_and_another_takes_over(
    lab: Lab, installers: Path
) -> None:
    lab.make("one", "odd")
    with pytest.raises(EngineError, match="the link script of odd has failed"):
        lab.apply("bad", environment("odd"))
    assert not lab.prefix("bad").exists()
    first = used(installers)[-1]
    assert not is_alive(first)
    lab.make("two", "odd")
    assert first not in used(installers)[2:]


def test_another_takes_over_from_one_that_was_killed(
    lab: Lab, installers: Path
) -> None:
    lab.make("one", "odd")
    os.kill(used(installers)[0], signal.SIGKILL)
    lab.engine._worker._process.wait()
    lab.make("two", "odd")
    assert len(set(used(installers))) == 2
