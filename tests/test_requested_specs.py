"""What was asked for arrives with the packages: conda goes on alike with both."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from acceptance import requested, spec_name, sync_twice
from conda_here import keeps_channels
from machine import Machine
from usual_channel import make_usual_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = [pytest.mark.conda, pytest.mark.usefixtures("without_conda")]

#: As people write them; lib06 is the only one to need lib04 and lib05.
SPECS = ("python", "lib02=1.0", "lib03>=1.0,<1.1", "clob1=1.0=0", "lib06")
#: What is removed again; lib04 comes back because lib06 needs it.
REMOVED = ("nopy", "lib04")


class Pair(NamedTuple):
    """Two machines in step, and their conda: of one of them, it came later."""

    origin: Machine
    pulled: Machine


@pytest.fixture(
    scope="module",
    params=[("conda", "standalone"), ("standalone", "conda")],
    ids=" to ".join,
)
def pair(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    s3_server: S3Server,
    without_conda: None,
) -> Pair:
    """Machines with the environment `ml`, of which there are newer versions by now.

    Only to be copied within.
    """
    folder, bucket = tmp_path_factory.mktemp("pair"), s3_server.new_bucket()
    channel = make_usual_channel(folder / "channel", pip=False)
    for build in ("a_0", "b_1"):
        channel.add("built", build=build)
    channel.add("needsb", depends=["built 1.0 b_1"])
    channel.write_index()
    a, b = (
        Machine(
            folder / name,
            kind=kind,
            channels=[channel.url],
            endpoint=s3_server.endpoint,
        )
        for name, kind in zip("ab", request.param, strict=True)
    )
    origin, pulled = a.with_kind("conda"), b.with_kind("conda")
    acty = f"{channel.url}::acty" if keeps_channels() else "acty"
    a.create("ml", *SPECS, *REMOVED, acty, "built=1.0=a_0")
    a.sync_here(bucket)
    b.sync_here(bucket)
    origin.remove("ml", *REMOVED)
    origin.install("ml", "needsb", "lib06")
    assert "neutered specs: ['built=" in a.history("ml").read_text()
    a.sync_here(bucket)
    b.sync_here(bucket)
    add_newer(channel)
    return Pair(origin, pulled)


def add_newer(channel: Channel) -> None:
    """Add newer versions, within what was asked for and beyond."""
    for number, version in ((1, "2.5"), (2, "1.0.5"), (2, "2.5"), (3, "2.5")):
        depends = [f"lib{below:02d}" for below in range(max(number - 2, 0), number)]
        channel.add(f"lib{number:02d}", version, f"h{number}_0", depends=depends)
    for name in ("acty", "clob1"):
        channel.add(name, "1.1")
    channel.write_index()


@pytest.mark.parametrize("command", [["export"], ["env", "export"]], ids=" ".join)
def test_what_was_asked_for_is_exported_alike(pair: Pair, command: list[str]) -> None:
    first, second = (
        sorted(exported(machine, *command, "--from-history", "-n", "ml"))
        for machine in pair
    )
    assert first == second
    assert {"lib02=1.0", "clob1=1.0=0", "python"} <= set(first)
    assert not any("a_0" in spec for spec in first)  # it has given way
    asked = {*map(spec_name, SPECS), "acty", "built", "needsb"}
    assert {spec_name(spec) for spec in first} == asked


def exported(machine: Machine, *command: str) -> list[str]:
    """Return the dependencies that conda writes."""
    lines = machine.conda(*command).stdout.split("dependencies:\n")[1].splitlines()
    return [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]


#: What is typed -> versions that come of it; None: the package goes.
COMMANDS = {
    "update lib03": {"lib03": "2.5", "lib02": "1.0"},
    "update --all": {"acty": "1.1", "lib02": "2.5"},
    "remove lib06": {"lib06": None, "lib05": None, "lib04": None, "lib03": "1.0"},
    "install lib01=1.1": {"lib01": "1.1", "lib02": "1.0", "lib03": "1.0"},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_conda_does_the_same_to_both(pair: Pair, command: str) -> None:
    action, *words = command.split()
    name = action + words[0].strip("-=.0123456789")
    results = []
    for machine in pair:
        shutil.copytree(machine.prefix("ml"), machine.prefix(name), symlinks=True)
        machine.conda(action, "-n", name, *words)
        results.append((machine.packages(name), requested(machine, name)))
    assert results[0] == results[1]
    packages, _ = results[0]
    versions = {name: version for name, (version, *_) in packages.items()}
    expected = COMMANDS[command]
    assert {name: versions.get(name) for name in expected} == expected


@pytest.mark.parametrize("kinds", [("conda", "standalone"), ("standalone", "conda")])
def test_packages_as_they_were_arrive_with_what_is_asked_for_now(
    kinds: tuple[str, str], machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = (machine(f"on-{kind}", kind=kind) for kind in kinds)
    origin = a.with_kind("conda")
    origin.create("ml", "lib01=1.0")
    a.sync_here(bucket)
    (spec,) = requested(a, "ml")
    origin.install("ml", "lib00", "acty")
    a.sync_here(bucket)
    origin.remove("ml", "acty")
    told = sync_twice(a, s3, bucket).stdout
    assert "push  ml  changed here" in told
    b.sync_here(bucket)
    assert b.packages("ml") == a.packages("ml")
    assert requested(b, "ml") == ["lib00", spec]
