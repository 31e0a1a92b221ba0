"""Machines that edit, delete, synchronize and crash in any order: nothing is lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_machine import Crash, InlineExecutor
from fleet import Member, World, lose_memory
from fleet_content import NAMES
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from lengths import IS_LONG, profile

from conda_s3_sync_plugin import session
from conda_s3_sync_plugin.exceptions import EngineError, StoreError

ENGINE = (
    *("environments", "look", "export", "apply", "link", "pip", "stamp"),
    *("remove", "unlink", "clear"),
)
STORE = (
    *("list", "get", "get_lock", "put_lock", "keep", "put", "save"),
    *("history", "get_kept", "delete"),
)

members = st.integers(0, 2)
names = st.sampled_from(NAMES)
picks = st.integers(0, 9)
versions = st.sampled_from(["1", "2", "3"])
packages = st.dictionaries(st.sampled_from(["numpy", "six"]), versions, max_size=2)
extras = st.dictionaries(st.sampled_from(["x", "y"]), versions, max_size=1)
operations = st.sampled_from([*ENGINE, *STORE])
hours = st.sampled_from([-100.0, -1.0, 0.0, 1.0, 100.0])
options = st.fixed_dictionaries(
    {},
    optional={
        "prefer": st.sampled_from(["local", "remote", "none", "merge"]),
        "direction": st.sampled_from(["push", "pull"]),
        "delete": st.just(True),
        "confirm": st.just(False),
    },
)


class Fleet(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.deletes = False

    @initialize(delete=st.booleans())
    def begin(self, delete: bool) -> None:
        self.deletes = delete

    def teardown(self) -> None:
        try:
            self.world.stabilize(delete=self.deletes)
        finally:
            shutil.rmtree(self.folder)

    def member(self, number: int) -> Member:
        return self.world.members[number]

    @rule(who=members, name=names, packages=packages)
    def edit(self, who: int, name: str, packages: dict[str, str]) -> None:
        self.world.edit(self.member(who), name, packages=packages)

    @rule(who=members, name=names, pip=extras)
    def pip(self, who: int, name: str, pip: dict[str, str]) -> None:
        self.world.edit(self.member(who), name, pip=pip)

    @rule(who=members, name=names, variables=extras)
    def set_variables(self, who: int, name: str, variables: dict[str, str]) -> None:
        self.world.edit(self.member(who), name, variables=variables)

    @rule(who=members, name=names)
    def touch(self, who: int, name: str) -> None:
        if self.member(who).local(name):
            self.member(who).engine.touch(name)

    @rule(who=members, name=names)
    def remove(self, who: int, name: str) -> None:
        if self.member(who).local(name):
            self.world.remove(self.member(who), name)

    @rule(who=members, old=names, new=names)
    def rename(self, who: int, old: str, new: str) -> None:
        member = self.member(who)
        if member.local(old) and not member.local(new):
            self.world.rename(member, old, new)

    @rule(who=members, hours=hours, told=st.booleans())
    def set_clock(self, who: int, hours: float, told: bool) -> None:
        self.member(who).set_clock(timedelta(hours=hours), told=told)

    @rule(hours=st.sampled_from([1, 1000]))
    def wait(self, hours: int) -> None:
        self.world.advance(hours=hours)

    @rule(name=names, packages=packages, hours=hours)
    def write(self, name: str, packages: dict[str, str], hours: float) -> None:
        specs = [f"{package}={version}" for package, version in packages.items()]
        self.world.write(name, specs, hours)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.world.delete(name)

    @rule(who=members, options=options)
    def sync(self, who: int, options: dict[str, Any]) -> None:
        self.world.sync(self.member(who), force=True, **options)

    @rule(who=members, name=names, options=options)
    def sync_one(self, who: int, name: str, options: dict[str, Any]) -> None:
        self.world.sync(self.member(who), scope_names=[name], **options)

    @rule(who=members, delete=st.booleans())
    def sync_safely(self, who: int, delete: bool) -> None:
        self.world.sync(self.member(who), delete=delete)

    @rule(who=members, name=names, pick=picks)
    def restore(self, who: int, name: str, pick: int) -> None:
        self.world.restore(self.member(who), name, pick)

    @rule(who=members)
    def look(self, who: int) -> None:
        member, before = self.member(who), dict(self.world.bucket.objects)
        self.world.sync(member, dry_run=True, force=True)
        assert not member.did()
        assert self.world.bucket.objects == before

    @rule(who=members, operation=operations, options=options)
    def crash(self, who: int, operation: str, options: dict[str, Any]) -> None:
        self.world.disturb(self.member(who), operation, Crash(), **options)

    @rule(who=members, operation=operations, options=options)
    def fail(self, who: int, operation: str, options: dict[str, Any]) -> None:
        error = EngineError if operation in ENGINE else StoreError
        self.world.disturb(self.member(who), operation, error("no"), **options)

    @rule(who=members, operation=operations, name=names, pick=picks)
    def crash_restoring(self, who: int, operation: str, name: str, pick: int) -> None:
        member, version = self.member(who), self.world.pick(name, pick)
        command = partial(member.restore, name, version[:12])
        self.world.disturb(member, operation, Crash(), command=command)

    @rule(
        who=members, operation=operations, other=members, ours=options, theirs=options
    )
    def race(
        self,
        who: int,
        operation: str,
        other: int,
        ours: dict[str, Any],
        theirs: dict[str, Any],
    ) -> None:
        if who != other:
            act = partial(self.world.sync, self.member(other), force=True, **theirs)
            self.world.race(self.member(who), operation, act, **ours)

    @rule(who=members, operation=operations, name=names, packages=packages)
    def race_edit(
        self, who: int, operation: str, name: str, packages: dict[str, str]
    ) -> None:
        member = self.member(who)
        act = partial(self.world.edit, member, name, packages=packages)
        self.world.race(member, operation, act, local=name)

    @rule(who=members, operation=operations, name=names, packages=packages)
    def race_write(
        self, who: int, operation: str, name: str, packages: dict[str, str]
    ) -> None:
        specs = [f"{package}={version}" for package, version in packages.items()]
        act = partial(self.world.write, name, specs, 0)
        self.world.race(self.member(who), operation, act)

    @rule(who=members)
    def lose_memory(self, who: int) -> None:
        lose_memory(self.member(who))


@pytest.mark.long
def test_nothing_is_lost_and_all_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", InlineExecutor)
    # Power does not fail here, and waiting for disks is most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    steps = 40 if IS_LONG else 20
    examples = profile(usual=200, long=10_000, stateful_step_count=steps)
    run_state_machine_as_test(Fleet, settings=examples)
