"""The history: what is overwritten, anywhere, has to be in it first."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .exceptions import AccessDeniedError, StoreError
from .lockfile import render_lock
from .models import Document
from .observe import Here, There
from .versions import SHORT, Kind

if TYPE_CHECKING:
    from datetime import datetime

    from .models import Export
    from .observe import Fetched, Sight
    from .session import Session


class Keeper:
    """Put versions into the history, before what overwrites them.

    `pull_only`: what others wrote is left to those who write to the bucket anyway.
    """

    def __init__(self, session: Session, *, pull_only: bool) -> None:
        self._session, self._store = session, session.store
        self._pull_only = pull_only

    @property
    def _platform(self) -> str:
        return self._session.engine.platform

    def publish(
        self,
        name: str,
        export: Export,
        modified: datetime,
        kind: Kind = Kind.VERSION,
    ) -> Document:
        """Write the lock and the history entry of what an environment is."""
        file = export.file
        self._put_lock(name, export)
        document = Document(file.body, file.digest, modified, self._platform)
        self._store.keep(name, document, kind)
        return document

    def keep_requests(self, name: str, export: Export) -> bool:
        """Let its lock ask for what is asked for by now, of the same packages.

        Return whether it does.
        """
        if not self._pull_only:
            self._put_lock(name, export)
        return not self._pull_only

    def _put_lock(self, name: str, export: Export) -> None:
        """Write a lock, in place of one that asks for something else."""
        digest, body = export.file.digest, render_lock(export.lock)
        self._store.put_lock(name, digest, self._platform, body, renew=True)

    def copy_locks(self, old: str, new: str, digest: str) -> None:
        """Let an environment of a new name have the locks of all platforms."""
        with contextlib.suppress(StoreError):  # other platforms can solve for it, too
            for kept in self._store.history(old):
                if kept.kind is Kind.LOCK and kept.is_of(digest):
                    body = self._store.get_lock(old, digest, kept.platform)
                    if body is not None:
                        self._store.put_lock(new, digest, kept.platform, body)

    def keep_local(self, sight: Sight, *, is_loser: bool = False) -> tuple[str, ...]:
        """Keep what is going to be replaced here, unless it is in the bucket as it is.

        Return in words where one that has lost a conflict is to be found.
        """
        session, here = self._session, sight.here
        if not isinstance(here, Here):
            return ()
        digest = here.version.digest
        if self._may_be_lacking(sight, digest):
            export = here.read(session.engine, sight.elsewhere)
            modified = session.by_the_server(here.version.modified)
            kind = Kind.LOSER if is_loser else Kind.ASIDE
            try:
                self.publish(sight.name, export, modified, kind)
            except AccessDeniedError:
                # Who only pulls need not be able to write what others wrote.
                if sight.changed_here or not self._pull_only:
                    raise
        return self._whereabouts(sight.name, digest) if is_loser else ()

    def _may_be_lacking(self, sight: Sight, digest: str) -> bool:
        """Tell whether the history may not have what is here."""
        old = sight.baseline
        if old is None:
            return True
        was_kept = bool(old.etag) or not old.remote
        if digest == old.remote:
            return not was_kept
        # What was solved for this platform could perhaps not be kept at the time.
        return sight.changed_here or not (self._pull_only and was_kept)

    def keep_remote(self, sight: Sight, *, is_loser: bool = False) -> tuple[str, ...]:
        """Keep what is going to be overwritten in the bucket, unless it was in step.

        A baseline has the ETag of only what was written by us, or seen and kept. Return
        in words where one that has lost a conflict is to be found.
        """
        there = sight.there
        if not isinstance(there, There) or not there.fetched:
            return ()
        self.keep(sight.name, there.fetched)
        if not is_loser:
            return ()
        self.keep(sight.name, there.fetched, Kind.LOSER)
        return self._whereabouts(sight.name, there.version.digest)

    def _whereabouts(self, name: str, digest: str) -> tuple[str, ...]:
        return (
            f"the other version is kept as {digest[:SHORT]}; see it: "
            f"{self._session.way_to_history(name)}",
            f"and to bring it back: {self._session.way_back(name, digest)}",
        )

    def keep_foreign(
        self, name: str, fetched: Fetched, *, is_back: bool = False
    ) -> bool:
        """Keep what another program wrote: it does not do that itself.

        `is_back`: also what the history states to be deleted. That has failed then, and
        who may not delete could not take it back. Return whether the history has the
        version now.
        """
        remote = fetched.remote
        if self._pull_only or not (remote.foreign or is_back):
            return not remote.foreign
        modified = self._session.moment_of(name, remote.modified)
        if remote.foreign or modified != remote.modified:
            remote = replace(remote, modified=modified)
            self.keep(name, replace(fetched, remote=remote))
        return True

    def keep(self, name: str, fetched: Fetched, kind: Kind = Kind.VERSION) -> None:
        """Keep what is in the bucket."""
        remote, digest = fetched.remote, fetched.file.digest
        document = Document(remote.body, digest, remote.modified, remote.platform)
        self._store.keep(name, document, kind)
