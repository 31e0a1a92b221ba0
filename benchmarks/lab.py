"""What all benchmarks are made of: machines, an S3 server that can be slow, a watch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from machine import PYTHONS, Machine  # noqa: E402
from make_channel import Channel  # noqa: E402
from request_counts import spent  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from s3server import S3Server

    Action = Callable[[], object]

# The settings of whoever runs this are for another server than the one on loopback.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

#: Our two commands, and the kind of machine that each is for.
OURS = {"conda s3-sync": "conda", "conda-s3-sync": "standalone"}


@dataclass
class Lab:
    """A folder, a server, and what was measured: section -> row -> column -> values."""

    folder: Path
    server: S3Server
    results: dict[str, Any]
    #: How often to measure what does not take minutes.
    runs: int
    #: How many environments the original may be given, which takes minutes for many.
    most: int = 50
    channel: str = ""

    def environment(self, packages: int, files: int = 5) -> Path:
        """Make an environment of so many packages, for machines to have copies of it.

        Machines that are made afterwards have its channel.
        """
        channel = Channel(self.folder / f"channel-{packages}")
        names = [f"syn{index:03d}" for index in range(packages)]
        for name in names:
            some = [f"share/{name}/{index}" for index in range(files)]
            channel.add(name, files={path: path.encode() * 100 for path in some})
        channel.add("all", depends=names)
        channel.write_index()
        self.channel = channel.url
        return self.machine(f"machine-{packages}", "conda").create("all", "all")

    def machine(self, name: str, kind: str) -> Machine:
        """Return a new machine, in place of one of the same name."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return Machine(
            self.folder / name,
            kind=kind,
            channels=[self.channel],
            endpoint=self.server.endpoint,
        )

    def delay(self, milliseconds: int) -> None:
        """Let each request wait for so long before it is answered."""
        wait = milliseconds / 1000
        self.server.before = (lambda _: time.sleep(wait)) if wait else None

    def note(self, section: str, row: str, column: str, value: float) -> None:
        """Keep what was measured, and show it."""
        rows = self.results.setdefault(section, {})
        rows.setdefault(row, {}).setdefault(column, []).append(round(value, 4))
        print(f"{section}, {row}, {column}: {value:.3f}", flush=True)

    def watch(self, section: str, row: str, column: str, action: Action) -> None:
        """Note how many seconds something takes."""
        start = time.perf_counter()
        action()
        self.note(section, row, column, time.perf_counter() - start)

    def in_turn(
        self,
        section: str,
        row: str,
        actions: Mapping[str, Action],
        prepare: Action = lambda: None,
    ) -> None:
        """Time several things in turn, so that a busy computer slows down all."""
        for turn in range(self.runs):
            for name in rotated([*actions], turn):
                prepare()
                self.watch(section, row, name, actions[name])

    def count(self, action: Action) -> int:
        """Return how many requests something makes."""
        self.server.requests.clear()
        action()
        return sum(spent(self.server).values())


def rotated(names: list[str], turn: int) -> list[str]:
    """Let each be the first as often as the others: what was just run is still warm."""
    first = turn % len(names)
    return names[first:] + names[:first]


def python(machine: Machine) -> str:
    """Return the python that runs our command on a machine."""
    return PYTHONS[machine.kind]


def fill(machine: Machine, template: Path, number: int) -> None:
    """Give a machine copies of an environment; their packages are linked.

    Whatever writes into conda-meta replaces files, but for these two.
    """
    for index in range(number):
        prefix = machine.prefix(f"env-{index:04d}")
        shutil.copytree(template, prefix, symlinks=True, copy_function=os.link)
        history = prefix / "conda-meta" / "history"
        text = history.read_bytes()
        history.unlink()
        history.write_bytes(text)


def compile_package() -> None:
    """Compile what is measured: programs that people install come compiled."""
    folder = str(ROOT / "conda_s3_sync_plugin")
    for command in set(PYTHONS.values()):
        subprocess.run([command, "-m", "compileall", "-q", folder], check=True)  # noqa: S603
