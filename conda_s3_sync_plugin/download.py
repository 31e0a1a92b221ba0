"""Getting what a pull needs: the environment file, and its lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exceptions import EnvFileError, RemoteChangedError
from .lockfile import parse_lock
from .observe import Fetched

if TYPE_CHECKING:
    from .models import Lock
    from .observe import There
    from .protocols import Store
    from .session import Session


@dataclass(frozen=True, slots=True)
class Download:
    """All that a pull needs from the bucket."""

    fetched: Fetched
    lock: Lock | None
    #: What was wrong with the lock, in words.
    notes: tuple[str, ...] = ()


def download(session: Session, name: str, there: There) -> Download:
    """Get a file, unless observing has it, and its lock; raise RemoteChangedError.

    The lock is the one for this platform, or else for where the file was made.
    """
    fetched = fetch(session, name, there)
    places = (session.engine.platform, fetched.remote.platform)
    notes: list[str] = []
    for place in filter(None, dict.fromkeys(places)):
        try:
            lock = read_lock(session.store, name, fetched.file.digest, place)
        except EnvFileError as error:
            notes.append(f"{error.summary} It was solved for anew.")
        else:
            if lock is not None:
                return Download(fetched, lock, tuple(notes))
    return Download(fetched, None, tuple(notes))


def fetch(session: Session, name: str, there: There) -> Fetched:
    """Get a file, unless observing has it; raise RemoteChangedError."""
    if there.fetched is not None:
        return there.fetched
    remote = session.store.get(name)
    if remote is None or remote.etag != there.etag:
        raise RemoteChangedError(f"{name} has just changed in the bucket.")
    return Fetched(remote, session.parse(remote.body))


def read_lock(store: Store, name: str, digest: str, platform: str) -> Lock | None:
    """Get the lock of a version for a platform; raise EnvFileError. None: no lock."""
    body = store.get_lock(name, digest, platform)
    if body is None:
        return None
    return parse_lock(body, digest=digest, platform=platform)
