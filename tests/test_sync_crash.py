"""Wherever the process is killed, nothing is lost, and the next run converges."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import START
from fake_machine import (
    LATER,
    LATEST,
    FakeMachine,
    InlineExecutor,
    errors,
    is_quiet,
    make_pair,
    rename,
)

from conda_s3_sync_plugin import session
from conda_s3_sync_plugin.envfile import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from conda_s3_sync_plugin.models import Result

    Versions = set[tuple[str, str]]


class LateExecutor(Executor):
    """Carry out what is submitted when its result is wanted, or at the end."""

    def __init__(self, *_: object, **__: object) -> None:
        self.waiting: list[LateFuture] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> LateFuture:
        self.waiting.append(LateFuture(partial(fn, *args)))
        return self.waiting[-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for future in self.waiting:
            if not cancel_futures:
                future.result()


class LateFuture(Future[Any]):
    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.set_result(self._work())
        return super().result(timeout)


def scene(folder: Path) -> tuple[FakeMachine, FakeMachine, Versions]:
    """Let `b` have one of everything to do; return all versions, too."""
    a, b = make_pair(folder)
    versions: Versions = set()

    def edit(machine: FakeMachine, name: str, version: str, at: datetime) -> None:
        packages = {"python": "3.12", "numpy": version, "scipy": version}
        machine.engine.edit(name, packages, pip={"x": version}, at=at)
        versions.add((name, machine.engine.digest(name)))

    for name in ("push", "pull", "ours", "theirs", "again"):
        edit(a, name, "1", LATER)
    a.sync()
    b.sync()
    for name, at in (("pull", LATER), ("ours", LATER), ("theirs", LATEST)):
        edit(a, name, "2", at)
    edit(a, "create", "2", LATER)
    a.sync()
    body = render("seed", channels=["fake"], specs=["numpy=2", "six=1"]).body
    b.bucket.plant("seed.yml", body, LATER)
    versions.add(("seed", str(b.remote("seed"))))
    for name, at in (("push", LATER), ("ours", LATEST), ("theirs", LATER)):
        edit(b, name, "3", at)
    edit(b, "new", "3", LATER)
    del b.bucket.objects["again.yml"]
    return a, b, versions


ALL = {"delete": True, "prefer": "merge", "force": True}


def scene_of_deletions(folder: Path) -> tuple[FakeMachine, FakeMachine, Versions]:
    """Let `b` have something to remove on each side, to rename, and to merge."""
    a, b = make_pair(folder)
    versions: Versions = set()

    def edit(machine: FakeMachine, name: str, *packages: str, pip: str = "1") -> None:
        wanted = dict(package.split("=") for package in packages)
        machine.engine.edit(name, wanted, pip={"x": "1", "y": pip}, at=LATER)
        versions.add((name, machine.engine.digest(name)))

    for name in ("gone-here", "gone-there", "merged", "old"):
        edit(a, name, "numpy=1", "scipy=1")
    for machine in (a, b):
        machine.sync()
    a.engine.drop("gone-there")
    edit(a, "merged", "numpy=2", "scipy=1")
    a.sync(delete=True)
    b.engine.drop("gone-here")
    rename(b, "old", "new")
    edit(b, "merged", "numpy=1", "scipy=2", "pandas=1", pip="2")
    return a, b, versions


def scene_of_a_restoration(folder: Path) -> tuple[FakeMachine, FakeMachine, Versions]:
    """Let something be on both sides of `b` that nobody has kept yet."""
    a, b = make_pair(folder)
    versions: Versions = set()
    for version, at in (("1", START), ("2", LATER)):
        a.engine.edit("ml", {"numpy": version, "six": "1"}, pip={"x": "1"}, at=at)
        versions.add(("ml", a.engine.digest("ml")))
        a.sync()
    b.sync()
    body = render("ml", channels=["fake"], specs=["numpy=3", "six=1"]).body
    b.bucket.plant("ml.yml", body, LATER)
    versions.add(("ml", str(b.remote("ml"))))
    b.engine.edit("ml", {"numpy": "4", "six": "1"}, at=LATEST)
    versions.add(("ml", b.engine.digest("ml")))
    return a, b, versions


def held(machine: FakeMachine, versions: Versions) -> Versions:
    """Return which versions of these environments the bucket has."""
    return {
        (name, digest)
        for name in dict(versions)
        for digest in (*machine.history(name), machine.remote(name) or "")
    }


def here(machine: FakeMachine, versions: Versions) -> Versions:
    """Return which versions of these environments a machine has."""
    names = {prefix.name for prefix in machine.engine.envs} & dict(versions).keys()
    return {(name, machine.engine.digest(name)) for name in names}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", InlineExecutor)
    # Power does not fail here, and waiting for disks is most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)


def killed_anywhere(
    folder: Path,
    scene: Callable[[Path], tuple[FakeMachine, FakeMachine, Versions]],
    options: Mapping[str, Any],
    command: Callable[[FakeMachine], Callable[..., Result]] | None = None,
) -> Iterator[tuple[FakeMachine, FakeMachine]]:
    """Kill a run, or another command, ahead of each of its operations.

    Yield the machines after the next runs, with these options: nothing has failed,
    nothing is lost, and both machines are in step.
    """
    number, is_whole = 0, False
    while not is_whole:
        number += 1
        a, b, versions = scene(folder / str(number))
        if command:
            is_whole = not b.crash(number, command=command(b))
        else:
            is_whole = not b.crash(number, **options)
        assert versions <= held(b, versions) | here(b, versions), number
        assert not errors(b.sync(**options)), number
        assert versions <= held(b, versions), number
        assert is_quiet(b.sync(**options)), number
        a.sync(**options)
        assert here(a, versions) == here(b, versions), number
        assert is_quiet(a.sync(**options)), number
        yield a, b


@pytest.mark.usefixtures("quick")
def test_killed_anywhere_the_next_run_converges_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    pairs = 0
    for _, b in killed_anywhere(tmp_path, scene, {}):
        pairs += 1
        names = [prefix.name for prefix in b.engine.envs if prefix != b.engine.root]
        chosen = {name: b.engine.versions(name)["numpy"] for name in names}
        assert chosen == {
            **dict.fromkeys(("ours", "push", "new"), "3"),
            **dict.fromkeys(("theirs", "pull", "create", "seed"), "2"),
            "again": "1",
        }
    assert pairs > 60


@pytest.mark.usefixtures("quick")
def test_killed_anywhere_deletions_and_merges_are_finished(tmp_path: Path) -> None:
    merged: list[dict[str, str]] = []
    for pair in killed_anywhere(tmp_path, scene_of_deletions, ALL):
        for machine in pair:
            assert {prefix.name for prefix in machine.engine.envs} == {
                *("base", "merged", "new"),
            }
        merged.append(pair[1].engine.versions("merged"))
    # Where it was killed amid of the merge, what was here is in the history.
    theirs = {"numpy": "2", "scipy": "1"}
    both = {"numpy": "2", "scipy": "2", "pandas": "1"}
    assert merged[0] == merged[-1] == both
    assert [versions for versions in merged if versions not in (both, theirs)] == []
    assert merged.count(both) > merged.count(theirs)
    assert len(merged) > 40


@pytest.mark.usefixtures("quick")
def test_killed_anywhere_a_restoration_loses_nothing(tmp_path: Path) -> None:
    def oldest(machine: FakeMachine) -> Callable[..., Result]:
        first = min(key for key in machine.bucket.objects if "Z-" in key)
        return partial(machine.restore, "ml", first.rpartition("-")[2][:8])

    runs = killed_anywhere(tmp_path, scene_of_a_restoration, {}, oldest)
    versions = [b.engine.versions("ml")["numpy"] for _, b in runs]
    # Before it is in the bucket, it has not begun; and then the next run ends it.
    assert versions == sorted(versions, reverse=True)
    assert set(versions) == {"4", "1"}
    assert len(versions) > 15


def test_a_run_that_is_broken_off_begins_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", LateExecutor)
    a, _ = make_pair(tmp_path)
    for name in ("one", "three", "two"):
        a.engine.edit(name, {"numpy": "1"})

    def interrupt(operation: str, _: str) -> None:
        if operation == "save":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        a.run(interrupt)
    assert a.did("put") == {"put": 1}
    assert not errors(a.sync())
    assert is_quiet(a.sync())
