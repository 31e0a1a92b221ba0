"""Wherever the process is killed, nothing is lost, and the next run converges."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fake_machine import (
    LATER,
    LATEST,
    FakeMachine,
    InlineExecutor,
    errors,
    is_quiet,
    make_pair,
)

from conda_s3_sync_plugin import session
from conda_s3_sync_plugin.envfile import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

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


def test_killed_anywhere_the_next_run_converges_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", InlineExecutor)
    # Power does not fail here, and waiting for disks is most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    number, is_whole = 0, False
    while not is_whole:
        number += 1
        a, b, versions = scene(tmp_path / str(number))
        is_whole = not b.crash(number)
        assert versions <= held(b, versions) | here(b, versions), number
        assert not errors(b.sync()), number
        assert versions <= held(b, versions), number
        assert is_quiet(b.sync()), number
        a.sync()
        assert here(a, versions) == here(b, versions), number
        assert is_quiet(a.sync()), number
        chosen = {name: b.engine.versions(name)["numpy"] for name in dict(versions)}
        assert chosen == {
            **dict.fromkeys(("ours", "push", "new"), "3"),
            **dict.fromkeys(("theirs", "pull", "create", "seed"), "2"),
            "again": "1",
        }
    assert number > 60


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
