"""Where environments may be: several folders, none of them, links, odd paths."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    bodies,
    content,
    plant,
    sync_twice,
    tree,
)
from hand_made import write_variables
from lab import snapshot
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]

#: A folder as people in many countries have one.
ODD = "Zoë & Jürgen – мой диск 1"


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel, wheels: Path
) -> Machine:
    """A machine with environments; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url], wheels=wheels)
    machine.create("empty")
    machine.create("libs", "lib01=1.0")
    machine.create("py", "python", "pip", "six")
    machine.pip("py", "install", "hello==1.0")
    return machine


def folders_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_an_environment_is_changed_where_it_is_in_whatever_folder(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    second, project = a.root / "second", a.root / "project"
    del a.environment["CONDA_ENVS_DIRS"]
    a.write_condarc(envs_dirs=[str(a.envs), str(second)])
    plant(original, "libs", a)
    shutil.copytree(original.prefix("libs"), second / "more")
    a.create(project / "env", "lib00=1.0")
    sync_twice(a, s3, bucket)
    sync_twice(b, s3, bucket)
    assert b.environments() == ["env", "libs", "more"]
    assert content(b, "env") == content(a, project / "env")
    for name in b.environments():
        b.set_variables(name, WHERE=name)
    plant(original, "empty", b)
    b.sync_here(bucket)
    sync_twice(a, s3, bucket)
    for place in (a.envs / "libs", second / "more", project / "env"):
        assert a.variables(place) == {"WHERE": place.name}
    assert folders_in(a.envs) == ["empty", "libs"]
    assert folders_in(second) == ["more"]
    assert folders_in(project) == ["env"]


def test_of_two_environments_with_one_name_neither_is_changed_nor_pushed(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    twin = a.root / "project" / "libs"
    plant(original, "libs", a, b)
    a.create(twin, "lib00=1.0")
    b.set_variables("libs", WHO="b")
    b.sync_here(bucket)
    there, here = bodies(s3, bucket), (tree(a.prefix("libs")), tree(twin))
    for choice in ((), ("-n", "libs"), ("--prefer", "remote"), ("--prefer", "local")):
        done = a.sync_here(bucket, *choice, check=False)
        assert done.returncode == 1
        assert f"{a.prefix('libs')} and {twin}" in done.stderr
        assert "Rename one of them, or choose one with --path-filter" in done.stderr
        assert bodies(s3, bucket) == there
        assert (tree(a.prefix("libs")), tree(twin)) == here
    a.sync_here(bucket, "--path-filter", "project", "--prefer", "remote")
    assert a.variables(twin) == {"WHO": "b"}
    assert tree(a.prefix("libs")) == here[0]


def link_prefix(machine: Machine) -> tuple[Path, Path]:
    """Put the environment elsewhere, and a link in its place; return link and place."""
    link, place = machine.prefix("libs"), machine.root / "disk" / "libs-2026"
    place.parent.mkdir()
    link.rename(place)
    link.symlink_to(place)
    return link, place


def link_folder(machine: Machine) -> tuple[Path, Path]:
    """Put all environments elsewhere, and a link in their place."""
    link, place = machine.envs, machine.root / "disk"
    link.rename(place)
    link.symlink_to(place)
    return link, place / "libs"


def test_a_link_beside_what_it_leads_to_is_left_alone_whatever_arrives(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    plant(original, "libs", a, b)
    b.prefix("libs").rename(b.prefix("alias"))
    link = a.prefix("alias")
    link.symlink_to("libs")
    for prefix in (b.prefix("alias"), a.prefix("libs")):
        write_variables(prefix, {"WHO": prefix.name})
    sync_twice(a, s3, bucket)
    b.sync_here(bucket, "--push-only")
    before = snapshot(a.prefix("libs"))
    said = a.sync_here(bucket, "--delete", check=False)
    assert f"{link} is a link to {a.prefix('libs')}" in said.stdout + said.stderr
    assert said.returncode == 1
    assert link.is_symlink()
    assert snapshot(a.prefix("libs")) == before


@pytest.mark.parametrize("make_link", [link_prefix, link_folder])
def test_a_link_stays_and_what_it_leads_to_is_synchronized(
    make_link: Callable[[Machine], tuple[Path, Path]],
    original: Machine,
    machine: Build,
    s3: S3Server,
    bucket: str,
) -> None:
    a, b = machine("a"), machine("b")
    plant(original, "libs", a)
    link, place = make_link(a)
    leads_to = link.readlink()
    sync_twice(a, s3, bucket)
    sync_twice(b, s3, bucket)
    assert content(b, "libs") == content(original, "libs")
    b.install("libs", "acty", "lib01=2.0")
    plant(original, "empty", b)
    b.sync_here(bucket)
    sync_twice(a, s3, bucket)
    assert link.readlink() == leads_to
    assert content(a, place) == content(b, "libs")
    assert a.environments() == ["empty", "libs"]
    a.manage("env", "config", "vars", "set", "-p", place, "WHO=a")
    assert "push  libs  changed here" in a.sync_here(bucket).stdout
    keys = [key for key in s3.keys(bucket) if "/" not in key]
    assert keys == ["empty.yml", "libs.yml"]


def test_paths_may_have_spaces_and_any_letters(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine(f"{ODD} a"), machine(f"{ODD} b")
    for one in (a, b):
        one.envs = one.root / "meine Umgebungen ✓"
        one.environment["CONDA_ENVS_DIRS"] = str(one.envs)
    plant(original, "py", a)
    a.create(a.root / "проект 2" / "libs", "lib01=1.0")
    sync_twice(a, s3, f"{bucket}/{ODD}")
    sync_twice(b, s3, f"{bucket}/{ODD}")
    assert content(b, "py") == content(a, "py")
    assert b.environments() == ["libs", "py"]
    assert b.python("py", "-c", "import hello, six").returncode == 0
    said = b.run(b.prefix("py") / "bin" / "pip", "install", "greet==1.0")
    assert "Successfully installed greet-1.0" in said.stdout
    b.set_variables("libs", WHO="bé b")
    sync_twice(b, s3, f"{bucket}/{ODD}")
    sync_twice(a, s3, f"{bucket}/{ODD}")
    assert content(a, "py") == content(b, "py")
    assert a.python("py", "-c", "import greet").returncode == 0
    assert a.variables(a.root / "проект 2" / "libs") == {"WHO": "bé b"}
    assert folders_in(a.envs) == ["py"]
