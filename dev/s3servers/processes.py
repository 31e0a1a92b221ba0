"""What every server takes: a place to be installed in, ports, processes that end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanes import VENVS, call, cleared_environment, make_venv, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

HOST = "127.0.0.1"

#: For a server to begin, in seconds.
PATIENCE = 60


class ServerError(Exception):
    """A server cannot be had here, for this reason."""


@dataclass(frozen=True)
class Server:
    """A server that runs: its version, where it is, and how one logs in."""

    version: str
    endpoint: str
    #: As variables that programs of AWS read.
    credentials: Mapping[str, str]


def local_server(version: str, port: int, key: str, secret: str) -> Server:
    """Return a server on a port of this machine."""
    credentials = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return Server(version, f"http://{HOST}:{port}", credentials)


class Processes:
    """Processes that end with a `with` block, and what they have started with them.

    `folder`: for their data, and for what they say.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in reversed(self._started):
            # Their data goes with them, so that nothing has to end in good order.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(
        self, name: str, *command: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process, whose output goes into a log."""
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**cleared_environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C is for us, and they end when we say so.
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        """Run a command that must succeed; raise ServerError with what it said."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**cleared_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise ServerError(f"{' '.join(command)}: {done.stdout[-2000:]}")

    def wait(
        self, name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]
    ) -> None:
        """Wait until a process is ready; raise ServerError if it is not to be."""
        last = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > last:
                said = self._log(name).read_text(errors="replace")
                raise ServerError(f"{name} does not begin to work: {said[-2000:]}")
            time.sleep(0.1)

    def serve(
        self, name: str, port: int, *command: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a process, and wait until it listens on a port."""
        process = self.start(name, *command, env=env)
        self.wait(name, process, lambda: listens(port))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as there:
        return there.connect_ex((HOST, port)) == 0


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nobody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def install(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of what is installed once, and made now if it is not there."""
    folder = VENVS / "servers" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two terminals, one checkout: the second waits until the first has made it.
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = folder / ".complete"
        if not complete.exists():
            say(f"setting up {name}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()  # last: half of it has none
    return folder


def install_with_pip(name: str, version: str) -> Path:
    """Return the folder of the programs of a distribution from the package index."""

    def make(folder: Path) -> None:
        make_venv(sys.executable, folder / "venv")
        python = str(folder / "venv" / "bin" / "python")
        call(python, "-m", "pip", "install", "-qq", f"{name}=={version}")

    return install(f"{name}-{version}", make) / "venv" / "bin"
