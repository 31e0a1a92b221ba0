"""A disk is full, read-only or damaged: that is told, and nothing is lost."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest
from conda_here import HAS_CONDA
from lengths import every
from station import NAME
from tasks import DELETE, assert_told, converges, create, push, update

from conda_s3_sync_plugin.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from station import Station
    from tasks import Begin

    #: Does something to a file, or what is to be one.
    Damage = Callable[[Path], object]


class Disk:
    """A small disk in place of a folder, with what was in there."""

    def __init__(self, folder: Path) -> None:
        self.folder, copy = folder, folder.with_name(f"{folder.name}-before")
        shutil.copytree(folder, copy, symlinks=True)
        mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", folder)
        shutil.copytree(copy, folder, symlinks=True, dirs_exist_ok=True)

    def fill(self) -> None:
        """Leave no room for anything."""
        with (self.folder / "full").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        """Let it be as it was."""
        (self.folder / "full").unlink()

    def protect(self, *, writable: bool = False) -> None:
        """Let nothing be written: not even by those to whom no mode applies."""
        mount("-o", f"remount,{'rw' if writable else 'ro'}", self.folder)


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["/bin/mount", *map(str, arguments)], capture_output=True)
    if done.returncode:
        pytest.skip("needs to mount a disk, as root may")


@pytest.fixture
def disk() -> Iterator[Callable[[Path], Disk]]:
    """Put a small disk in place of a folder, until the test ends."""
    disks: list[Disk] = []

    def make(folder: Path) -> Disk:
        disks.append(Disk(folder))
        return disks[-1]

    yield make
    for each in disks:
        subprocess.run(["/bin/umount", "--lazy", each.folder], check=True)


@pytest.mark.parametrize("scene", [create, update])
def test_an_environment_is_not_half_made_on_a_full_disk(
    scene: Begin, station: Station, originals: list[Path], disk: Callable[[Path], Disk]
) -> None:
    todo = scene(station, originals)
    before = station.here()
    envs = disk(station.lab.machine.envs)
    envs.fill()
    done = station.run()
    assert_told(done, "envs")
    assert "No space left" in done.err
    assert station.here() == before
    envs.make_room()
    converges(station, todo)


def test_what_cannot_be_remembered_is_told_and_found_out_again(
    station: Station, originals: list[Path], disk: Callable[[Path], Disk]
) -> None:
    todo = push(station, originals)
    small = disk(station.lab.machine.home)
    small.fill()
    done = station.run()
    assert_told(done, "push")
    assert "No space left" in done.err
    small.make_room()
    converges(station, todo)


@pytest.mark.parametrize("scene", [push, update])
def test_with_a_home_that_is_read_only_nothing_is_begun(
    scene: Begin,
    station: Station,
    originals: list[Path],
    disk: Callable[[Path], Disk],
) -> None:
    todo = scene(station, originals)
    here, there = station.here(), station.there()
    home = disk(station.lab.machine.home)
    home.protect()
    done = station.run()
    assert_told(done, "home")
    assert "Read-only file system" in done.err
    assert (station.here(), station.there()) == (here, there)
    home.protect(writable=True)
    converges(station, todo)


def test_where_environments_are_read_only_they_stay_as_they_are(
    station: Station, originals: list[Path], disk: Callable[[Path], Disk]
) -> None:
    todo = update(station, originals)
    before = station.here()
    envs = disk(station.lab.machine.envs)
    envs.protect()
    done = station.run()
    assert_told(done, "envs")
    assert "cannot be written" in done.err
    assert station.here() == before
    envs.protect(writable=True)
    converges(station, todo)


def test_environments_on_a_disk_that_is_not_mounted_are_not_taken_for_removed(
    station: Station, originals: list[Path]
) -> None:
    todo = push(station, originals)
    there, envs = station.there(), station.lab.machine.envs
    away = envs.rename(envs.with_name("away"))
    for _ in range(2):
        done = station.run(*DELETE)
        assert_told(done, "envs")
        assert done.code == 1
        assert f"{envs} is not there, where it was" in done.err
        assert station.there() == there
        assert not envs.exists()
    away.rename(envs)
    converges(station, todo)


@pytest.mark.skipif(HAS_CONDA, reason="would be a matter of that conda")
def test_without_a_home_two_lines_say_so(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(uid: int) -> NoReturn:
        raise KeyError(uid)  # as in many a container

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert main([bucket]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 2)
    assert err.startswith("conda-s3-sync: This user has no home")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def file_instead(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


DAMAGES = (folder_instead, nowhere, truncated, binary)

#: What a file is called -> what can be done to it that is noticed.
FILES: dict[str, tuple[Damage, ...]] = {
    "conda-meta/lib01-*.json": DAMAGES,
    "conda-meta": (file_instead,),
    "conda-meta/history": (folder_instead, nowhere),
    "conda-meta/state": (folder_instead, truncated, binary),
    "conda-meta/pinned": (folder_instead, binary),
}


#: The same, by what a test is called.
CASES = {
    f"{file} {damage.__name__}": (file, damage)
    for file, damages in FILES.items()
    for damage in damages
}


@pytest.mark.long
@every("case, scene", list(CASES), [push, update])
def test_an_environment_that_is_damaged_is_left_alone_until_it_is_repaired(
    case: str, scene: Begin, station: Station, originals: list[Path]
) -> None:
    file, damage = CASES[case]
    todo = scene(station, originals)
    prefix, aside = station.lab.prefix(NAME), station.lab.machine.root / "aside"
    (prefix / "conda-meta" / "state").write_text('{"version": 1, "env_vars": {}}')
    (prefix / "conda-meta" / "pinned").write_text("lib00 1.*\n")
    here, there = str(station.here()), str(station.there())
    shutil.copytree(prefix, aside, symlinks=True)
    (path,) = prefix.glob(file)
    damage(path)
    shutil.copytree(originals[2], station.lab.prefix("other"), symlinks=True)
    before = station.lab.snapshot(NAME)
    done = station.run(*DELETE)
    assert_told(done, file)
    assert done.code == 1
    told, hint = done.err.splitlines()
    assert str(prefix) in told
    assert hint.strip()
    assert station.there() == there
    assert "other.yml" in station.s3.keys(station.bucket)
    assert station.lab.snapshot(NAME) == before
    shutil.rmtree(prefix)
    aside.rename(prefix)
    converges(station, todo._replace(versions={here, there}))


@pytest.mark.long
@every("damage, scene", DAMAGES, [push, update])
def test_what_is_remembered_is_damaged(
    damage: Damage, scene: Begin, station: Station, originals: list[Path]
) -> None:
    todo = scene(station, originals)
    path = station.lab.machine.home / ".conda" / "s3-sync" / "baselines.json"
    damage(path)
    done = station.run()
    if damage is folder_instead:
        assert_told(done, "folder")
        assert str(path) in done.err
        path.rmdir()
    converges(station, todo)
