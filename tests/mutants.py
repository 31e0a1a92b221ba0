"""Breakages of the product, one small one each, by what is wrong then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fakes import MemoryStore

from conda_s3_sync_plugin import plan, removal, session
from conda_s3_sync_plugin.alteration import Alteration
from conda_s3_sync_plugin.apply import Applier
from conda_s3_sync_plugin.exceptions import ConflictError, RemoteChangedError
from conda_s3_sync_plugin.keeping import Keeper
from conda_s3_sync_plugin.models import Baseline
from conda_s3_sync_plugin.observe import There
from conda_s3_sync_plugin.plan import Change
from conda_s3_sync_plugin.state import Memory
from conda_s3_sync_plugin.sync import Synchronization
from conda_s3_sync_plugin.words import Action, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Called with an owner, a name, and what is there instead from now on.
    Put = Callable[[Any, str, Any], object]


def no_condition(put: Put) -> None:
    write = MemoryStore.put

    def blindly(store: Any, name: str, document: Any, *, replaces: Any) -> str:
        try:
            return write(store, name, document, replaces=replaces)
        except RemoteChangedError:
            there = store.bucket.objects.get(store._key(name))
            return write(store, name, document, replaces=there and there.etag)

    put(MemoryStore, "put", blindly)


def no_second_look(put: Put) -> None:
    put(Alteration, "_is_unchanged", lambda self: True)


def no_note_of_a_pull(put: Put) -> None:
    def begin(self: Any) -> None:
        self.has_begun = True

    put(Alteration, "begin", begin)


def no_note_of_a_failure(put: Put) -> None:
    put(Alteration, "_remember_failure", lambda self: None)


def interrupted_is_an_edit(put: Put) -> None:
    put(Baseline, "is_interrupted", property(lambda self: False))


def noted_as_done_before_it_is(put: Put) -> None:
    begin = Alteration.begin

    def too_early(self: Any) -> None:
        begin(self)
        there = self._sight.there
        if isinstance(there, There):
            digest = there.version.digest
            done = Baseline(digest, "early", digest, there.etag, self._modified)
            self._memory.remember(self._sight.name, done)

    put(Alteration, "begin", too_early)


def pushed_before_it_is(put: Put) -> None:
    push = Applier._push

    def too_early(self: Any, step: Any, sight: Any, here: Any, export: Any) -> Any:
        digest, there = export.file.digest, sight.there
        etag = there.etag if isinstance(there, There) else ""
        done = Baseline(digest, here.env.stamp, digest, etag, here.version.modified)
        self._session.memory.remember(sight.name, done)
        return push(self, step, sight, here, export)

    put(Applier, "_push", too_early)


def no_history_here(put: Put) -> None:
    put(Keeper, "keep_local", lambda self, sight, **options: ())


def no_history_there(put: Put) -> None:
    put(Keeper, "keep_remote", lambda self, sight, **options: ())
    put(Keeper, "keep_foreign", lambda self, name, fetched: True)


def no_history_of_a_push(put: Put) -> None:
    keep = MemoryStore.keep

    def seldom(store: Any, name: str, document: Any, kind: Any = None) -> None:
        if kind is not removal.Kind.VERSION:
            keep(store, name, document, kind)

    put(MemoryStore, "keep", seldom)


def a_deletion_beats_a_change_here(put: Put) -> None:
    _decide(put, Change.CHANGED, Change.REMOVED, Action.DELETE_LOCAL)
    put(plan, "_delete", lambda step, seen: step)


def a_deletion_beats_a_change_there(put: Put) -> None:
    _decide(put, Change.REMOVED, Change.CHANGED, Action.DELETE_REMOTE)


def what_was_never_in_step_is_deleted(put: Put) -> None:
    _decide(put, Change.ABSENT, Change.NEW, Action.DELETE_REMOTE)


def a_change_here_is_undone(put: Put) -> None:
    _decide(put, Change.CHANGED, Change.SAME, Action.PULL)


def a_change_there_is_undone(put: Put) -> None:
    _decide(put, Change.SAME, Change.CHANGED, Action.PUSH)


def a_change_is_overlooked(put: Put) -> None:
    _decide(put, Change.SAME, Change.CHANGED, Action.NOTHING)


def _decide(put: Put, here: Change, there: Change, action: Action) -> None:
    row, _, reason = plan._DECISIONS[here, there]
    decisions = {**plan._DECISIONS, (here, there): (row, action, reason)}
    put(plan, "_DECISIONS", decisions)


def deleted_without_a_statement(put: Put) -> None:
    put(session, "is_deleted", lambda history, digest: True)


def deleted_without_stating_it(put: Put) -> None:
    put(removal, "is_deleted", lambda history, digest: True)


def the_oldest_wins(put: Put) -> None:
    times = plan._times
    put(plan, "_times", lambda *sides: times(*sides)[::-1])


def preference_is_ignored(put: Put) -> None:
    prefer = plan._prefer

    def newest(step: Any, seen: Any, policy: Any) -> Any:
        return prefer(step, seen, replace(policy, prefer=Prefer.NEWEST))

    put(plan, "_prefer", newest)


def all_is_equal(put: Put) -> None:
    put(plan, "_are_equal", lambda local, remote: bool(local and remote))


def a_lost_race_is_a_success(put: Put) -> None:
    finish = Synchronization._finish

    def finished(self: Any, step: Any, job: Any, applier: Any, *left: int) -> Any:
        def careless() -> tuple[str, ...]:
            try:
                return tuple(job())
            except (RemoteChangedError, ConflictError):
                return ()

        return finish(self, step, careless, applier, *left)

    put(Synchronization, "_finish", finished)


def nothing_is_remembered(put: Put) -> None:
    remember = Memory.remember

    def only_here(self: Any, name: str, baseline: Any) -> None:
        remember(self, name, baseline and replace(baseline, etag=""))

    put(Memory, "remember", only_here)


MUTANTS: Final = (
    no_condition,
    no_second_look,
    no_note_of_a_pull,
    no_note_of_a_failure,
    interrupted_is_an_edit,
    noted_as_done_before_it_is,
    pushed_before_it_is,
    no_history_here,
    no_history_there,
    no_history_of_a_push,
    a_deletion_beats_a_change_here,
    a_deletion_beats_a_change_there,
    what_was_never_in_step_is_deleted,
    a_change_here_is_undone,
    a_change_there_is_undone,
    a_change_is_overlooked,
    deleted_without_a_statement,
    deleted_without_stating_it,
    the_oldest_wins,
    preference_is_ignored,
    all_is_equal,
    a_lost_race_is_a_success,
    nothing_is_remembered,
)
