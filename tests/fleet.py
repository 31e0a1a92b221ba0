"""Several machines with one bucket, and somebody who knows what must hold."""

from __future__ import annotations

import contextlib
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fake_engine import Clock
from fake_machine import Crash, FakeMachine, actions, errors, is_quiet, rename
from fakes import MemoryBucket
from fleet_content import (
    NAMES,
    NOTHING,
    Deletions,
    check_merged,
    content_of,
    read_content,
)
from fleet_table import UNSURE, check_step, row_of

from conda_s3_sync_plugin.envfile import parse, render
from conda_s3_sync_plugin.exceptions import (
    RemoteChangedError,
    S3SyncError,
    SafetyError,
)
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from fleet_content import Content, Sides

    from conda_s3_sync_plugin.models import Outcome, Result

SETTLED: Final = (
    *(Action.NOTHING, Action.ADOPT, Action.PUSH, Action.PULL),
    *(Action.MERGE, Action.RESTORE),
)
GONE: Final = (Action.FORGET, Action.DELETE_LOCAL, Action.DELETE_REMOTE)


class WrongClock:
    """A clock that tells what another one tells, and is that far off."""

    def __init__(self, right: Clock) -> None:
        self._right, self.skew = right, timedelta(0)

    def __call__(self) -> datetime:
        return self._right() + self.skew


class Member(FakeMachine):
    """One machine, with a clock of its own.

    `made` learns what has come to be whole here: where two versions are merged, nobody
    else has made that.
    """

    def __init__(
        self,
        folder: Path,
        bucket: MemoryBucket,
        platform: str,
        made: list[tuple[str, Content]],
        clock: Clock,
    ) -> None:
        self.clock, self._made = WrongClock(clock), made
        super().__init__(folder, bucket, platform=platform, clock=self.clock)
        #: Name -> digests of both sides, when they were in step for the last time.
        self.agreed: dict[str, tuple[str, str]] = {}
        #: Name -> digest of what the user made here, until the history has it.
        self.drafts: dict[str, str] = {}
        #: What synchronizing has brought here: to edit it back is to make nothing.
        self.brought: set[tuple[str, str | None]] = set()

    def local(self, name: str) -> str | None:
        there = self.engine.prefix_for(name) in self.engine.envs
        return self.engine.digest(name) if there else None

    def set_clock(self, skew: timedelta, *, told: bool) -> None:
        """Let the clock be wrong; some servers tell."""
        self.clock.skew = skew
        self.store.ahead = skew if told else timedelta(0)

    def _begin(self, operation: str, name: str) -> None:
        if operation == "stamp":
            self._made.append((name, content_of(self.engine.env(name))))
        super()._begin(operation, name)

    def doubt(self) -> None:
        self.agreed = dict.fromkeys(NAMES, UNSURE)


