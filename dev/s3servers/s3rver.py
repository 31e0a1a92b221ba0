"""s3rver: an emulator that nobody maintains, and that ignores every condition."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lanes import call

from .processes import HOST, ServerError, free_ports, install, local_server

if TYPE_CHECKING:
    from pathlib import Path

    from .processes import Processes, Server

VERSION = "3.7.1"

#: It knows these by itself.
KEY, SECRET = "S3RVER", "S3RVER"


def serve(processes: Processes) -> Server:
    """Start it."""
    if not shutil.which("npm"):
        raise ServerError("s3rver needs node and npm: install them")
    program = install(f"s3rver-{VERSION}", _install) / "node_modules/.bin/s3rver"
    (port,) = free_ports(1)
    data = processes.folder / "data"
    data.mkdir()
    where = ("--address", HOST, "--port", str(port), "--directory", str(data))
    processes.serve("s3rver", port, str(program), *where, "--no-vhost-buckets")
    return local_server(VERSION, port, KEY, SECRET)


def _install(folder: Path) -> None:
    quiet = ("--silent", "--no-audit", "--no-fund")
    call("npm", "install", *quiet, "--prefix", str(folder), f"s3rver@{VERSION}")
