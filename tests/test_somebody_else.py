"""The command, run by a user who is not known here, as in many a container."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda_here import HAS_CONDA
from machine import TIMEOUT
from standalone import plant
from station import NAME, Done, Station
from tasks import assert_told, converges, update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_channel import HttpChannel
    from s3server import S3Server

pytestmark = pytest.mark.skipif(
    HAS_CONDA, reason="is about the command without a conda"
)

#: A user that nothing here has a name for.
UID = 54_321


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that everybody can reach; those of pytest are root's alone."""
    if os.geteuid():
        pytest.skip("needs root, to become another user")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        words = [sys.executable, "-c", "import conda_s3_sync_plugin"]
        try:
            subprocess.run(words, cwd=path, user=UID, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("needs a python and a checkout that every user may read")
        yield path


@pytest.fixture
def here(
    outside: Path,
    s3: S3Server,
    http_channel: HttpChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> Station:
    return Station(outside / "here", monkeypatch, s3, channels=[http_channel.url])


def run_as_other(station: Station, home: Path | None) -> Done:
    """Run our command as somebody else, with this home, or without any."""
    machine = station.lab.machine
    variables = machine.environment | ({"HOME": str(home)} if home else {})
    if home is None:
        del variables["HOME"]
    done = subprocess.run(
        [*machine.ours, station.bucket],
        cwd=machine.root,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        user=UID,
        group=UID,
        extra_groups=[],
    )
    return Done(done.returncode, done.stdout, done.stderr)


def give(folder: Path) -> Path:
    """Let a folder, and all that is in it, be that user's."""
    folder.mkdir(exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, UID, UID, follow_symlinks=False)
    return folder


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("none", "This user has no home"),
        ("read-only", "cannot be written: Permission denied"),
        ("somebody's", "cannot be written: Permission denied"),
        ("its own", "cannot be written"),
    ],
)
def test_what_it_may_not_do_is_told_and_loses_nothing(
    home: str, said: str, here: Station, originals: list[Path]
) -> None:
    todo = update(here, originals)
    there, root = here.there(), here.lab.machine.root
    for path in here.lab.prefix(NAME).rglob("*"):
        path.chmod(path.stat().st_mode | 0o444)  # records are their owner's alone
    before = here.lab.snapshot(NAME)
    homes = {
        "none": None,
        "read-only": root,
        "somebody's": here.lab.machine.home,
        "its own": give(root / "other"),
    }
    for _ in range(2):
        done = run_as_other(here, homes[home])
        assert_told(done, home)
        assert (done.code, done.err.count("\n")) == (1, 2)
        assert said in done.err
        assert here.there() == there
        assert here.lab.snapshot(NAME) == before
    converges(here, todo)


def test_where_it_may_it_works(here: Station, s3: S3Server) -> None:
    machine = here.lab.machine
    plant(s3, here.bucket, machine, NAME, "lib00")
    for folder in (machine.base, machine.pkgs, machine.home):
        give(folder)
    for said in (": 1 pulled\n", ": 1 in step\n"):
        done = run_as_other(here, machine.home)
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith(said)
