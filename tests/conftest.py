from __future__ import annotations

import fcntl
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from conda_here import HAS_CONDA
from http_channel import HttpChannel
from machine import CREDENTIALS, NO_WAY_OUT, PYTHONS, Machine
from make_wheels import make_usual_wheels
from real_server import SERVER, RealServer
from s3server import S3Server
from station import Station
from usual_channel import make_usual_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from make_channel import Channel

ROOT = Path(__file__).resolve().parents[1]
# They are run by `make test-s3`.
collect_ignore = [] if SERVER else ["test_servers.py", "test_policies.py"]

HAS_RATTLER = importlib.util.find_spec("rattler") is not None


def pytest_xdist_auto_num_workers() -> int:
    """Have one more than there are processors: tests wait for processes, too."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) + 1
    return (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """Leave the developer's accounts, settings and network out of it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "CONDA", "PIP_")):
            del os.environ[name]
    os.environ |= {**NO_WAY_OUT, **CREDENTIALS}
    os.environ |= dict.fromkeys(
        ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull
    )
    # Each session would read what S3 is anew: that takes most of the time of a store.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    # Whatever a shell starts in the background does not heed it, nor do its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a library that is not here: see the markers.

    Machines need one of two: those of a test are of the kind that is to be had.
    """
    here = {"conda": HAS_CONDA, "rattler": HAS_RATTLER}
    missing = [name for name, is_here in here.items() if not is_here]
    for item in items:
        needs = [name for name in missing if item.get_closest_marker(name)]
        machines = {"machine", "station"}.intersection(
            getattr(item, "fixturenames", ())
        )
        if machines and not any(here.values()):
            needs.append("conda or rattler")
        for name in needs:
            reason = f"needs {name}: see `make test` for a lane that has it"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(
    params=[
        pytest.param("conda", marks=pytest.mark.conda),
        pytest.param("rattler", marks=pytest.mark.rattler),
    ]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Each engine that acts on real environments, by its name: see `Lab`."""
    return str(request.param)


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """The usual channel, on disk; `.url` is a file:// address."""
    return make_usual_channel(tmp_path_factory.mktemp("channel"))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `pip install --no-index --find-links`."""
    return make_usual_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """For what takes long to make: the first process that needs it makes it for all.

    `folder = make_once(name, make)`: `make` fills the folder, which is empty.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of this run: each process has a folder in it

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def built(make_once: Callable[..., Path]) -> Path:
    """A channel of nothing but our own package, as `make package` builds it."""

    def build(folder: Path) -> None:
        # What was built before is not to be offered any longer.
        (folder / "noarch").mkdir()
        (folder / "noarch" / "conda-s3-sync-plugin-0.0.1-pyh0_0.conda").touch()
        command = [sys.executable, ROOT / "dev" / "package.py", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return make_once("built", build)


@pytest.fixture
def http_channel(channel: Channel) -> Iterator[HttpChannel]:
    """The usual channel over HTTP, with a record of requests."""
    server = HttpChannel(channel.root)
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The one S3 server of the run; tests use `s3`."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealServer]:
    """The server that `make test-s3` names."""
    with RealServer() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Server]:
    """The S3 server, with nothing recorded and no hook set."""
    s3_server.reset()
    yield s3_server
    s3_server.reset()


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """The name of an empty bucket."""
    return s3.new_bucket()


@pytest.fixture
def machine(
    tmp_path: Path, channel: Channel, wheels: Path, s3: S3Server
) -> Callable[..., Machine]:
    """Build machines: `a = machine("a")`; keywords are those of `Machine`."""

    def build(name: str, **changes: Any) -> Machine:
        usual = {"channels": [channel.url], "wheels": wheels, "endpoint": s3.endpoint}
        return Machine(tmp_path / name, **usual | changes)

    return build


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> Machine:
    """A machine with the environment `libs`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url])
    machine.create("libs", "lib01=1.0")
    return machine


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> list[Path]:
    """Three versions of an environment; only to be copied from."""
    folder = tmp_path_factory.mktemp("originals") / "machine"
    machine = Machine(folder, channels=[channel.url])
    return [
        machine.create(f"v{number}", f"lib01={version}")
        for number, version in enumerate(("1.0", "1.1", "2.0"))
    ]


@pytest.fixture
def station(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Server,
    channel: Channel,
) -> Station:
    """A machine that this process is one of, and a bucket of its own."""
    return Station(tmp_path / "here", monkeypatch, s3, channels=[channel.url])


@pytest.fixture(scope="session")
def without_conda() -> None:
    """For tests that have machines without conda beside others with it."""
    if not PYTHONS["standalone"]:
        pytest.skip(
            "needs a python that has py-rattler and no conda: `make test` makes one, "
            "and names it in PYTHON_WITHOUT_CONDA"
        )
