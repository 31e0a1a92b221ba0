"""Carrying out one step: push, pull, or just remember.

The order of the writes is what keeps versions from being lost: the history always comes
before what it protects, the file in the bucket after all that belongs to it, and the
baseline last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .agreement import finish_push
from .download import download
from .exceptions import S3SyncError, StoreError
from .interruption import result_of
from .keeping import Keeper
from .location import ROOT
from .lockfile import requests_of
from .merge import Merger
from .models import Baseline
from .observe import Here, There
from .pull import Puller, prefix_of
from .removal import Remover
from .words import Action

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .download import Download
    from .models import Export, Step
    from .observe import Sight
    from .session import Session


#: The row of a change in step.
_CHANGED_HERE = 6

#: The rows of what was removed here, and is in the bucket.
_REMOVED_HERE = (10, 11)

#: What is left to do of a step; returns in words what differs from what was hoped for.
#: Raises RemoteChangedError or LocalChangedError where the environment is not what was
#: observed any more, and another S3SyncError where it fails.  Nothing is lost on any.
Job = Callable[[], tuple[str, ...]]


class Applier:
    """Carry out steps, each on the environment as it was observed.

    Only transfers run in threads: conda's code, and what is remembered, are for one.
    """

    def __init__(
        self, session: Session, *, prune: bool, pull_only: bool, force: bool
    ) -> None:
        self._session = session
        self._keeper = Keeper(session, pull_only=pull_only)
        self._puller = Puller(session, self._keeper, prune=prune, pull_only=pull_only)
        self._remover = Remover(session, self._keeper, force=force)
        self._merger = Merger(session, self._keeper, prune=prune)
        self._downloads: list[tuple[Sight, Future[Download]]] = []

    def begin(self, step: Step, sight: Sight) -> Job:
        """Start the transfers of a step; return what is left to do in this thread."""
        action, here, there = step.action, sight.here, sight.there
        if action is Action.FORGET:
            return partial(self._forget, sight.name)
        if action is Action.PULL and isinstance(there, There):
            return self._begin_pull(step, sight, there)
        if action is Action.PUSH and isinstance(here, Here):
            return self._begin_push(step, sight, here)
        if (
            action is Action.MERGE
            and isinstance(here, Here)
            and isinstance(there, There)
        ):
            return partial(self._merger.merge, sight, here, there)
        if action is Action.DELETE_REMOTE and isinstance(there, There):
            return partial(self._remover.delete_remote, sight, there)
        if action is Action.DELETE_LOCAL and isinstance(here, Here):
            return partial(self._remover.delete_local, sight, here)
        if action in (Action.NOTHING, Action.ADOPT) and (
            isinstance(here, Here) and isinstance(there, There)
        ):
            return partial(self._remember, sight, here, there)
        return tuple

    def _begin_pull(self, step: Step, sight: Sight, there: There) -> Job:
        session = self._session
        got = session.pool.submit(download, session, sight.name, there)
        self._downloads.append((sight, got))
        is_back = step.row in _REMOVED_HERE
        return lambda: self._puller.pull(
            sight, result_of(got), is_conflict=_loses(step), is_back=is_back
        )

    def _begin_push(self, step: Step, sight: Sight, here: Here) -> Job:
        if here.export is None:
            return partial(self._push_again, step, sight, here)
        export = here.export
        upload = self._session.pool.submit(self._push, step, sight, here, export)
        return lambda: self._finish_push(sight, here, export, *result_of(upload))

    def fetch_ahead(self) -> None:
        """Fetch the packages of all pulls at once, as far as their locks tell them."""
        pulls = []
        # Only a head start: whatever fails now fails again where it is told.
        for sight, got in self._downloads:
            with contextlib.suppress(Exception):
                pulls.append((sight, result_of(got).lock))
        with contextlib.suppress(S3SyncError):
            locks = [
                (prefix_of(self._session.engine, sight), lock)
                for sight, lock in pulls
                if lock and lock.platform == self._session.engine.platform
            ]
            if len(locks) > 1:
                self._session.engine.fetch(locks)

    def _forget(self, name: str) -> tuple[str, ...]:
        self._session.memory.remember(name, None)
        return ()

    def _remember(self, sight: Sight, here: Here, there: There) -> tuple[str, ...]:
        """Note that both sides are in step as they are."""
        if there.fetched and not self._keeper.keep_foreign(sight.name, there.fetched):
            return ()  # what is remembered may be overwritten: the history comes first
        modified = max(here.version.modified, there.version.modified)
        old = sight.baseline or Baseline("", "", "", "", modified)
        requests, notes = self._keep_requests(sight.name, old, here, there)
        baseline = replace(
            old,
            local=here.version.digest,
            stamp=here.env.stamp,
            remote=there.version.digest,
            etag=there.etag,
            modified=modified,
            prefix=str(here.env.prefix),
            requests=requests,
        )
        self._session.memory.remember(sight.name, baseline)
        return notes

    def _keep_requests(
        self, name: str, old: Baseline, here: Here, there: There
    ) -> tuple[str, tuple[str, ...]]:
        """Share what is asked for by now, of packages that are the same as before.

        Return what stands for that, and notes.
        """
        known = old.requests
        if here.export is None:
            return known, ()
        requests = requests_of(here.export.lock)
        digests = {here.version.digest, there.version.digest, old.local, old.remote}
        if known in ("", requests) or len(digests) > 1:
            return requests, ()
        try:
            is_kept = self._keeper.keep_requests(name, here.export)
        except StoreError as error:  # the environment is in step without that
            return known, (f"its lock could not be renewed: {error.summary}",)
        return requests if is_kept else known, ()

    def _push_again(self, step: Step, sight: Sight, here: Here) -> tuple[str, ...]:
        """Push an environment that is as it was the last time, and so was not read."""
        export = here.read(self._session.engine, sight.elsewhere)
        pushed = self._push(step, sight, here, export)
        return self._finish_push(sight, here, export, *pushed)

    def _push(
        self, step: Step, sight: Sight, here: Here, export: Export
    ) -> tuple[str, tuple[str, ...]]:
        """Write an environment to the bucket; return the ETag of its file, and notes.

        What it replaces there is in the history first.
        """
        notes = self._keeper.keep_remote(sight, is_loser=_loses(step))
        modified = self._session.by_the_server(here.version.modified)
        if step.row != _CHANGED_HERE:  # in step, it was not deleted
            modified = self._session.moment_of(sight.name, modified)
        document = self._keeper.publish(sight.name, export, modified)
        if step.partner:
            self._keeper.copy_locks(step.partner, sight.name, document.digest)
        replaces = sight.there.etag if isinstance(sight.there, There) else None
        etag = self._session.store.put(sight.name, document, replaces=replaces)
        return etag, notes

    def _finish_push(
        self,
        sight: Sight,
        here: Here,
        export: Export,
        etag: str,
        notes: tuple[str, ...],
    ) -> tuple[str, ...]:
        modified = here.version.modified
        finish_push(
            self._session, sight, here.env, export, etag=etag, modified=modified
        )
        return (*notes, *export.warnings)


def _loses(step: Step) -> bool:
    """Tell whether what is replaced has lost a conflict; base is only added to."""
    return step.is_conflict and step.name != ROOT
