"""Stand-ins that keep the contracts of the real ones, in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING

from conda_s3_sync_plugin.archive import by_age, kept_at
from conda_s3_sync_plugin.exceptions import RemoteChangedError
from conda_s3_sync_plugin.location import ROOT, Location, name_problem
from conda_s3_sync_plugin.models import Listed, Listing, RemoteObject, Unknown
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from conda_s3_sync_plugin.models import Document
    from conda_s3_sync_plugin.versions import Kept

    #: Called with an operation of the store and the name of an environment.
    Hook = Callable[[str, str], None]


DEFAULT = Location("bucket")


@dataclass
class MemoryBucket:
    """A bucket that any number of stores share, as several machines would."""

    objects: dict[str, RemoteObject] = field(default_factory=dict)
    #: Key -> when the object was written, by the server's clock.
    written: dict[str, datetime] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    lock: Lock = field(default_factory=Lock, repr=False)

    def plant(self, key: str, body: bytes, modified: datetime | None = None) -> str:
        """Write an object as another program would, and return its ETag."""
        etag = _etag(body)
        modified = modified or self.clock()
        self.write(key, RemoteObject(etag, body, modified, foreign=True))
        return etag

    def write(self, key: str, there: RemoteObject) -> None:
        """Write an object, now."""
        self.objects[key], self.written[key] = there, self.clock()

    def add(self, key: str, there: RemoteObject) -> None:
        """Write an object, unless there is one."""
        if key not in self.objects:
            self.write(key, there)

    def keys(self) -> list[str]:
        """Return all keys."""
        return sorted(self.objects)


class MemoryStore:
    """A store in memory.

    `before` is called ahead of each operation, with its method's name and the name of
    the environment (empty for `list`): it may raise, or let another writer win a race.
    `after` is called when the operation is done: what it raises is a reply that was
    lost, or a crash. `calls` counts the operations.
    """

    def __init__(
        self,
        bucket: MemoryBucket | None = None,
        location: Location = DEFAULT,
    ) -> None:
        self.bucket = bucket or MemoryBucket()
        self.location = location
        self.conditions: Conditions | None = None
        self.ahead = timedelta(0)
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.calls: Counter[str] = Counter()
        self._keys: dict[str, str] = {}

    @property
    def identity(self) -> str:
        """Return the location: there is only one place where memory is."""
        return f"{self.location} at memory"

    def list(self) -> Listing:
        """Return all environments of the location."""
        self._begin("list")
        self._keys = {}
        found: dict[str, list[str]] = {}
        for key in sorted(self.bucket.objects):
            name = self.location.name(key)
            if key.startswith(self.location.prefix) and name is not None:
                found.setdefault(name, []).append(key)
        environments: dict[str, Listed | Unknown] = {}
        refused: dict[str, str] = {}
        for name, keys in found.items():
            if problem := "" if name == ROOT else name_problem(name):
                refused |= dict.fromkeys(keys, problem)
            elif len(keys) > 1:
                environments[name] = Unknown(
                    f"{' and '.join(keys)} are the same environment"
                )
            else:
                self._keys[name] = keys[0]
                environments[name] = Listed(self.bucket.objects[keys[0]].etag)
        self._end("list")
        return Listing(environments, refused)

    def get(self, name: str) -> RemoteObject | None:
        """Return an environment file; None: there is none."""
        self._begin("get", name)
        there = self.bucket.objects.get(self._key(name))
        self._end("get", name)
        return there

    def put(self, name: str, document: Document, *, replaces: str | None) -> str:
        """Write an environment file in place of the version with this ETag."""
        self._begin("put", name)
        written = _stored(document)
        with self.bucket.lock:
            there = self.bucket.objects.get(self._key(name))
            if (there.etag if there else None) != replaces:
                raise RemoteChangedError(f"Cannot write {name}: another was faster.")
            self.bucket.write(self._key(name), written)
        self.conditions = Conditions.QUOTED
        self._end("put", name)
        return written.etag

    def delete(self, name: str, *, etag: str) -> None:
        """Delete an environment file, if it is the version with this ETag."""
        self._begin("delete", name)
        with self.bucket.lock:
            there = self.bucket.objects.get(self._key(name))
            if there and there.etag != etag:
                raise RemoteChangedError(f"Cannot delete {name}: another was faster.")
            self.bucket.objects.pop(self._key(name), None)
        self._end("delete", name)

    def keep(self, name: str, document: Document, kind: Kind = Kind.VERSION) -> None:
        """Add a version to the history."""
        self._begin("keep", name)
        key = self.location.history_key(name, document.modified, document.digest, kind)
        self.bucket.add(key, _stored(document))
        self._end("keep", name)

    def history(self, name: str) -> tuple[Kept, ...]:
        """Return all that the history of an environment has, the oldest first."""
        self._begin("history", name)
        prefix = self.location.history_prefix(name)
        found = (
            kept_at(self.location, name, key, self.bucket.written[key])
            for key in sorted(self.bucket.objects)
            if key.startswith(prefix)
        )
        self._end("history", name)
        return tuple(sorted(filter(None, found), key=by_age))

    def get_kept(self, name: str, kept: Kept) -> RemoteObject | None:
        """Return a version in the history, or a statement; None: it is gone."""
        self._begin("get_kept", name)
        return self.bucket.objects.get(kept.key)

    def discard(self, name: str, kept: Kept) -> None:
        """Delete an object from the history."""
        self._begin("discard", name)
        self.bucket.objects.pop(kept.key, None)
        self._end("discard", name)

    def get_lock(self, name: str, digest: str, platform: str) -> bytes | None:
        """Return the lock of one version for one platform; None: there is none."""
        self._begin("get_lock", name)
        there = self.bucket.objects.get(self.location.lock_key(name, digest, platform))
        self._end("get_lock", name)
        return there.body if there else None

    def put_lock(
        self,
        name: str,
        digest: str,
        platform: str,
        body: bytes,
        *,
        renew: bool = False,
    ) -> None:
        """Add a lock, or renew it."""
        self._begin("put_lock", name)
        key = self.location.lock_key(name, digest, platform)
        stored = RemoteObject(_etag(body), body, self.bucket.clock(), platform)
        if renew:
            self.bucket.objects.pop(key, None)
        self.bucket.add(key, stored)
        self._end("put_lock", name)

    def versions(self, name: str) -> tuple[RemoteObject, ...]:
        """Return all versions in a history, the oldest first, without counting it."""
        folder = self.location.history_prefix(name)
        return tuple(
            self.bucket.objects[key]
            for key in sorted(self.bucket.objects)
            if key.startswith(folder) and key.endswith(".yml")
        )

    def _key(self, name: str) -> str:
        return self._keys.get(name) or self.location.key(name)

    def _begin(self, operation: str, name: str = "") -> None:
        self.calls[operation] += 1
        if self.before:
            self.before(operation, name)

    def _end(self, operation: str, name: str = "") -> None:
        if self.after:
            self.after(operation, name)


def _stored(document: Document) -> RemoteObject:
    body = document.body
    return RemoteObject(_etag(body), body, document.modified, document.platform)


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
