"""Carrying out one step: push, pull, or just remember.

The order of the writes is what keeps versions from being lost: the history always comes
before what it protects, the file in the bucket after all that belongs to it, and the
baseline last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .envfile import parse, parse_lock, render_lock
from .exceptions import (
    EnvFileError,
    LocalChangedError,
    RemoteChangedError,
    S3SyncError,
    StoreError,
)
from .location import ROOT
from .models import Action, Baseline, Document, LocalEnv, Version

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from datetime import datetime

    from .models import EnvFile, Export, Lock, RemoteObject, Step
    from .observe import Sight
    from .protocols import Engine, Store
    from .state import Memory


#: What is left to do of a step; returns in words what differs from what was hoped for.
#: Raises RemoteChangedError or LocalChangedError where the environment is not what was
#: observed any more, and another S3SyncError where it fails.  Nothing is lost on any.
Job = Callable[[], tuple[str, ...]]

#: What only has to be remembered.
_SILENT = (Action.NOTHING, Action.ADOPT, Action.FORGET)


@dataclass(frozen=True, slots=True)
class _Download:
    """All that a pull needs from the bucket."""

    sight: Sight
    lock: Lock | None
    notes: tuple[str, ...]


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
        prune: bool,
        pull_only: bool,
    ) -> None:
        self._engine, self._store, self._memory = engine, store, memory
        self._pool = pool
        self._prune = prune
        self._pull_only = pull_only
        self._downloads: list[Future[_Download]] = []

    def begin(self, step: Step, sight: Sight) -> Job:
        """Start the transfers of a step; return what is left to do in this thread."""
        if step.action in _SILENT:
            return lambda: self._remember(sight)
        if step.action is Action.PULL:
            download = self._pool.submit(self._download, sight)
            self._downloads.append(download)
            return lambda: self._pull(download.result())
        if step.action is Action.PUSH and (export := sight.export):
            upload = self._pool.submit(self._push, sight, export)
            return lambda: self._finish_push(sight, export, upload.result())
        if step.action is Action.PUSH:
            return lambda: self._push_again(sight)
        return tuple

    def fetch_ahead(self) -> None:
        """Fetch the packages of all pulls at once, as far as their locks tell them."""
        locks = []
        for download in self._downloads:
            if download.exception() is None and (lock := download.result().lock):
                locks.append(lock)
        locks = [lock for lock in locks if lock.platform == self._engine.platform]
        if len(locks) > 1:
            # Only a head start: whatever fails now fails again where it is told.
            with contextlib.suppress(S3SyncError):
                self._engine.fetch(locks)

    def _remember(self, sight: Sight) -> tuple[str, ...]:
        """Note that both sides are in step as they are; absent ones are forgotten."""
        here, there = sight.observation.local, sight.observation.remote
        if not isinstance(here, Version) or not isinstance(there, Version):
            self._memory.remember(sight.name, None)
            return ()
        if sight.env is None or sight.etag is None:
            raise AssertionError(f"two sides, but one was not seen: {sight}")
        self._keep_foreign(sight.name, sight.remote, sight.file)
        baseline = Baseline(
            here.digest,
            sight.env.stamp,
            there.digest,
            sight.etag,
            max(here.modified, there.modified),
        )
        self._memory.remember(sight.name, baseline)
        return ()

    def _push_again(self, sight: Sight) -> tuple[str, ...]:
        """Push an environment that is as it was the last time, and so was not read."""
        if sight.env is None:
            raise AssertionError(f"nothing to push: {sight}")
        export = self._engine.export(sight.env)
        return self._finish_push(sight, export, self._push(sight, export))

    def _push(self, sight: Sight, export: Export) -> str:
        """Write an environment to the bucket, and return the ETag of its file.

        What it replaces there is in the history first: it was written by us, or seen
        and kept, or it is kept now.
        """
        if sight.remote and sight.file:
            self._keep(sight.name, sight.remote, sight.file)
        document = self._publish(sight, export)
        return self._store.put(sight.name, document, replaces=sight.etag)

    def _finish_push(self, sight: Sight, export: Export, etag: str) -> tuple[str, ...]:
        if sight.env is None:
            raise AssertionError(f"nothing was pushed: {sight}")
        digest = export.file.digest
        baseline = Baseline(digest, sight.env.stamp, digest, etag, _modified(sight))
        self._memory.remember(sight.name, baseline)
        return export.warnings

    def _download(self, sight: Sight) -> _Download:
        """Get what is pulled: the file, unless observing has it, and its lock."""
        if sight.remote is None:
            remote = self._store.get(sight.name)
            if remote is None or remote.etag != sight.etag:
                raise RemoteChangedError(
                    f"{sight.name} has just changed in the bucket."
                )
            sight = replace(sight, remote=remote, file=parse(remote.body))
        try:
            return _Download(sight, self._lock(sight), ())
        except EnvFileError as error:
            return _Download(sight, None, (f"{error.summary} It was solved for anew.",))

    def _lock(self, sight: Sight) -> Lock | None:
        """Get the lock for this platform, or else for where the file was made."""
        if sight.remote is None or sight.file is None:
            return None
        digest = sight.file.digest
        platforms = dict.fromkeys((self._engine.platform, sight.remote.platform))
        for platform in filter(None, platforms):
            body = self._store.get_lock(sight.name, digest, platform)
            if body is not None:
                return parse_lock(body, digest=digest, platform=platform)
        return None

    def _pull(self, download: _Download) -> tuple[str, ...]:
        """Make the environment here what the bucket says."""
        sight = download.sight
        remote, file = sight.remote, sight.file
        if remote is None or file is None:
            raise AssertionError(f"nothing to pull: {sight}")
        self._keep_foreign(sight.name, remote, file)
        self._keep_local(sight)
        old = sight.baseline
        # From here to the end of the pull, the prefix may be half of something.
        begun = Baseline(old.local if old else "", "", "", "", remote.modified)
        self._memory.remember(sight.name, begun)
        try:
            self._check_unchanged(sight)
            notes = self._engine.apply(
                sight.name,
                sight.prefix,
                file,
                download.lock,
                modified=remote.modified,
                origin=remote.platform,
                prune=self._prune,
            )
        except BaseException:
            with contextlib.suppress(S3SyncError):
                self._remember_failure(sight)
            raise
        notes += self._finish_pull(sight, remote, file, download.lock)
        return (*download.notes, *notes)

    def _remember_failure(self, sight: Sight) -> None:
        """Note what a failed pull has left: to be pulled again, and nobody's edit."""
        env = self._engine.look(sight.name, sight.prefix)
        if self._is_unchanged(sight):
            self._memory.remember(sight.name, sight.baseline)
        elif isinstance(env, LocalEnv):
            digest = self._engine.export(env).file.digest
            left = Baseline(digest, env.stamp, "", "", env.modified)
            self._memory.remember(sight.name, left)

    def _finish_pull(
        self, sight: Sight, remote: RemoteObject, file: EnvFile, lock: Lock | None
    ) -> tuple[str, ...]:
        """Learn what the environment is now, and share what a solve has found."""
        env = self._engine.look(sight.name, sight.prefix)
        if not isinstance(env, LocalEnv):
            raise LocalChangedError(f"{sight.prefix} has just been removed.")
        export = self._engine.export(env)
        platform = self._engine.platform
        notes: tuple[str, ...] = ()
        is_mirror = self._prune and sight.name != ROOT
        if (
            is_mirror
            and not (lock and lock.platform == platform)
            and not self._pull_only
        ):
            body = render_lock(replace(export.lock, digest=file.digest))
            try:
                self._store.put_lock(sight.name, file.digest, platform, body)
            except StoreError as error:  # the environment is whole without it
                notes = (f"its lock could not be shared: {error.summary}",)
        self._memory.remember(
            sight.name,
            Baseline(
                export.file.digest, env.stamp, file.digest, remote.etag, remote.modified
            ),
        )
        return notes

    def _publish(self, sight: Sight, export: Export) -> Document:
        """Write the lock and the history entry of what an environment is."""
        file, platform = export.file, self._engine.platform
        self._store.put_lock(
            sight.name, file.digest, platform, render_lock(export.lock)
        )
        document = Document(file.body, file.digest, _modified(sight), platform)
        self._store.keep(sight.name, document)
        return document

    def _keep_local(self, sight: Sight) -> None:
        """Put what a pull is going to overwrite into the history."""
        old = sight.baseline
        if sight.export and not (old and old.local == sight.export.file.digest):
            self._publish(sight, sight.export)

    def _keep_foreign(
        self, name: str, remote: RemoteObject | None, file: EnvFile | None
    ) -> None:
        """Put what another program wrote into the history: it does not do that."""
        if remote and file and remote.foreign and not self._pull_only:
            self._keep(name, remote, file)

    def _keep(self, name: str, remote: RemoteObject, file: EnvFile) -> None:
        self._store.keep(
            name, Document(remote.body, file.digest, remote.modified, remote.platform)
        )

    def _check_unchanged(self, sight: Sight) -> None:
        if not self._is_unchanged(sight):
            raise LocalChangedError(
                f"{sight.prefix} has just been changed by another program."
            )

    def _is_unchanged(self, sight: Sight) -> bool:
        env = self._engine.look(sight.name, sight.prefix)
        if env is None or sight.env is None:
            return env is sight.env
        return isinstance(env, LocalEnv) and env.stamp == sight.env.stamp


def _modified(sight: Sight) -> datetime:
    here = sight.observation.local
    if not isinstance(here, Version):
        raise AssertionError(f"nothing here has a time: {sight}")
    return here.modified
