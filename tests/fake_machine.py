"""A computer of which only the synchronization is real: its conda and S3 are fakes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor, Future
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from fake_engine import START, Clock, FakeEngine
from fakes import MemoryBucket, MemoryStore

from conda_s3_sync_plugin.envfile import parse
from conda_s3_sync_plugin.models import Policy, Scope
from conda_s3_sync_plugin.restore import restore
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
#: By the server's clock, where nobody says what time it is.
NOW = START + timedelta(days=100)

#: Operations that change something, in the bucket, here, or in what is remembered.
WRITES = (
    *("put", "keep", "put_lock", "delete", "discard"),
    *("apply", "remove", "save"),
)


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
        self.store = MemoryStore(bucket or MemoryBucket(clock=Clock(NOW)))
        self.bucket = self.store.bucket
        self.engine = FakeEngine(folder, platform=platform, clock=clock)
        self._clock = clock or (lambda: self.bucket.clock() + self.store.ahead)
        self.before: Hook | None = None
        self.log: list[tuple[str, str]] = []
        self.watcher = Recorder()
        #: What was asked to be removed here in the last run; None: nothing was asked.
        self.asked: list[str] | None = None
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
        in_detail: bool = False,
        prefer: str = "newest",
        direction: str = "both",
        delete: bool = False,
        confirm: bool = True,
        keep_versions: int = 0,
    ) -> Result:
        """Run once, as a process of its own would."""
        session = self.session(
            scope or Scope(frozenset(names)),
            keep_versions=keep_versions,
        )

        def ask(steps: Sequence[Step]) -> bool:
            self.asked = [step.name for step in steps]
            return confirm

        return Synchronization(
            session,
            policy=Policy(Prefer(prefer), Direction(direction), delete),
            prune=prune,
            force=force,
            confirm=ask,
        ).run(self.watcher, dry_run=dry_run, in_detail=in_detail)

    def restore(self, name: str, version: str = "", **options: Any) -> Result:
        """Go back to a version, as a process of its own would."""
        session = self.session(Scope())
        return restore(session, name, version, self.watcher, **options)

    def session(self, scope: Scope, **options: Any) -> Session:
        """Begin a command."""
        self.log.clear()
        self.asked, self.watcher = None, Recorder()
        return Session(
            self.engine,
            self.store,
            self.state,
            scope=scope,
            clock=self._clock,
            **options,
        )

    def run(
        self, hook: Hook, command: Callable[..., Result] | None = None, **options: Any
    ) -> Result:
        """Run with a hook, and be whole again afterwards, even after a crash.

        `command`: what to run, if not `sync`.
        """
        self.before = hook
        try:
            return (command or self.sync)(**options)
        finally:
            self.before, self._is_dead = None, False

    def crash(self, number: int, **options: Any) -> bool:
        """Run, and be killed ahead of one operation; tell whether that has happened."""
        left = [number]

        def kill(operation: str, name: str) -> None:
            left[0] -= 1
            if not left[0]:
                raise Crash

        try:
            self.run(kill, **options)
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


def in_step(*machines: FakeMachine, others: Sequence[str] = ()) -> None:
    """Bring environment `ml` to all machines, and others."""
    machines[0].engine.edit("ml", {"python": "3.12", "numpy": "2.0"}, at=START)
    for name in others:
        machines[0].engine.edit(name, {"numpy": "1"}, at=START)
    for machine in machines:
        machine.sync()


def make_deleting_pair(folder: Path) -> Pair:
    """Make two machines in step: with `ml`, and enough others to be rid of it."""
    a, b = make_pair(folder)
    in_step(a, b, others=("more", "most"))
    return a, b


def change(machine: FakeMachine, version: str = "2.1", at: datetime = LATER) -> str:
    """Change environment `ml`, and return its new digest."""
    machine.engine.edit("ml", {"python": "3.12", "numpy": version}, at=at)
    return machine.engine.digest("ml")


def delete(machine: FakeMachine, name: str = "ml") -> None:
    """Remove an environment, and let that travel."""
    machine.engine.drop(name)
    result = machine.sync(delete=True, force=True)
    assert actions(result)[name] is Action.DELETE_REMOTE


def rename(machine: FakeMachine, old: str, new: str) -> None:
    """Give an environment another name, as `conda rename` does."""
    envs = machine.engine.envs
    envs[machine.engine.prefix_for(new)] = envs.pop(machine.engine.prefix_for(old))


def once(operation: str, act: Callable[[], object], times: int = 1) -> Hook:
    """Return a hook that acts ahead of the first operations of this kind."""
    left = [times]

    def hook(at: str, _: str) -> None:
        if at == operation and left[0]:
            left[0] -= 1
            act()

    return hook


def raising(error: BaseException) -> Callable[[], object]:
    """Return what raises an error."""

    def act() -> None:
        raise error

    return act
