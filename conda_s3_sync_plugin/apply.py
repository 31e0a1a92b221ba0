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

from .download import Download, download_version
from .exceptions import (
    LocalChangedError,
    S3SyncError,
    StoreError,
)
from .location import ROOT
from .lockfile import render_lock
from .models import Action, Baseline, Document, LocalEnv
from .observe import Fetched, Here, There, read

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from datetime import datetime
    from pathlib import Path

    from .models import EnvFile, Export, Step
    from .observe import Sight
    from .protocols import Engine, Store
    from .state import Memory


#: What is left to do of a step; returns in words what differs from what was hoped for.
#: Raises RemoteChangedError or LocalChangedError where the environment is not what was
#: observed any more, and another S3SyncError where it fails.  Nothing is lost on any.
Job = Callable[[], tuple[str, ...]]


class Applier:
    """Carry out steps, each on the environment as it was observed.

    Only transfers run in threads: conda's code, and what is remembered, are for one.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        memory: Memory,
        pool: Executor,
        *,
        parse: Callable[[bytes], EnvFile],
        prune: bool,
        pull_only: bool,
    ) -> None:
        self._engine, self._store, self._memory = engine, store, memory
        self._pool = pool
        self._parse = parse
        self._prune = prune
        self._pull_only = pull_only
        self._downloads: list[tuple[Sight, Future[Download]]] = []

    def begin(self, step: Step, sight: Sight) -> Job:
        """Start the transfers of a step; return what is left to do in this thread."""
        action, here, there = step.action, sight.here, sight.there
        if action is Action.FORGET:
            return partial(self._forget, sight.name)
        if action is Action.PULL and isinstance(there, There):
            download = self._pool.submit(
                download_version,
                self._store,
                sight.name,
                there,
                self._engine.platform,
                self._parse,
            )
            self._downloads.append((sight, download))
            return lambda: self._pull(sight, download.result())
        if action is Action.PUSH and isinstance(here, Here):
            if here.export is None:
                return partial(self._push_again, sight, here)
            export = here.export
            upload = self._pool.submit(self._push, sight, here, export)
            return lambda: self._finish_push(sight, here, export, upload.result())
        if action in (Action.NOTHING, Action.ADOPT) and (
            isinstance(here, Here) and isinstance(there, There)
        ):
            return partial(self._remember, sight.name, here, there)
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
                (self._prefix(sight), lock)
                for sight, lock in pulls
                if lock and lock.platform == self._engine.platform
            ]
            if len(locks) > 1:
                self._engine.fetch(locks)

    def _forget(self, name: str) -> tuple[str, ...]:
        self._memory.remember(name, None)
        return ()

    def _remember(self, name: str, here: Here, there: There) -> tuple[str, ...]:
        """Note that both sides are in step as they are."""
        if there.fetched and not self._keep_foreign(name, there.fetched):
            return ()  # what is remembered may be overwritten: the history comes first
        baseline = Baseline(
            here.version.digest,
            here.env.stamp,
            there.version.digest,
            there.etag,
            max(here.version.modified, there.version.modified),
        )
        self._memory.remember(name, baseline)
        return ()

    def _push_again(self, sight: Sight, here: Here) -> tuple[str, ...]:
        """Push an environment that is as it was the last time, and so was not read."""
        export = read(self._engine, here.env)
        etag = self._push(sight, here, export)
        return self._finish_push(sight, here, export, etag)

    def _push(self, sight: Sight, here: Here, export: Export) -> str:
        """Write an environment to the bucket, and return the ETag of its file.

        What it replaces there is in the history first: a baseline has the ETag of only
        what was written by us, or seen and kept; anything else is kept now.
        """
        there = sight.there if isinstance(sight.there, There) else None
        if there and there.fetched:
            self._keep(sight.name, there.fetched)
        document = self._publish(sight.name, export, here.version.modified)
        replaces = there.etag if there else None
        return self._store.put(sight.name, document, replaces=replaces)

    def _finish_push(
        self, sight: Sight, here: Here, export: Export, etag: str
    ) -> tuple[str, ...]:
        digest, modified = export.file.digest, here.version.modified
        baseline = Baseline(digest, here.env.stamp, digest, etag, modified)
        self._memory.remember(sight.name, baseline)
        return export.warnings

    def _pull(self, sight: Sight, download: Download) -> tuple[str, ...]:
        """Make the environment here what the bucket says."""
        name, remote = sight.name, download.fetched.remote
        prefix = self._prefix(sight)
        is_kept = self._keep_foreign(name, download.fetched)
        self._keep_local(sight)
        has_begun = False

        def begin() -> None:
            """Note that from now on the prefix may be half of something."""
            nonlocal has_begun
            if not self._is_unchanged(sight, prefix):
                raise LocalChangedError(
                    f"{prefix} has just been changed by another program."
                )
            has_begun = True
            old = sight.baseline.local if sight.baseline else ""
            self._memory.remember(name, Baseline(old, "", "", "", remote.modified))

        file = download.fetched.file
        if file.pinned is None and not remote.foreign:
            file = replace(file, pinned=())  # ours would say
        try:
            notes = self._engine.apply(
                name,
                prefix,
                file,
                download.lock,
                modified=remote.modified,
                origin=remote.platform,
                prune=self._prune,
                begin=begin,
            )
        except BaseException:
            if has_begun:
                with contextlib.suppress(S3SyncError):
                    self._remember_failure(sight, prefix)
            raise
        notes += self._finish_pull(name, prefix, download, notes, is_kept)
        return (*download.notes, *notes)

    def _remember_failure(self, sight: Sight, prefix: Path) -> None:
        """Note what a failed pull has left: to be pulled again, and nobody's edit."""
        if self._is_unchanged(sight, prefix):
            self._memory.remember(sight.name, sight.baseline)
            return
        env = self._engine.look(sight.name, prefix)
        if isinstance(env, LocalEnv):
            digest = read(self._engine, env).file.digest
            left = Baseline(digest, env.stamp, "", "", env.modified)
            self._memory.remember(sight.name, left)

    def _finish_pull(
        self,
        name: str,
        prefix: Path,
        download: Download,
        notes: tuple[str, ...],
        is_kept: bool,
    ) -> tuple[str, ...]:
        """Learn what the environment is now, and share what a solve has found."""
        env = self._engine.look(name, prefix)
        if not isinstance(env, LocalEnv):
            raise LocalChangedError(f"{prefix} has just been removed.")
        export = read(self._engine, env)
        remote, digest = download.fetched.remote, download.fetched.file.digest
        try:
            if export.file.digest != digest and not self._pull_only:
                # Solved, not pruned, or edited meanwhile: a later pull overwrites it.
                self._publish(name, export, remote.modified)
            if not notes:
                self._share_lock(name, export, download)
        except StoreError as error:  # the environment is whole without that
            notes = (f"its lock could not be shared: {error.summary}",)
        else:
            notes = ()
        baseline = Baseline(
            export.file.digest,
            env.stamp,
            digest,
            # Without its ETag it is read again next time, and kept before a push.
            remote.etag if is_kept else "",
            remote.modified,
        )
        self._memory.remember(name, baseline)
        return notes

    def _share_lock(self, name: str, export: Export, download: Download) -> None:
        """Spare the next machine of this platform the solve, if there was one.

        Not where something was given up: the next machine has to be told, too.
        """
        platform, digest = self._engine.platform, download.fetched.file.digest
        was_locked = download.lock is not None and download.lock.platform == platform
        is_mirror = self._prune and name != ROOT
        if is_mirror and not was_locked and not self._pull_only:
            body = render_lock(replace(export.lock, digest=digest))
            self._store.put_lock(name, digest, platform, body)

    def _publish(self, name: str, export: Export, modified: datetime) -> Document:
        """Write the lock and the history entry of what an environment is."""
        file, platform = export.file, self._engine.platform
        self._store.put_lock(name, file.digest, platform, render_lock(export.lock))
        document = Document(file.body, file.digest, modified, platform)
        self._store.keep(name, document)
        return document

    def _keep_local(self, sight: Sight) -> None:
        """Put what a pull is going to overwrite into the history."""
        here, old = sight.here, sight.baseline
        if not isinstance(here, Here) or here.export is None:
            return
        if old is None or old.local != here.version.digest:
            self._publish(sight.name, here.export, here.version.modified)

    def _keep_foreign(self, name: str, fetched: Fetched) -> bool:
        """Put what another program wrote into the history: it does not do that.

        Return whether it is there now: a run that only pulls leaves that to others.
        """
        if fetched.remote.foreign and self._pull_only:
            return False
        if fetched.remote.foreign:
            self._keep(name, fetched)
        return True

    def _keep(self, name: str, fetched: Fetched) -> None:
        remote, digest = fetched.remote, fetched.file.digest
        document = Document(remote.body, digest, remote.modified, remote.platform)
        self._store.keep(name, document)

    def _prefix(self, sight: Sight) -> Path:
        if isinstance(sight.here, Here):
            return sight.here.env.prefix
        return self._engine.prefix_for(sight.name)

    def _is_unchanged(self, sight: Sight, prefix: Path) -> bool:
        env = self._engine.look(sight.name, prefix)
        if isinstance(sight.here, Here):
            return isinstance(env, LocalEnv) and env.stamp == sight.here.env.stamp
        return env is None
