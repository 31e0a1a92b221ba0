"""Deletions that travel: stated in the history first, and never of what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alteration import Alteration
from .models import Document
from .observe import read
from .versions import Kind

if TYPE_CHECKING:
    from .keeping import Keeper
    from .observe import Here, Sight, There
    from .session import Session

#: What an object of a deletion holds, for people who look into the bucket.
_BODY = b"This version of the environment was deleted on purpose.\n"


class Remover:
    """Remove environments from one side, because they were removed from the other."""

    def __init__(self, session: Session, keeper: Keeper) -> None:
        self._session, self._keeper = session, keeper

    def delete_remote(self, sight: Sight, there: There) -> tuple[str, ...]:
        """State that a version was deleted, and delete its file in the bucket."""
        name, digest, store = sight.name, there.version.digest, self._session.store
        moment = self._session.moment_after(store.history(name))
        platform = self._session.engine.platform
        statement = Document(_BODY, digest, moment, platform)
        store.keep(name, statement, Kind.DELETED)
        store.delete(name, etag=there.etag)
        self._session.memory.remember(name, None)
        return self._way_back(name)

    def delete_local(self, sight: Sight, here: Here) -> tuple[str, ...]:
        """Remove an environment here; the history has it, or it gets it now."""
        session, name, env = self._session, sight.name, here.env
        history = session.store.history(name)
        kept = {item.digest for item in history if item.kind is not Kind.DELETED}
        if here.version.digest[:12] not in kept:
            export = read(session.engine, env, sight.elsewhere)
            self._keeper.publish(name, export, here.version.modified)
        alteration = Alteration(session, sight, env.prefix, here.version.modified)
        with alteration.noting_failure():
            session.engine.remove(name, env.prefix, begin=alteration.begin)
        session.memory.remember(name, None)
        return self._way_back(name)

    def _way_back(self, name: str) -> tuple[str, ...]:
        return (f"to bring it back: {self._session.command} --restore {name}",)
