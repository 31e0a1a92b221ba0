"""One run at a time: a lock that the system drops with its process."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from conda_s3_sync_plugin import state
from conda_s3_sync_plugin.exceptions import StateError
from conda_s3_sync_plugin.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from conda_s3_sync_plugin.state import State

with State(Path(sys.argv[1])).locked():
    print("in", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock, until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "in\n"
        try:
            yield process
        finally:
            process.kill()


def test_another_run_is_kept_out_and_told_by_whom(tmp_path: Path) -> None:
    entered = []
    with holder(tmp_path) as other:
        with pytest.raises(StateError) as caught, State(tmp_path).locked():
            entered.append(True)
        assert f"process {other.pid} on {socket.gethostname()}" in caught.value.summary
        assert caught.value.hint
    assert not entered


def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.kill()
        other.wait()
        with State(tmp_path).locked():
            assert f"process {os.getpid()} " in (tmp_path / "lock").read_text()


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    with State(tmp_path).locked():
        pass
    with pytest.raises(KeyError), State(tmp_path).locked():
        raise KeyError
    with holder(tmp_path) as other:
        text = (tmp_path / "lock").read_text()
        assert text.startswith(f"process {other.pid} ")
        assert text.count("process") == 1


def test_a_second_run_in_the_same_process_is_kept_out(tmp_path: Path) -> None:
    with (
        State(tmp_path).locked(),
        pytest.raises(StateError, match=f"process {os.getpid()} "),
        State(tmp_path).locked(),
    ):
        pass


def test_users_do_not_keep_each_other_out(tmp_path: Path) -> None:
    with holder(tmp_path / "a"), State(tmp_path / "b").locked():
        pass


def test_looking_needs_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path):
        assert State(tmp_path).memory("s3://bucket", "/opt/conda").baselines == {}


@pytest.mark.parametrize("text", [b"", b"\xff\xfe"], ids=["empty", "binary"])
def test_a_lock_that_says_nothing_is_a_lock_all_the_same(
    tmp_path: Path, text: bytes
) -> None:
    with holder(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(StateError, match="Another"), State(tmp_path).locked():
            pass


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(state, "lock", refuse)
    with (
        pytest.raises(StateError, match="cannot be locked: No locks available"),
        State(tmp_path).locked(),
    ):
        pass


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StateError, match="lock cannot be written: Not a directory"),
        State(tmp_path / "file" / "s3-sync").locked(),
    ):
        pass
