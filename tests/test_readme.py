"""What README.rst shows of a run is what a run shows."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from make_channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

README = Path(__file__).resolve().parents[1] / "README.rst"
BUCKET = "my-bucket"

VERSION = re.compile(r"\b[0-9a-f]{8}\b")

#: What differs from run to run, and what stands for it.
VARYING = (
    (VERSION, "VERSION"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "TIME"),
    (re.compile(r"\b(just now|\d+ minutes? ago)"), "AGE"),
    (re.compile(r" at http://127\.0\.0\.1:\d+"), ""),
    (re.compile(r" +"), " "),
)


@pytest.fixture
def machines(
    tmp_path: Path, machine: Callable[..., Machine], s3: S3Server
) -> dict[str, Machine]:
    """Anna's and Ben's, in step."""
    channel = Channel(tmp_path / "channel")
    for version in ("2.1", "2.2"):
        channel.add("numpy", version)
    for version in ("1.14", "1.15"):
        channel.add("scipy", version)
    channel.add("pandas", "2.2")
    channel.write_index()
    s3.client.create_bucket(Bucket=BUCKET)
    found = {name: machine(name, channels=[channel.url]) for name in ("anna", "ben")}
    found["anna"].create("ml", "numpy=2.1", "scipy=1.14")
    for name in ("api", "web"):
        found["anna"].create(name, "numpy")
    for one in found.values():
        one.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = f"{BUCKET}/team"
        one.sync_here()
    return found


def transcript(title: str) -> list[tuple[str, str, str]]:
    """Return the runs in a section: who, the command, and what it shows."""
    _, _, section = README.read_text("utf-8").partition(
        f"\n{title}\n{'-' * len(title)}"
    )
    section = re.split(r"\n[-=]{4,}\n", section)[0]
    blocks = re.findall(r"::\n\n((?:    .*\n|\n)+)", section)
    lines = [line[4:] for block in blocks for line in block.splitlines()]
    found: list[tuple[str, str, str]] = []
    for line in lines:
        if match := re.fullmatch(r"(anna|ben)\$ (.*)", line):
            found.append((match[1], match[2], ""))
        elif found and line:
            who, command, shown = found[-1]
            found[-1] = (who, command, f"{shown}{line}\n")
    return found


def plain(text: str) -> str:
    """Return a text in which all that varies is gone."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()


def test_two_machines_disagree_as_the_readme_shows(
    machines: dict[str, Machine],
) -> None:
    known: dict[str, str] = {}  # a version in the README -> in this run
    told = transcript("When two machines disagree")
    assert len(told) > 15
    for who, command, shown in told:
        machine = machines[who]
        head, _, version = command.rpartition("@")
        command = f"{head}@{known[version]}" if head else command
        words = shlex.split(command)
        if words[:2] != ["conda", "s3-sync"]:
            machine.manage(*words[1:])
            continue
        done = machine.sync(*words[2:], check=False)
        said = (done.stdout + done.stderr).replace(machine.command, "conda s3-sync")
        said = said.replace(socket.gethostname(), "anna-laptop")
        assert plain(said) == plain(shown), command
        known |= dict(zip(*map(VERSION.findall, (shown, said)), strict=True))
