"""Deletions that travel: stated in the history first, and never of what it lacks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .alteration import Alteration
from .download import fetch
from .exceptions import EngineError, StoreError
from .models import Document
from .observe import read
from .timeline import is_deleted, last_word
from .versions import VERSIONS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .keeping import Keeper
    from .observe import Here, Sight, There
    from .session import Session
    from .versions import Kept

#: What an object of a deletion holds, for people who look into the bucket.
_BODY = b"This version of the environment was deleted on purpose.\n"


class Remover:
    """Remove environments from one side, because they were removed from the other.

    `force`: also what would be lost with them that no bucket could hold.
    """

    def __init__(self, session: Session, keeper: Keeper, *, force: bool) -> None:
        self._session, self._keeper = session, keeper
        self._force = force

    def delete_remote(self, sight: Sight, there: There) -> tuple[str, ...]:
        """State that a version was deleted, and delete its file in the bucket."""
        session, name, digest = self._session, sight.name, there.version.digest
        history = session.store.history(name)
        if not _holds(history, digest):
            # Others have written it, and nobody has kept it so far.
            self._keeper.keep(name, fetch(session, name, there))
            history = session.store.history(name)
        if not is_deleted(history, digest):  # else an earlier run has broken off here
            moment = session.moment_after(history)
            statement = Document(_BODY, digest, moment, session.engine.platform)
            session.store.keep(name, statement, Kind.DELETED)
        try:
            session.store.delete(name, etag=there.etag)
        except StoreError:
            self._take_back(name, digest)
            raise
        session.memory.remember(name, None)
        return self._way_back(name, digest)

    def _take_back(self, name: str, digest: str) -> None:
        """Discard what was stated, unless it is so: a reply may have been lost."""
        store = self._session.store
        with contextlib.suppress(StoreError):
            if store.get(name) is not None:
                word = last_word(store.history(name))
                if word and word.kind is Kind.DELETED and word.is_of(digest):
                    store.discard(name, word)

    def delete_local(self, sight: Sight, here: Here) -> tuple[str, ...]:
        """Remove an environment here; the history has it, or it gets it now."""
        session, name, env = self._session, sight.name, here.env
        is_rest = sight.baseline is not None and sight.baseline.is_interrupted
        export = read(session.engine, env, sight.elsewhere)
        if export.warnings and not (self._force or is_rest):
            raise EngineError(
                f"It stays, because something would be lost: {export.warnings[0]}",
                hint="Remove it yourself, or use --force.",
            )
        modified = session.by_the_server(here.version.modified)
        if not _holds(session.store.history(name), export.file.digest):
            self._keeper.publish(name, export, modified, Kind.ASIDE)
        old = sight.baseline.remote if sight.baseline else ""
        alteration = Alteration(session, sight, env.prefix, modified, removes=old)
        with alteration.noting_failure():
            session.engine.remove(name, env.prefix, begin=alteration.begin)
        session.memory.remember(name, None)
        # On another platform, what was here was only made from that.
        deleted = sight.baseline.remote if sight.baseline else export.file.digest
        return self._way_back(name, deleted)

    def _way_back(self, name: str, digest: str) -> tuple[str, ...]:
        return (f"to bring it back: {self._session.way_back(name, digest)}",)


def _holds(history: Iterable[Kept], digest: str) -> bool:
    """Tell whether a history has a version."""
    return any(kept.kind in VERSIONS and kept.is_of(digest) for kept in history)
