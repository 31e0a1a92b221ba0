"""A Linux and a Mac, one bucket: each has what is its own, and what both want."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import (
    bodies,
    content,
    plant,
    requested,
    spec_name,
    sync_json,
    sync_nothing,
)
from machine import USUAL_KIND, Machine
from make_channel import this_subdir
from usual_channel import make_usual_channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]

HERE = this_subdir()
THERE = "linux-64" if HERE.startswith("osx") else "osx-arm64"

#: What a package needs on each platform, and nowhere else.
OWN = {HERE: "gtk", THERE: "cocoa"}

#: Machines of one kind, or of both where both are to be had.
KINDS = [
    pytest.param((USUAL_KIND, USUAL_KIND), id="alike"),
    pytest.param(("conda", "standalone"), marks=pytest.mark.conda, id="both"),
]


@pytest.fixture(params=KINDS)
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The kinds of two machines."""
    first, second = request.param
    if first != second:
        request.getfixturevalue("without_conda")
    return first, second


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """The usual channel for two platforms, which have different builds and versions.

    `app` needs on each what is there alone; what `ahead` and `uneven` have in common is
    an old version, or none that is wanted.
    """
    channel = make_usual_channel(tmp_path_factory.mktemp("both"), HERE, THERE)
    for subdir, own in OWN.items():
        channel.add(own, subdirs=[subdir])
        for version in ("1.0", "1.1", "2.0"):
            build = build_of(subdir)
            channel.add("app", version, build, depends=[own], subdirs=[subdir])
            channel.add("tool", version, build, subdirs=[subdir])
    versions = {HERE: ("1.5", "2.0"), THERE: ("1.0", "2.0")}
    for subdir, both in versions.items():
        for version in both:
            channel.add("uneven", version, subdirs=[subdir])
    channel.add("ahead", "2.0", subdirs=[HERE])
    channel.add("ahead", "1.0", subdirs=[THERE])
    channel.write_index()
    return channel


def build_of(subdir: str) -> str:
    return f"{subdir.partition('-')[0]}_0"


def versions(machine: Machine) -> dict[str, str]:
    return {name: what[0] for name, what in machine.packages("ml").items()}


def check_platform(machine: Machine, subdir: str) -> None:
    """See that nothing in `ml` is of another platform, and that nobody asks for it."""
    folder = machine.prefix("ml") / "conda-meta"
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert {record["subdir"] for record in records} - {"noarch"} == {subdir}
    assert {record["url"].split("/")[-2] for record in records} <= {"noarch", subdir}
    for record in records:
        if record["name"] in ("app", "tool"):
            assert record["build"] == build_of(subdir)
    (other,) = {HERE, THERE} - {subdir}
    assert OWN[other] not in machine.packages("ml")
    asked = " ".join(requested(machine, "ml"))
    assert other not in asked
    assert build_of(other) not in asked


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel, wheels: Path
) -> Machine:
    """A machine from here with an environment, `ml`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url], wheels=wheels)
    machine.create("ml", "app=1.0", "lib02=1.1", "python", "pip")
    machine.pip("ml", "install", "hello==1.0")
    machine.set_variables("ml", MODE="fast")
    return machine


def test_what_is_wanted_is_solved_for_and_what_is_given_up_is_told(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b, c = machine("a"), machine("b", subdir=THERE), machine("c", subdir=THERE)
    build = build_of(HERE)
    asked = "app=1.1", "lib02=1.1", "ahead", "uneven<2", f"tool=1.0={build}"
    a.create("ml", *asked, f"only-{HERE}")
    a.sync_here(bucket)
    (entry,) = sync_json(b, bucket)["environments"]
    missing = "is not to be had here:"
    assert {plain(note) for note in entry["notes"]} == {
        f"ahead==2.0 {missing} ahead instead",
        f"tool==1.0={build} {missing} tool==1.0 instead",
        f"uneven==1.5 {missing} uneven<2 instead",
        f"only-{HERE}==1.0 {missing} only-{HERE} instead",
        f"only-{HERE} {missing} left out",
    }
    assert versions(b) == {
        **{"app": "1.1", "cocoa": "1.0", "tool": "1.0", "ahead": "1.0"},
        **{"uneven": "1.0", "lib00": "2.0", "lib01": "2.0", "lib02": "1.1"},
    }
    check_platform(b, THERE)
    # The next machine there gets the same, and is told the same, as people read it.
    told = c.sync_here(bucket).stdout
    assert [f"          {note}\n" in told for note in entry["notes"]] == [True] * 5
    assert content(c, "ml") == content(b, "ml")
    before = bodies(s3, bucket)
    for one in (a, b, c):
        sync_nothing(one, s3, bucket)
    assert bodies(s3, bucket) == before
    assert f"only-{HERE}" in a.packages("ml")


def plain(note: str) -> str:
    """Write a bound of conda's as people do."""
    return note.replace("[version='<2']", "<2")


