"""The channel that most tests use: a graph of small packages, and the odd ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from installed import add_distributions
from make_channel import Channel

if TYPE_CHECKING:
    from pathlib import Path

    from make_channel import Content

VERSIONS = ("1.0", "1.1", "2.0")


def make_usual_channel(
    root: Path, *subdirs: str, python: bool = True, pip: bool = True
) -> Channel:
    """Build the usual channel at *root*, for the platform we run on or for *subdirs*.

    | package           | what it is for                                               |
    |-------------------|--------------------------------------------------------------|
    | python, pip       | a python that runs, a pip that installs                      |
    | lib00 ... lib19   | three versions each, and each needs the two below it         |
    | only-SUBDIR       | what exists on one platform alone                            |
    | conflict          | cannot be together with lib01 2.0                            |
    | needsmissing      | needs what no channel has                                    |
    | postl, badpost    | a link script that leaves a mark, and one that fails         |
    | clob1, clob2      | both bring share/clob.txt                                    |
    | acty              | an activation script and a variable                          |
    | nopy, six 1.15.0  | noarch python; pip can replace six                           |
    """
    channel = Channel(root, *subdirs)
    if python:
        channel.add_python()
    if pip:
        add_distributions(channel, "pip")
    add_graph(channel)
    add_oddities(channel)
    channel.add_noarch_python("nopy", "1.0")
    channel.add_noarch_python("six", "1.15.0")
    channel.write_index()
    return channel


def make_scripted_channel(root: Path, command: str) -> Channel:
    """Build a channel of `lib`, and of `odd`, whose link script is a command."""
    channel = Channel(root)
    channel.add("lib")
    channel.add("odd", files=post_link("odd", command))
    channel.write_index()
    return channel


def add_graph(channel: Channel) -> None:
    """Add lib00 to lib19, each in three versions, each on top of the two below it."""
    for number in range(20):
        depends = [f"lib{below:02d}" for below in range(max(number - 2, 0), number)]
        for version in VERSIONS:
            channel.add(f"lib{number:02d}", version, f"h{number}_0", depends=depends)
    for subdir in channel.subdirs:
        channel.add(f"only-{subdir}", subdirs=[subdir])


def add_oddities(channel: Channel) -> None:
    """Add what makes solves and transactions fail, warn or do more than link."""
    channel.add("conflict", depends=["lib01 <1.1"])
    channel.add("needsmissing", depends=["doesnotexist >=1"])
    channel.add("postl", files=post_link("postl", 'echo ran > "$PREFIX/postl.txt"'))
    channel.add("badpost", files=post_link("badpost", "exit 3"))
    for name in ("clob1", "clob2"):
        own = {"share/clob.txt": f"{name}\n".encode(), f"share/{name}.txt": b""}
        channel.add(name, files=own)
    activation: dict[str, Content] = {
        "etc/conda/activate.d/acty.sh": b"export ACTY1=1\n",
        "etc/conda/env_vars.d/acty.json": b'{"ACTY2": "2"}\n',
    }
    channel.add("acty", files=activation)


def post_link(name: str, command: str) -> dict[str, Content]:
    """Return a package's only file: a script that conda runs once it is linked."""
    return {f"bin/.{name}-post-link.sh": f"#!/bin/sh\n{command}\n".encode()}
