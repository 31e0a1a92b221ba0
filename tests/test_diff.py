"""Looking before acting: what a run would change, package by package."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import actions, bodies, put, sync_json, tree
from hand_made import (
    SITE,
    VERSION,
    add_distribution,
    add_record,
    make_prefix,
    write_variables,
)
from make_channel import this_subdir

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]
    Pair = tuple[Machine, Machine]

OTHER = "https://conda.anaconda.org/bioconda"

#: What `edit` does to `ml`, line by line, and as a part of the document.
EDIT = [
    "- lib 1.0",
    "~ numpy 1.0 -> 2.0",
    "+ samtools 1.0",
    "~ six 1.0 0 -> 1.0 1",
    "- pip greet 1.0",
    "~ pip hello 1.0 -> 2.0",
    "+ pip new 1.0",
    "- variable COLOR blue",
    "~ variable MODE fast -> slow",
    "+ variable SHAPE round",
    "- pin lib",
    "~ pin numpy 1.* -> 2.*",
    "+ pin six",
    "~ channels conda-forge -> conda-forge, bioconda",
]
FACTS = {
    "conda": [
        {"name": "lib", "old": "1.0", "new": None},
        {"name": "numpy", "old": "1.0", "new": "2.0"},
        {"name": "samtools", "old": None, "new": "1.0"},
        {"name": "six", "old": "1.0 0", "new": "1.0 1"},
    ],
    "pip": [
        {"name": "greet", "old": "1.0", "new": None},
        {"name": "hello", "old": "1.0", "new": "2.0"},
        {"name": "new", "old": None, "new": "1.0"},
    ],
    "variables": [
        {"name": "COLOR", "old": "blue", "new": None},
        {"name": "MODE", "old": "fast", "new": "slow"},
        {"name": "SHAPE", "old": None, "new": "round"},
    ],
    "pins": [
        {"name": "lib", "old": "", "new": None},
        {"name": "numpy", "old": "1.*", "new": "2.*"},
        {"name": "six", "old": None, "new": ""},
    ],
    "channels": {"old": ["conda-forge"], "new": ["conda-forge", "bioconda"]},
}


def make(machine: Machine) -> None:
    """Make `ml`: nobody links anything here, so that records will do for packages."""
    prefix = make_prefix(machine.prefix("ml"))
    (prefix / SITE).mkdir(parents=True)
    add_record(prefix, "python", VERSION)
    for name in ("lib", "numpy", "six"):
        add_record(prefix, name)
    for name in ("greet", "hello"):
        add_distribution(prefix, name, "1.0")
    write_variables(prefix, {"MODE": "fast", "COLOR": "blue"})
    machine.pin("ml", "lib", "numpy 1.*")


def edit(machine: Machine) -> None:
    """Add, change and remove something of each kind."""
    prefix = machine.prefix("ml")
    for name in ("lib", "numpy", "six"):
        (prefix / "conda-meta" / f"{name}-1.0-0.json").unlink()
    add_record(prefix, "numpy", "2.0")
    add_record(prefix, "six", build="1")
    add_record(prefix, "samtools", url=f"{OTHER}/linux-64/samtools-1.0-0.conda")
    for name in ("greet", "hello"):
        shutil.rmtree(prefix / SITE / f"{name}-1.0.dist-info")
    add_distribution(prefix, "hello", "2.0")
    add_distribution(prefix, "new", "1.0")
    write_variables(prefix, {"MODE": "slow", "SHAPE": "round"})
    machine.pin("ml", "numpy 2.*", "six")


@pytest.fixture
def pair(machine: Build, bucket: str) -> Pair:
    """Two machines in step, each with `ml` and with `tiny`, which has one package."""
    a, b = machine("a"), machine("b")
    make(a)
    add_record(make_prefix(a.prefix("tiny")), "lib")
    for name in ("ml", "tiny"):
        shutil.copytree(a.prefix(name), b.prefix(name))
    a.sync_here(bucket)
    b.sync_here(bucket)
    return a, b


def look(
    machine: Machine, s3: S3Server, bucket: str, *arguments: str, code: int = 0
) -> tuple[list[str], dict[str, Any]]:
    """Return what --diff says, as lines and as a document; it writes nothing."""
    there, here = s3.keys(bucket), bodies(s3, bucket)
    before = tree(machine.root)
    s3.requests.clear()
    done = machine.sync_here(bucket, *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    document = sync_json(machine, bucket, *arguments, code=code)
    assert {"PUT", "DELETE", "POST"}.isdisjoint(s3.counts())
    assert (s3.keys(bucket), bodies(s3, bucket)) == (there, here)
    assert tree(machine.root) == before
    assert document["dry_run"] is True
    return (done.stdout + done.stderr).splitlines(), document


def differences(document: dict[str, Any]) -> dict[str, Any]:
    """Return what would change, by environment."""
    return {
        entry["name"]: entry["difference"]
        for entry in document["environments"]
        if "difference" in entry
    }


def indented(lines: list[str]) -> list[str]:
    """Return the lines below that of an environment, without what is before them."""
    return [line.strip() for line in lines if line.startswith(" ")]


def test_a_push_and_a_pull_are_told_by_package(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    edit(a)
    lines, document = look(a, s3, bucket, "--diff")
    assert lines[0].startswith("push  ml  changed here")
    assert indented(lines) == EDIT
    assert lines[-1].endswith(": 1 to push, 1 in step")
    assert differences(document) == {"ml": FACTS}
    # Held back, too.
    lines, document = look(a, s3, bucket, "--diff", "ml", "--pull-only")
    assert (actions(document), indented(lines)) == ({"ml": "hold"}, EDIT)
    a.sync_here(bucket)
    # And the same where it is going to arrive.
    lines, document = look(b, s3, bucket, "--diff", "ml")
    assert lines[0].startswith("pull  ml  changed in the bucket")
    assert indented(lines) == EDIT
    assert differences(document) == {"ml": FACTS}
    assert actions(document) == {"ml": "pull"}
    # What is in step has nothing to tell.
    lines, document = look(b, s3, bucket, "--diff", "tiny")
    assert (len(lines), differences(document)) == (1, {})


def test_what_is_new_and_what_goes_is_told_as_a_whole(
    pair: Pair, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    shutil.rmtree(a.prefix("tiny"))
    add_record(make_prefix(a.prefix("new")), "lib", "3.0")
    lines, document = look(a, s3, bucket, "--diff", "--delete")
    assert actions(document) == {
        "ml": "nothing",
        "new": "push",
        "tiny": "delete-remote",
    }
    assert indented(lines) == ["+ lib 3.0", "- lib 1.0"]
    found = differences(document)
    assert found["new"]["conda"] == [{"name": "lib", "old": None, "new": "3.0"}]
    assert found["tiny"]["conda"] == [{"name": "lib", "old": "1.0", "new": None}]
    assert found["new"]["channels"] is None
    a.sync_here(bucket, "--delete")
    lines, document = look(b, s3, bucket, "--diff", "--delete")
    assert actions(document)["tiny"] == "delete-local"
    assert indented(lines) == ["+ lib 3.0", "- lib 1.0"]
    # A machine that has never been here, and remembers nothing.
    lines, document = look(machine("c"), s3, bucket, "--diff", "new")
    assert actions(document) == {"new": "pull"}
    assert indented(lines) == ["+ lib 3.0"]


def test_of_a_conflict_it_is_told_what_the_other_side_has(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    write_variables(a.prefix("tiny"), {"WHO": "a"})
    write_variables(b.prefix("tiny"), {"WHO": "b", "ONLY": "b"})
    a.sync_here(bucket)
    there = ["- variable ONLY b", "~ variable WHO b -> a"]
    here = ["+ variable ONLY b", "~ variable WHO a -> b"]
    for prefer, action, code, told in (
        ("none", "conflict", 1, there),
        ("remote", "pull", 0, there),
        ("local", "push", 0, here),
    ):
        arguments = ("--diff", "tiny", "--prefer", prefer)
        lines, document = look(b, s3, bucket, *arguments, code=code)
        assert actions(document) == {"tiny": action}
        assert [line for line in indented(lines) if "variable" in line] == told


@pytest.mark.parametrize("origin", ["here", "elsewhere"])
def test_builds_of_another_platform_are_no_difference(
    origin: str, machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    prefix = make_prefix(a.prefix("ml"))
    for name in ("lib", "numpy"):
        add_record(prefix, name)
    a.sync_here(bucket)
    text = bodies(s3, bucket)["ml.yml"].decode()
    text = text.replace("lib=1.0=0", "lib=1.0=h5").replace(
        "numpy=1.0=0", "numpy=2.0=h7"
    )
    platform = {"here": this_subdir(), "elsewhere": "win-64"}[origin]
    put(s3, bucket, "ml.yml", text, **{"conda-env-platform": platform})
    lines, document = look(a, s3, bucket, "--diff")
    builds = ["~ lib 1.0 0 -> 1.0 h5"] if origin == "here" else []
    assert indented(lines) == [*builds, "~ numpy 1.0 -> 2.0"]
    changes = differences(document)["ml"]["conda"]
    assert changes[-1] == {"name": "numpy", "old": "1.0", "new": "2.0"}
    assert len(changes) == len(builds) + 1