class World:
    """All machines, and what their users, and others, have made."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.bucket = MemoryBucket(clock=self.clock)
        #: All that anybody has made, whatever it is built for.
        self.made: list[tuple[str, Content]] = []
        platforms = {"a": "linux-64", "b": "linux-64", "c": "osx-arm64"}
        self.members = [
            Member(folder / name, self.bucket, platform, self.made, self.clock)
            for name, platform in platforms.items()
        ]
        #: Name -> digest of what another program wrote, until the history has it.
        self.foreign: dict[str, str] = {}
        self._deletions = Deletions(self.bucket)
        #: All that was in the bucket, by name and digest.
        self._contents: dict[tuple[str, str], Content] = {}

    def advance(self, **delta: float) -> None:
        """Let time pass, on all clocks."""
        self.clock.advance(**delta)

    def edit(self, member: Member, name: str, **changes: Mapping[str, str]) -> None:
        self.advance(seconds=1)
        member.engine.edit(name, **changes)
        self._draft(member, name)

    def remove(self, member: Member, name: str) -> None:
        member.engine.drop(name)
        member.drafts.pop(name, None)

    def rename(self, member: Member, old: str, new: str) -> None:
        rename(member, old, new)
        member.drafts.pop(old, None)
        self._draft(member, new)

    def _draft(self, member: Member, name: str) -> None:
        self.made.append((name, content_of(member.engine.env(name))))
        digest = str(member.local(name))
        member.drafts.pop(name, None)
        if (name, digest) not in member.brought:
            member.drafts[name] = digest

    def write(self, name: str, packages: Mapping[str, str], hours: float) -> None:
        """Overwrite NAME.yml without asking, as another program does."""
        self.advance(seconds=1)
        specs = [f"{package}={version}" for package, version in packages.items()]
        body = render(name, channels=["fake"], specs=specs).body
        modified = self.clock() + timedelta(hours=hours)
        self.bucket.plant(f"{name}.yml", body, modified)
        self.foreign[name] = parse(body).digest
        self.made.append((name, read_content(body)))

    def delete(self, name: str) -> None:
        """Delete NAME.yml, as somebody with `aws s3 rm` does."""
        self.bucket.objects.pop(f"{name}.yml", None)
        self.foreign.pop(name, None)

    def sync(self, member: Member, **options: Any) -> Result | None:
        """Run undisturbed, and compare each step with the table."""
        names = options.get("scope_names") or NAMES
        sides = {
            name: self._sides(member, name)
            for name in names
            if member.local(name) and member.remote(name)
        }
        stated = {
            name: self._is_stated(member, name)
            for name in names
            if name in member.agreed
        }
        expected = {
            name: row_of(
                member.agreed.get(name), member.local(name), member.remote(name)
            )
            for name in names
        }
        try:
            result = member.sync(*options.pop("scope_names", ()), **options)
        except SafetyError:
            known = [name for name in names if name in member.agreed]
            assert not options.get("force")
            assert not all(map(member.local, known)) or not all(
                map(member.remote, known)
            )
            assert not member.did()
            return None
        assert not errors(result), errors(result)
        for outcome in result.outcomes:
            name = outcome.step.name
            if row := expected.pop(name):
                is_stated = stated.get(name, False)
                check_step(outcome.step, row, options, is_stated=is_stated)
            if outcome.step.action is Action.MERGE and not options.get("dry_run"):
                check_merged(content_of(member.engine.env(name)), sides[name])
            if outcome.step.action is Action.DELETE_REMOTE and row:
                assert options.get("dry_run") or self._is_stated(member, name)
            self._agree(member, outcome, options)
        assert not any(expected.values()), "a name was left out"
        self.check()
        return result

    def _is_stated(self, member: Member, name: str) -> bool:
        self._deletions.look()
        return self._deletions.are_stated(name, member.agreed[name][1])

    def _sides(self, member: Member, name: str) -> Sides:
        """Return what both sides had when they were in step, and have now."""
        agreed = member.agreed.get(name)
        base = NOTHING if agreed is None else self._contents.get((name, agreed[1]))
        there = self.bucket.objects[f"{name}.yml"]
        return base, content_of(member.engine.env(name)), read_content(there.body)

    def _agree(
        self, member: Member, outcome: Outcome, options: Mapping[str, Any]
    ) -> None:
        name, action = outcome.step.name, outcome.step.action
        if options.get("dry_run"):
            return
        if action in GONE:
            member.agreed.pop(name, None)
        elif (
            action in SETTLED
            and options.get("direction") == "pull"
            and (self.bucket.objects[f"{name}.yml"].foreign)
        ):
            member.agreed[name] = UNSURE  # the history comes first
        elif action in SETTLED:
            member.agreed[name] = str(member.local(name)), str(member.remote(name))

    def restore(self, member: Member, name: str, pick: int) -> None:
        """Go back to one of the versions in the history, undisturbed."""
        if not (version := self.pick(name, pick)):
            return
        result = member.restore(name, version[:12])
        assert not errors(result), errors(result)
        assert member.remote(name) == version
        body = self.bucket.objects[f"{name}.yml"].body
        assert content_of(member.engine.env(name)) == read_content(body)
        self._agree(member, result.outcomes[0], {})
        self.check()

    def pick(self, name: str, number: int) -> str:
        """Choose a version from the history, if there is any: from now on it is whole.

        Also what was kept of something that was half done.
        """
        kept = self.members[0].store.versions(name)
        if not kept:
            return ""
        body = kept[number % len(kept)].body
        self.made.append((name, read_content(body)))
        return parse(body).digest

    def disturb(
        self, member: Member, operation: str, error: BaseException, **options: Any
    ) -> None:
        """Run, and fail, or be killed with Crash, ahead of an operation."""

        def hook(at: str, _: str) -> None:
            if at == operation:
                raise error

        member.doubt()
        with contextlib.suppress(SafetyError, S3SyncError, Crash):
            member.run(hook, **options)
        self.check()

    def race(
        self,
        member: Member,
        operation: str,
        act: Callable[[], object],
        local: str = "",
        **options: Any,
    ) -> None:
        """Run while something else happens, ahead of an operation.

        `local` names the environment that is edited on the same machine: while it is
        being changed, nobody can keep two programs from being in each other's way, but
        from when it is read again.
        """
        is_done = False

        def hook(at: str, name: str) -> None:
            nonlocal is_done
            is_read = (at, name) == ("export", local)
            changes = {("apply", local), ("remove", local)}
            is_busy = not changes.isdisjoint(member.log) and not is_read
            if at == operation and not (is_busy or is_done):
                is_done = True
                act()

        member.doubt()
        with contextlib.suppress(SafetyError, RemoteChangedError):
            told = errors(member.run(hook, **options))
            # What has become a deletion meanwhile is not done unasked; nor does an old
            # name go where the new one has not come.
            fine = ("changed meanwhile", "could not be brought about")
            assert all(any(words in text for words in fine) for text in told.values())
        self.check()

    def check(self) -> None:
        """Nobody's version is lost: it is where it was made, or in the history."""
        self._deletions.look()
        for member in self.members:
            for name, digest in list(member.drafts.items()):
                if digest in member.history(name):
                    del member.drafts[name]
                else:
                    assert member.local(name) == digest, f"{name} on {member.folder}"
            member.brought |= {
                (name, member.local(name))
                for name in NAMES
                if name not in member.drafts
            }
        anybody = self.members[0]
        for name, digest in list(self.foreign.items()):
            if digest in anybody.history(name):
                del self.foreign[name]
            else:
                assert anybody.remote(name) == digest, f"{name} of somebody else"
        for name in NAMES:
            if there := self.bucket.objects.get(f"{name}.yml"):
                digest = str(anybody.remote(name))
                self._contents[name, digest] = read_content(there.body)
                assert (name, read_content(there.body)) in self.made, (
                    "half of something"
                )

    def stabilize(self, **options: Any) -> None:
        """Synchronize everybody until nothing is to do: all have the same then."""
        for _ in range(4):
            quiet = [self._settle(member, options) for member in self.members]
            if all(quiet):
                break
        else:
            raise AssertionError("does not converge")
        first, second, third = self.members
        for name in NAMES:
            here = first.local(name)
            assert (here is None) == (first.remote(name) is None)
            assert here == second.local(name)
            assert (third.local(name) is None) == (here is None)
            if here:
                assert first.engine.versions(name) == third.engine.versions(name)
                ours, theirs = first.engine.env(name), third.engine.env(name)
                assert ours.content[1:] == theirs.content[1:]

    def _settle(self, member: Member, options: Mapping[str, Any]) -> bool:
        result = self.sync(member, force=True, **options)
        assert result is not None
        for outcome in result.outcomes:
            if outcome.step.action is Action.SKIP:
                assert "half done" in outcome.step.reason, outcome
                self.remove(member, outcome.step.name)  # as its hint says
        if Action.CONFLICT in actions(result).values():
            ties = [o for o in result.outcomes if o.step.action is Action.CONFLICT]
            assert all("same time" in tie.step.reason for tie in ties)
            self.sync(member, force=True, **{**options, "prefer": "local"})
            return False
        return is_quiet(result) and not member.did("export", "get", "save")


def lose_memory(member: Member) -> None:
    """Delete all that a machine remembers; but not that a pull was interrupted.

    Without that, nobody could tell half of something from somebody's work.
    """
    if UNSURE in member.agreed.values():
        return
    shutil.rmtree(member.folder / "state", ignore_errors=True)
    member.agreed.clear()
