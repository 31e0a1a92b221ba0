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
from lengths import IS_LONG_ONCE, profile

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
changes = st.one_of(
    st.fixed_dictionaries({"packages": packages}),
    st.fixed_dictionaries({"pip": extras}),
    st.fixed_dictionaries({"variables": extras}),
)
operations = st.sampled_from([*ENGINE, *STORE])
hours = st.sampled_from([-100.0, -1.0, 0.0, 1.0, 100.0])
options = st.sampled_from(
    [
        *({}, {"prefer": "local"}, {"prefer": "remote"}, {"prefer": "none"}),
        *({"prefer": "merge"}, {"prefer": "merge", "delete": True}),
        *({"delete": True}, {"delete": True, "confirm": False}),
        *({"direction": "push"}, {"direction": "push", "delete": True}),
        *({"direction": "pull"}, {"direction": "pull", "delete": True}),
    ]
)
perhaps = st.none() | options


class Fleet(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.deletes = False

    @initialize(known=st.sets(names), delete=st.booleans())
    def begin(self, known: set[str], delete: bool) -> None:
        self.deletes = delete
        for name in sorted(known):
            self.world.edit(self.member(0), name, packages={"numpy": "1"})
        for member in self.world.members if known else ():
            self.world.sync(member)

    def teardown(self) -> None:
        try:
            self.world.stabilize(delete=self.deletes)
        finally:
            shutil.rmtree(self.folder)

    def member(self, number: int) -> Member:
        return self.world.members[number]

    @rule(who=members, name=names, changes=changes, options=perhaps)
    def edit(
        self,
        who: int,
        name: str,
        changes: dict[str, dict[str, str]],
        options: dict[str, Any] | None,
    ) -> None:
        self.world.edit(self.member(who), name, **changes)
        if options is not None:
            self.sync(who, options)

    @rule(who=members, name=names)
    def touch(self, who: int, name: str) -> None:
        if self.member(who).local(name):
            self.member(who).engine.touch(name)

    @rule(who=members, name=names)
    def remove(self, who: int, name: str) -> None:
        if self.member(who).local(name):
            self.world.remove(self.member(who), name)

    @rule(who=members, name=names, other=members, operation=operations)
    def purge(self, who: int, name: str, other: int, operation: str) -> None:
        """Let a deletion travel, and be broken off where it arrives."""
        self.remove(who, name)
        self.sync(who, {"delete": True})
        everything = {"force": True, "delete": True}
        self.world.disturb(self.member(other), operation, Crash(), **everything)

    @rule(who=members, name=names, other=members, ours=changes, theirs=changes)
    def merge(self, who: int, name: str, other: int, ours: Any, theirs: Any) -> None:
        self.edit(who, name, ours, {})
        self.edit(other, name, theirs, {"prefer": "merge"})

    @rule(who=members, old=names, new=names)
    def rename(self, who: int, old: str, new: str) -> None:
        member = self.member(who)
        if member.local(old) and not member.local(new):
            self.world.rename(member, old, new)

    @rule(who=members, hours=hours, told=st.booleans(), wait=st.sampled_from([0, 999]))
    def set_clock(self, who: int, hours: float, told: bool, wait: int) -> None:
        self.member(who).set_clock(timedelta(hours=hours), told=told)
        self.world.advance(hours=wait)

    @rule(name=names, packages=packages, hours=hours)
    def write(self, name: str, packages: dict[str, str], hours: float) -> None:
        self.world.write(name, packages, hours)

    @rule(name=names, who=members, options=perhaps)
    def delete(self, name: str, who: int, options: dict[str, Any] | None) -> None:
        self.world.delete(name)
        if options is not None:
            self.sync(who, options)

    @rule(who=members, options=options)
    def sync(self, who: int, options: dict[str, Any]) -> None:
        self.world.sync(self.member(who), force=True, **options)

    @rule(who=members, options=options)
    def sync_all(self, who: int, options: dict[str, Any]) -> None:
        for member in (*self.world.members[who:], *self.world.members[:who]):
            self.world.sync(member, force=True, **options)

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

    @rule(who=members, operation=operations, dies=st.booleans(), options=options)
    def disturb(
        self, who: int, operation: str, dies: bool, options: dict[str, Any]
    ) -> None:
        error = EngineError if operation in ENGINE else StoreError
        # Who may not list a history pushes all the same, and brings nothing back.
        raised = Crash() if dies or operation == "history" else error("no")
        self.world.disturb(self.member(who), operation, raised, force=True, **options)

    @rule(who=members, operation=operations, name=names, pick=picks)
    def crash_restoring(self, who: int, operation: str, name: str, pick: int) -> None:
        member, version = self.member(who), self.world.pick(name, pick)
        command = partial(member.restore, name, version[:12])
        self.world.disturb(member, operation, Crash(), command=command)

    @rule(who=members, operation=operations, name=names, pick=picks, other=members)
    def race_restoring(
        self, who: int, operation: str, name: str, pick: int, other: int
    ) -> None:
        member, version = self.member(who), self.world.pick(name, pick)
        if who != other and version:
            act = partial(self.world.sync, self.member(other), force=True)
            command = partial(member.restore, name, version[:12])
            self.world.race(member, operation, act, command=command)

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

    @rule(
        who=members,
        operation=operations,
        name=names,
        packages=packages,
        options=options,
    )
    def race_edit(
        self,
        who: int,
        operation: str,
        name: str,
        packages: dict[str, str],
        options: dict[str, Any],
    ) -> None:
        member = self.member(who)
        act = partial(self.world.edit, member, name, packages=packages)
        self.world.race(member, operation, act, local=name, **options)

    @rule(
        who=members,
        operation=operations,
        name=names,
        packages=packages,
        options=options,
    )
    def race_write(
        self,
        who: int,
        operation: str,
        name: str,
        packages: dict[str, str],
        options: dict[str, Any],
    ) -> None:
        act = partial(self.world.write, name, packages, 0)
        self.world.race(self.member(who), operation, act, **options)

    @rule(who=members)
    def lose_memory(self, who: int) -> None:
        lose_memory(self.member(who))


@pytest.mark.long
def test_nothing_is_lost_and_all_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", InlineExecutor)
    # Power does not fail here, and waiting for disks is most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    number, steps = (10_000, 40) if IS_LONG_ONCE else (200, 20)
    examples = profile(usual=200, long=number, stateful_step_count=steps)
    run_state_machine_as_test(Fleet, settings=examples)
