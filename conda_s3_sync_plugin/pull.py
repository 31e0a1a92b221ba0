"""Pulling: an environment here becomes what the bucket says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .agreement import agree
from .alteration import Alteration
from .exceptions import LocalChangedError, StoreError
from .location import ROOT
from .lockfile import render_lock
from .models import Baseline
from .observe import Here
from .versions import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from .download import Download
    from .keeping import Keeper
    from .models import Applied, Export, LocalEnv
    from .observe import Sight
    from .protocols import Engine
    from .session import Session


#: Of no environment, so that it is read.
_NO_STAMP: Final = "edited"


class Puller:
    """Make environments what the bucket says, and share what a solve has found."""

    def __init__(
        self, session: Session, keeper: Keeper, *, prune: bool, pull_only: bool
    ) -> None:
        self._session = session
        self._keeper = keeper
        self._prune, self._pull_only = prune, pull_only

    def pull(
        self,
        sight: Sight,
        download: Download,
        *,
        is_conflict: bool = False,
        is_back: bool = False,
    ) -> tuple[str, ...]:
        """Make the environment here what the bucket says; return what differs.

        `is_conflict`: what is here now has lost one. `is_back`: it was removed here.
        """
        name, remote = sight.name, download.fetched.remote
        prefix = prefix_of(self._session.engine, sight)
        is_kept = self._keeper.keep_foreign(name, download.fetched, is_back=is_back)
        kept = self._keeper.keep_local(sight, is_loser=is_conflict)
        file = download.fetched.file
        if file.pinned is None and not remote.foreign:
            file = replace(file, pinned=())  # ours would say
        alteration = Alteration(self._session, sight, prefix, remote.modified)
        with alteration.noting_failure():
            applied = self._session.engine.apply(
                name,
                prefix,
                file,
                download.lock,
                modified=remote.modified,
                origin=remote.platform,
                prune=self._prune,
                begin=alteration.begin,
            )
        env, export = alteration.result(applied.elsewhere)
        # Without its ETag it is read again next time, and kept before a push.
        etag = remote.etag if is_kept else ""
        is_other = export.file.digest != download.fetched.file.digest
        if is_other and applied.builds not in (None, export.lock.builds):
            self._note_edit(sight, download, applied, prefix, etag=etag)
            raise LocalChangedError(
                f"{prefix} was changed by another program while it was pulled.",
                hint="Run the command again when that has ended.",
            )
        more = self._finish(sight, download, applied, env, export, etag=etag)
        return (*kept, *download.notes, *applied.given_up, *applied.notes, *more)

    def _finish(
        self,
        sight: Sight,
        download: Download,
        applied: Applied,
        env: LocalEnv,
        export: Export,
        *,
        etag: str,
    ) -> tuple[str, ...]:
        """Note what the environment is now, and share what a solve has found."""
        name, remote = sight.name, download.fetched.remote
        digest = download.fetched.file.digest
        notes: tuple[str, ...] = ()
        try:
            if export.file.digest != digest and not self._pull_only:
                # Solved, not pruned, or variables were set meanwhile: a later pull
                # overwrites it.
                self._keeper.publish(name, export, remote.modified, Kind.ASIDE)
            if not applied.notes:
                self._share_lock(name, export, download, applied)
        except StoreError as error:  # the environment is whole without that
            notes = (f"its lock could not be shared: {error.summary}",)
        baseline = agree(
            env,
            export,
            remote=digest,
            etag=etag,
            modified=remote.modified,
            pushes=sight.pushes,
        )
        self._session.memory.remember(name, baseline)
        return notes

    def _note_edit(
        self,
        sight: Sight,
        download: Download,
        applied: Applied,
        prefix: Path,
        *,
        etag: str,
    ) -> None:
        """Note what was pulled: what there is instead is somebody's edit of that."""
        digest = download.fetched.file.digest
        baseline = Baseline(
            local=digest,
            stamp=_NO_STAMP,
            remote=digest,
            etag=etag,
            modified=download.fetched.remote.modified,
            elsewhere=applied.elsewhere,
            pushes=sight.pushes,
            prefix=str(prefix),
        )
        self._session.memory.remember(sight.name, baseline)

    def _share_lock(
        self, name: str, export: Export, download: Download, applied: Applied
    ) -> None:
        """Spare the next machine of this platform the solve, if there was one.

        What was given up is in the lock: the next machine has to be told, too.
        """
        platform, digest = self._session.engine.platform, download.fetched.file.digest
        was_locked = download.lock is not None and download.lock.platform == platform
        is_mirror = self._prune and name != ROOT
        if is_mirror and not was_locked and not self._pull_only:
            lock = replace(export.lock, digest=digest, notes=applied.given_up)
            self._session.store.put_lock(name, digest, platform, render_lock(lock))


def prefix_of(engine: Engine, sight: Sight) -> Path:
    """Return where an environment is, or is going to be."""
    if isinstance(sight.here, Here):
        return sight.here.env.prefix
    return engine.prefix_for(sight.name)
