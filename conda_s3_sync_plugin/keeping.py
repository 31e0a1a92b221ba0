"""The history: what is overwritten, anywhere, has to be in it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lockfile import render_lock
from .models import Document
from .observe import Here

if TYPE_CHECKING:
    from datetime import datetime

    from .models import Export
    from .observe import Fetched, Sight
    from .protocols import Store


class Keeper:
    """Put versions into the history, before what overwrites them.

    `pull_only`: what others wrote is left to those who write to the bucket anyway.
    """

    def __init__(self, store: Store, platform: str, *, pull_only: bool) -> None:
        self._store, self._platform = store, platform
        self._pull_only = pull_only

    def publish(self, name: str, export: Export, modified: datetime) -> Document:
        """Write the lock and the history entry of what an environment is."""
        file = export.file
        body = render_lock(export.lock)
        self._store.put_lock(name, file.digest, self._platform, body)
        document = Document(file.body, file.digest, modified, self._platform)
        self._store.keep(name, document)
        return document

    def keep_local(self, sight: Sight) -> None:
        """Keep what is going to be overwritten here, unless it was in step."""
        here, old = sight.here, sight.baseline
        if not isinstance(here, Here) or here.export is None:
            return
        if old is None or old.local != here.version.digest:
            self.publish(sight.name, here.export, here.version.modified)

    def keep_foreign(self, name: str, fetched: Fetched) -> bool:
        """Keep what another program wrote: it does not do that itself.

        Return whether the history has the version now.
        """
        if fetched.remote.foreign and self._pull_only:
            return False
        if fetched.remote.foreign:
            self.keep(name, fetched)
        return True

    def keep(self, name: str, fetched: Fetched) -> None:
        """Keep what is in the bucket."""
        remote, digest = fetched.remote, fetched.file.digest
        document = Document(remote.body, digest, remote.modified, remote.platform)
        self._store.keep(name, document)