def repodata(http_channel: HttpChannel) -> list[str]:
    """Return the requests that only a solve needs, and forget all."""
    paths = [path for path in http_channel.requests if "repodata" in path]
    http_channel.requests.clear()
    return paths


def test_the_next_machine_of_that_platform_gets_the_same_without_a_solve(
    kinds: tuple[str, str],
    machine: Build,
    http_channel: HttpChannel,
    s3: S3Server,
    bucket: str,
) -> None:
    usual: dict[str, Any] = {"channels": [http_channel.url]}
    a = machine("a", **usual)
    b = machine("b", kind=kinds[1], subdir=THERE, **usual)
    c = machine("c", kind=kinds[0], subdir=THERE, **usual)
    a.create("ml", "app=1.0", "lib02=1.1")
    a.set_variables("ml", MODE="fast")
    a.sync_here(bucket)
    repodata(http_channel)
    assert "notes" not in sync_json(b, bucket)["environments"][0]
    assert repodata(http_channel)
    before = bodies(s3, bucket)
    assert "notes" not in sync_json(c, bucket)["environments"][0]
    assert http_channel.requests
    assert not repodata(http_channel)
    assert content(c, "ml") == content(b, "ml")
    check_platform(c, THERE)
    assert versions(c)["app"] == "1.0"
    assert requested(c, "ml") == ["app=1.0", "lib02=1.1"]
    assert c.variables("ml") == {"MODE": "fast"}
    for one in (a, b, c):
        sync_nothing(one, s3, bucket)
    assert bodies(s3, bucket) == before


def add(machine: Machine) -> None:
    machine.install("ml", "tool=1.0", "acty")
    machine.pip("ml", "install", "greet")
    machine.set_variables("ml", SHAPE="round")


def change(machine: Machine) -> None:
    machine.install("ml", "app=1.1", "lib02=1.0")
    machine.pip("ml", "install", "hello==2.0")
    machine.set_variables("ml", MODE="slow")


def remove(machine: Machine) -> None:
    machine.remove("ml", "tool", "lib02")
    machine.pip("ml", "uninstall", "--yes", "greet")
    machine.manage("env", "config", "vars", "unset", "-n", "ml", "SHAPE")


def common(machine: Machine) -> dict[str, Any]:
    """Return what of an environment is the same on all platforms."""
    found = content(machine, "ml")
    have = versions(machine)
    wanted = {spec_name(spec) for spec in found["requested"]}
    return {**found, "packages": {name: have[name] for name in wanted}}


def test_changes_travel_to_and_fro_and_bring_nothing_of_a_platform_along(
    kinds: tuple[str, str],
    original: Machine,
    machine: Build,
    s3: S3Server,
    bucket: str,
) -> None:
    a, b = machine("a", kind=kinds[0]), machine("b", kind=kinds[1], subdir=THERE)
    plant(original, "ml", a)
    a.sync_here(bucket)
    b.sync_here(bucket)
    for here, there, edit in ((b, a, add), (a, b, change), (b, a, remove)):
        before = common(here)
        assert common(there) == before
        edit(here)
        edited = common(here)
        same = [part for part in edited if edited[part] == before[part]]
        assert same == ["pinned"]
        here.sync_here(bucket)
        (entry,) = sync_json(there, bucket)["environments"]
        assert entry["action"] == "pull"
        assert "notes" not in entry
        assert common(there) == common(here) == edited
        check_platform(a, HERE)
        check_platform(b, THERE)
        for one in (there, here):
            sync_nothing(one, s3, bucket)
    assert common(a)["requested"] == ["acty", "app=1.1", "pip", "python"]
    assert a.pip_packages("ml") == {"hello": "2.0"}
    assert a.variables("ml") == {"MODE": "slow"}
