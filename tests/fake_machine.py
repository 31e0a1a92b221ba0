"""A computer of which only the synchronization is real: its conda and S3 are fakes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor, Future
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from fake_engine import START, FakeEngine
from fakes import MemoryBucket, MemoryStore

from conda_s3_sync_plugin.envfile import parse
from conda_s3_sync_plugin.models import Policy, Scope
from conda_s3_sync_plugin.session import Session
from conda_s3_sync_plugin.state import State
from conda_s3_sync_plugin.sync import Synchronization
from conda_s3_sync_plugin.words import Action, Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from fake_engine import Hook

    from conda_s3_sync_plugin.models import Baseline, Outcome, Result, Step

LATER = START + timedelta(hours=1)
LATEST = START + timedelta(hours=2)

#: Operations that change something, in the bucket, here, or in what is remembered.
WRITES = ("put", "keep", "put_lock", "apply", "save")


class Crash(BaseException):
    """The process is killed."""


class InlineExecutor(Executor):
    """Carry out at once what is submitted: every run takes the same course."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class WatchedState(State):
    """Call a hook ahead of each save, and when it is done."""

    before: Hook | None = None

    def _save(self, document: dict[str, Any]) -> None:
        if self.before:
            self.before("save", "")
        super()._save(document)


class Recorder:
    """Remember what a watcher is told."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.told: list[tuple[str, str]] = []

    def plan(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    def start(self, step: Step) -> None:
        self.told.append(("start", step.name))

    def finish(self, outcome: Outcome) -> None:
        self.told.append(("finish", outcome.step.name))


class FakeMachine:
    """A machine that shares a bucket with others.

    `before` is called ahead of each operation of its store, its engine and its state
    (`save`): what it raises is a failure, or with Crash the end of the process: nothing
    works from then on in this run. `log` has the operations of the last run.
    """

    def __init__(
        self,
        folder: Path,
        bucket: MemoryBucket | None = None,
        *,
        platform: str = "linux-64",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.folder = folder
        self.store = MemoryStore(bucket)
        self.bucket = self.store.bucket
        self.engine = FakeEngine(folder, platform=platform, clock=clock)
        self.before: Hook | None = None
        self.log: list[tuple[str, str]] = []
        self.watcher = Recorder()
        self._is_dead = False
        self.store.before = self.engine.before = self._begin
        self.store.after = self._end

    @property
    def state(self) -> WatchedState:
        state = WatchedState(self.folder / "state")
        state.before = self._begin
        return state

    def sync(
        self,
        *names: str,
        scope: Scope | None = None,
        force: bool = False,
        prune: bool = True,
        dry_run: bool = False,
        prefer: str = "newest",
        direction: str = "both",
    ) -> Result:
        """Run once, as a process of its own would."""
        self.log.clear()
        self.watcher = Recorder()
        return Synchronization(
            self.session(scope or Scope(frozenset(names))),
            policy=Policy(Prefer(prefer), Direction(direction)),
            prune=prune,
            force=force,
        ).run(self.watcher, dry_run=dry_run)

    def session(self, scope: Scope) -> Session:
        """Begin a command."""
        return Session(self.engine, self.store, self.state, scope=scope)

    def run(self, hook: Hook, **options: Any) -> Result:
        """Run with a hook, and be whole again afterwards, even after a crash."""
        self.before = hook
        try:
            return self.sync(**options)
        finally:
            self.before, self._is_dead = None, False

    def crash(self, number: int) -> bool:
        """Run, and be killed ahead of one operation; tell whether that has happened."""
        left = [number]

        def kill(operation: str, name: str) -> None:
            left[0] -= 1
            if not left[0]:
                raise Crash

        try:
            self.run(kill)
        except Crash:
            return True
        return False

    def baseline(self, name: str) -> Baseline | None:
        """Return what is remembered of an environment."""
        memory = State(self.folder / "state").memory(
            self.store.identity, str(self.engine.root)
        )
        return memory.baselines.get(name)

    def remote(self, name: str) -> str | None:
        """Return the digest of what the bucket has now."""
        there = self.bucket.objects.get(self.store.location.key(name))
        return digest_of(there.body) if there else None

    def history(self, name: str) -> set[str]:
        """Return the digests of all versions in the history."""
        return {digest_of(there.body) for there in self.store.versions(name)}

    def did(self, *operations: str) -> Counter[str]:
        """Count operations of the last run; without any named, what has written."""
        kinds = operations or WRITES
        return Counter(operation for operation, _ in self.log if operation in kinds)

    def _begin(self, operation: str, name: str) -> None:
        if self._is_dead:
            raise Crash
        self.log.append((operation, name))
        if self.before:
            try:
                self.before(operation, name)
            except Crash:
                self._is_dead = True
                raise

    def _end(self, operation: str, name: str) -> None:
        if self._is_dead:
            raise Crash


@cache
def digest_of(body: bytes) -> str:
    """Return the digest of what a file means."""
    return parse(body).digest


def actions(result: Result) -> dict[str, Action]:
    """Return what was done, by name; of what has failed, too."""
    return {outcome.step.name: outcome.step.action for outcome in result.outcomes}


def errors(result: Result) -> dict[str, str]:
    """Return what has failed, by name."""
    return {
        outcome.step.name: str(outcome.error)
        for outcome in result.outcomes
        if outcome.error
    }


def is_quiet(result: Result) -> bool:
    """Tell whether there was nothing to do."""
    return all(action is Action.NOTHING for action in actions(result).values())


Pair = tuple[FakeMachine, FakeMachine]


def make_pair(folder: Path, platform: str = "linux-64") -> Pair:
    """Return two machines with one bucket; the second one of any platform."""
    a = FakeMachine(folder / "a")
    return a, FakeMachine(folder / "b", a.bucket, platform=platform)


def in_step(*machines: FakeMachine) -> None:
    """Bring environment `ml` to all machines."""
    machines[0].engine.edit("ml", {"python": "3.12", "numpy": "2.0"}, at=START)
    for machine in machines:
        machine.sync()


def change(machine: FakeMachine, version: str = "2.1", at: datetime = LATER) -> str:
    """Change environment `ml`, and return its new digest."""
    machine.engine.edit("ml", {"python": "3.12", "numpy": version}, at=at)
    return machine.engine.digest("ml")
