"""Carrying out one step: push, pull, or just remember.

The order of the writes is what keeps versions from being lost: the history always comes
before what it protects, the file in the bucket after all that belongs to it, and the
baseline last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .download import Download, download_version
from .exceptions import S3SyncError
from .keeping import Keeper
from .models import Action, Baseline
from .observe import Here, There, read
from .pull import Puller, prefix_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .models import Export, Step
    from .observe import Sight
    from .session import Session


#: What is left to do of a step; returns in words what differs from what was hoped for.
#: Raises RemoteChangedError or LocalChangedError where the environment is not what was
#: observed any more, and another S3SyncError where it fails.  Nothing is lost on any.
Job = Callable[[], tuple[str, ...]]


class Applier:
    """Carry out steps, each on the environment as it was observed.

    Only transfers run in threads: conda's code, and what is remembered, are for one.
    """

    def __init__(self, session: Session, *, prune: bool, pull_only: bool) -> None:
        self._session = session
        self._engine, self._store = session.engine, session.store
        self._memory = session.memory
        self._keeper = Keeper(self._store, self._engine.platform, pull_only=pull_only)
        self._puller = Puller(session, self._keeper, prune=prune, pull_only=pull_only)
        self._downloads: list[tuple[Sight, Future[Download]]] = []

    def begin(self, step: Step, sight: Sight) -> Job:
        """Start the transfers of a step; return what is left to do in this thread."""
        action, here, there = step.action, sight.here, sight.there
        if action is Action.FORGET:
            return partial(self._forget, sight.name)
        if action is Action.PULL and isinstance(there, There):
            download = self._session.pool.submit(
                download_version,
                self._store,
                sight.name,
                there,
                self._engine.platform,
                self._session.parse,
            )
            self._downloads.append((sight, download))
            return lambda: self._puller.pull(sight, download.result())
        if action is Action.PUSH and isinstance(here, Here):
            if here.export is None:
                return partial(self._push_again, sight, here)
            export = here.export
            upload = self._session.pool.submit(self._push, sight, here, export)
            return lambda: self._finish_push(sight, here, export, upload.result())
        if action in (Action.NOTHING, Action.ADOPT) and (
            isinstance(here, Here) and isinstance(there, There)
        ):
            return partial(self._remember, sight, here, there)
        return tuple

    def fetch_ahead(self) -> None:
        """Fetch the packages of all pulls at once, as far as their locks tell them."""
        pulls = [
            (sight, download.result().lock)
            for sight, download in self._downloads
            if download.exception() is None
        ]
        # Only a head start: whatever fails now fails again where it is told.
        with contextlib.suppress(S3SyncError):
            locks = [
                (prefix_of(self._engine, sight), lock)
                for sight, lock in pulls
                if lock and lock.platform == self._engine.platform
            ]
            if len(locks) > 1:
                self._engine.fetch(locks)

    def _forget(self, name: str) -> tuple[str, ...]:
        self._memory.remember(name, None)
        return ()

    def _remember(self, sight: Sight, here: Here, there: There) -> tuple[str, ...]:
        """Note that both sides are in step as they are."""
        if there.fetched and not self._keeper.keep_foreign(sight.name, there.fetched):
            return ()  # what is remembered may be overwritten: the history comes first
        baseline = Baseline(
            here.version.digest,
            here.env.stamp,
            there.version.digest,
            there.etag,
            max(here.version.modified, there.version.modified),
            sight.elsewhere,
        )
        self._memory.remember(sight.name, baseline)
        return ()

    def _push_again(self, sight: Sight, here: Here) -> tuple[str, ...]:
        """Push an environment that is as it was the last time, and so was not read."""
        export = read(self._engine, here.env, sight.elsewhere)
        etag = self._push(sight, here, export)
        return self._finish_push(sight, here, export, etag)

    def _push(self, sight: Sight, here: Here, export: Export) -> str:
        """Write an environment to the bucket, and return the ETag of its file.

        What it replaces there is in the history first: a baseline has the ETag of only
        what was written by us, or seen and kept; anything else is kept now.
        """
        there = sight.there if isinstance(sight.there, There) else None
        if there and there.fetched:
            self._keeper.keep(sight.name, there.fetched)
        document = self._keeper.publish(sight.name, export, here.version.modified)
        replaces = there.etag if there else None
        return self._store.put(sight.name, document, replaces=replaces)

    def _finish_push(
        self, sight: Sight, here: Here, export: Export, etag: str
    ) -> tuple[str, ...]:
        digest, modified = export.file.digest, here.version.modified
        elsewhere = export.lock.elsewhere
        baseline = Baseline(digest, here.env.stamp, digest, etag, modified, elsewhere)
        self._memory.remember(sight.name, baseline)
        return export.warnings
