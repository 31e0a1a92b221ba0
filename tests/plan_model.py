"""A tiny world around the plan: machines, a bucket, and all that may happen to them.

One environment.  Its contents are numbers: one for each version that somebody made, and
the negative of it for the half of it that a pull, or a removal, leaves when its machine
dies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from conda_s3_sync_plugin.models import Baseline, Observation, Policy, Version
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)

WRITES = (Action.PUSH, Action.DELETE_REMOTE)
REPLACEMENTS = (Action.PULL, Action.DELETE_LOCAL)

ROUNDS = 4


class Base(NamedTuple):
    """What a machine remembers.

    `etag` is 0 while the prefix is changed; amid of a pull, `remote` is, too.
    """

    local: int
    remote: int
    etag: int


class Machine(NamedTuple):
    content: int = 0  # absent
    time: int = 0
    base: Base | None = None


class Object(NamedTuple):
    content: int
    time: int
    etag: int


class World(NamedTuple):
    machines: tuple[Machine, ...]
    remote: Object | None = None
    history: frozenset[int] = frozenset()
    # The last word of the history is that it was deleted; and so it is.
    stated: bool = False
    meant: bool = False
    etags: int = 0
    made: int = 0
    # Replaced or removed by their own author before any sync.
    given_up: frozenset[int] = frozenset()

    def change(self, i: int, machine: Machine) -> World:
        machines = (*self.machines[:i], machine, *self.machines[i + 1 :])
        return self._replace(machines=machines)


class Pending(NamedTuple):
    """A plan that a machine has made of what it saw, and not carried out yet."""

    i: int
    action: Action
    machine: Machine
    remote: Object | None


@dataclass(frozen=True)
class Guards:
    """What protects the versions while plans are carried out."""

    history_at_push: bool = True
    history_before_pull: bool = True
    conditional_writes: bool = True
    second_look: bool = True
    removal_of_the_unchanged: bool = True
    removal_noted: bool = True
    history_before_removal: bool = True
    push_brings_back: bool = True
    compared_pair: bool = True


@dataclass
class Model:
    """Search all worlds that can be reached, and collect which rules they break."""

    skew: tuple[int, ...]
    delete: bool = False
    crashes: bool = False
    races: bool = False
    guards: Guards = field(default_factory=Guards)

    def __post_init__(self) -> None:
        self.broken: set[str] = set()
        self.worlds = self.transitions = 0
        self._plans: dict[tuple[object, ...], Action] = {}
        self._settled: set[World] = set()

    def explore(self, depth: int) -> set[str]:
        """Visit all worlds within some events; return the names of broken rules."""
        start = (World(tuple(Machine() for _ in self.skew)), None)
        seen: set[tuple[World, Pending | None]] = {start}
        front = [start]
        for _ in range(depth):
            reached = []
            for world, pending in front:
                for node in self._events(world, pending):
                    self.transitions += 1
                    if node not in seen:
                        seen.add(node)
                        reached.append(node)
                        self._check(node[0])
            front = reached
        self.worlds = len(seen)
        return self.broken

    def _events(
        self, world: World, pending: Pending | None
    ) -> Iterator[tuple[World, Pending | None]]:
        for i in range(len(world.machines)):
            for after in self._user(world, i):
                yield after, pending
            if pending and pending.i == i:
                continue  # one run at a time on each machine
            now = self._look(world, i)
            yield self._carry_out(world, now), pending
            if self.crashes:
                for after in self._crash(world, now):
                    yield after, pending
            if self.races and not pending:
                yield world, now
        if pending:
            yield self._carry_out(world, pending), None
        if world.remote:  # another program, or a wrong `aws s3 rm`
            yield world._replace(remote=None), pending

    def _user(self, world: World, i: int) -> Iterator[World]:
        machine = world.machines[i]
        others = [other.content for j, other in enumerate(world.machines) if j != i]
        held = {*world.history, *others, world.remote and world.remote.content}
        if machine.content > 0 and machine.content not in held:
            world = world._replace(given_up=world.given_up | {machine.content})
        made = world.made + 1
        edited = machine._replace(content=made, time=10 * made + self.skew[i])
        yield world._replace(made=made).change(i, edited)
        if machine.content:
            yield world.change(i, machine._replace(content=0))

    def _look(self, world: World, i: int) -> Pending:
        machine, remote = world.machines[i], world.remote
        base = machine.base
        is_as_it_was = base and (
            not base.etag
            or machine.content == base.local
            or not self.guards.removal_of_the_unchanged
        )
        stated = bool(
            is_as_it_was and world.stated and base and base.remote in world.history
        )
        known = (machine, remote, stated)
        if known not in self._plans:
            self._plans[known] = self._decide(machine, remote, stated)
        return Pending(i, self._plans[known], machine, remote)

    def _decide(self, machine: Machine, remote: Object | None, stated: bool) -> Action:
        base = machine.base
        # What an unfinished pull, or removal, has left is nobody's work.
        if base and base.etag == 0 and machine.content:
            base = Base(machine.content, 0, 0)
        told = base and Baseline(
            str(base.local),
            "stamp" if base.etag else "",
            str(base.remote or ""),
            str(base.etag or ""),
            EPOCH,
        )
        seen = Observation("ml", version(machine), version(remote), told, stated)
        if seen.local is seen.remote is told is None:
            return Action.NOTHING
        (step,) = plan([seen], Policy(delete=self.delete))
        return step.action

    def _carry_out(self, world: World, todo: Pending) -> World:
        """Do what was planned, in the world as it is by now."""
        machine, seen = world.machines[todo.i], todo.machine
        current = world.remote.etag if world.remote else 0
        expected = todo.remote.etag if todo.remote else 0
        if todo.action in WRITES and current != expected:
            if self.guards.conditional_writes:
                return world
            self.broken.add("overwritten unseen")
        if todo.action in REPLACEMENTS and machine.content != seen.content:
            if self.guards.second_look:
                return world
            self.broken.add("overwritten unseen")
        compared = todo if self.guards.compared_pair else todo._replace(machine=machine)
        return getattr(self, f"_{todo.action.name.lower()}")(world, compared)

    def _push(self, world: World, todo: Pending) -> World:
        content, etag = todo.machine.content, world.etags + 1
        if content < 0:
            self.broken.add("half of something was pushed")
        world = self._keep(world, content, self.guards.history_at_push)
        world = world._replace(
            remote=Object(content, todo.machine.time, etag),
            etags=etag,
            stated=world.stated and not self.guards.push_brings_back,
            meant=False,
        )
        return self._remember(world, todo.i, Base(content, content, etag))

    def _pull(self, world: World, todo: Pending) -> World:
        world, remote = self._begin_pull(world, todo)
        machine = Machine(
            remote.content,
            remote.time,
            Base(remote.content, remote.content, remote.etag),
        )
        return world.change(todo.i, machine)

    def _begin_pull(self, world: World, todo: Pending) -> tuple[World, Object]:
        machine, remote = todo.machine, todo.remote
        assert remote
        old = machine.base
        is_edit = old and old.etag and machine.content not in (0, old.local)
        if is_edit and old and remote.etag == old.etag:
            self.broken.add("a change was undone by none")
        if machine.content and not (old and old.local == machine.content):
            keep = self.guards.history_before_pull
            world = self._keep(world, machine.content, keep)
        begun = Base(old.local if old else 0, 0, 0)
        return self._remember(world, todo.i, begun), remote

    def _adopt(self, world: World, todo: Pending) -> World:
        if not todo.remote or not todo.machine.content:
            return self._forget(world, todo)
        content, _, etag = todo.remote
        return self._remember(world, todo.i, Base(todo.machine.content, content, etag))

    _nothing = _adopt

    def _forget(self, world: World, todo: Pending) -> World:
        return self._remember(world, todo.i, None)

    def _delete_local(self, world: World, todo: Pending) -> World:
        base, content = todo.machine.base, todo.machine.content
        is_rest = base is not None and base.etag == 0
        if not base or not world.meant or not (is_rest or base.local == content):
            self.broken.add("wrongly removed here")
        world = self._keep(world, content, self.guards.history_before_removal)
        return world.change(todo.i, Machine())

    def _delete_remote(self, world: World, todo: Pending) -> World:
        base, remote = todo.machine.base, todo.remote
        if not remote or not base or base.remote != remote.content:
            self.broken.add("wrongly removed in the bucket")
            return world
        world = world._replace(stated=True, meant=True, remote=None)
        return self._remember(world, todo.i, None)

    def _stay(self, world: World, todo: Pending) -> World:
        return world

    _conflict = _hold = _skip = _stay

    def _crash(self, world: World, todo: Pending) -> Iterator[World]:
        """Yield what a run leaves that dies: before, amid or after its last write."""
        old = world.machines[todo.i]
        if todo.action is Action.PUSH:
            yield self._keep(world, old.content, self.guards.history_at_push)
        if todo.action is Action.PULL:
            begun, remote = self._begin_pull(world, todo)
            yield begun
            for content in (-remote.content, remote.content):
                machine = begun.machines[todo.i]
                left = machine._replace(content=content, time=remote.time)
                yield begun.change(todo.i, left)
        if todo.action is Action.DELETE_REMOTE:
            yield world._replace(stated=True, meant=True)
        if todo.action is Action.DELETE_LOCAL and old.base:
            half = old._replace(content=-abs(old.content))
            if self.guards.removal_noted:
                half = half._replace(base=Base(old.base.local, old.base.remote, 0))
            kept = self._keep(world, old.content, self.guards.history_before_removal)
            yield kept.change(todo.i, half)
        if todo.action in WRITES:
            yield self._remember(self._carry_out(world, todo), todo.i, old.base)

    @staticmethod
    def _keep(world: World, content: int, really: bool) -> World:
        history = world.history | ({content} if really else set())
        return world._replace(history=history)

    @staticmethod
    def _remember(world: World, i: int, base: Base | None) -> World:
        return world.change(i, world.machines[i]._replace(base=base))

    def _check(self, world: World) -> None:
        """See that nothing is lost, and that syncs bring all machines into step."""
        passed = []
        while world not in self._settled and len(passed) <= ROUNDS:
            passed.append(world)
            if lost(world):
                self.broken.add("lost")
            plans = []
            for i in range(len(world.machines)):
                plans.append(self._look(world, i))
                world = self._carry_out(world, plans[-1])
            actions = {each.action for each in plans}
            if actions & {Action.SKIP, Action.CONFLICT}:
                break  # reported, and left to a person
            if world == passed[-1]:
                if not in_step(world) or not actions <= {Action.NOTHING}:
                    self.broken.add("not in step")
                break
        else:
            if len(passed) > ROUNDS:
                self.broken.add("not in step")
        self._settled.update(passed)


def version(side: Machine | Object | None) -> Version | None:
    if side is None or side.content == 0:
        return None
    return Version(str(side.content), EPOCH + timedelta(seconds=side.time))


def lost(world: World) -> set[int]:
    """Return what somebody made and nobody has any more."""
    held = {machine.content for machine in world.machines} | world.history
    held |= {world.remote.content} if world.remote else set()
    return set(range(1, world.made + 1)) - held - world.given_up


def in_step(world: World) -> bool:
    there = world.remote.content if world.remote else 0
    return {machine.content for machine in world.machines} == {there}
