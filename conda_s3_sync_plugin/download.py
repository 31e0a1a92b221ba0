"""Getting what a pull needs: the environment file, and its lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exceptions import EnvFileError, RemoteChangedError
from .lockfile import parse_lock
from .observe import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable

    from .models import EnvFile, Lock
    from .observe import There
    from .protocols import Store


@dataclass(frozen=True, slots=True)
class Download:
    """All that a pull needs from the bucket."""

    fetched: Fetched
    lock: Lock | None
    #: What was wrong with the lock, in words.
    notes: tuple[str, ...] = ()


def download_version(
    store: Store,
    name: str,
    there: There,
    platform: str,
    parse: Callable[[bytes], EnvFile],
) -> Download:
    """Get a file, unless observing has it, and its lock; raise RemoteChangedError.

    The lock is the one for this platform, or else for where the file was made.
    """
    fetched = there.fetched
    if fetched is None:
        remote = store.get(name)
        if remote is None or remote.etag != there.etag:
            raise RemoteChangedError(f"{name} has just changed in the bucket.")
        fetched = Fetched(remote, parse(remote.body))
    digest = fetched.file.digest
    notes: list[str] = []
    for place in filter(None, dict.fromkeys((platform, fetched.remote.platform))):
        try:
            body = store.get_lock(name, digest, place)
            if body is not None:
                lock = parse_lock(body, digest=digest, platform=place)
                return Download(fetched, lock, tuple(notes))
        except EnvFileError as error:
            notes.append(f"{error.summary} It was solved for anew.")
    return Download(fetched, None, tuple(notes))
