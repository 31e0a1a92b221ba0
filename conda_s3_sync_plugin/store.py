"""Environments as objects of S3: their keys, their metadata, their history."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from .archive import SKEW, by_age, kept_at
from .bucket import Bucket, bare, is_ours
from .conditional import ConditionalWriter
from .location import ROOT, name_problem
from .models import Listed, Listing, RemoteObject, Unknown
from .s3client import Access
from .versions import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .bucket import Stored
    from .location import Location
    from .models import Document
    from .versions import Kept
    from .words import Conditions

#: The time of the environment itself: older than any upload of it.
_MODIFIED = "conda-env-last-modified"
_DIGEST = "conda-env-digest"
_PLATFORM = "conda-env-platform"
_PUSHED_BY = "conda-env-pushed-by"

#: It becomes part of keys.
_PLATFORM_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_EPOCH = datetime.fromtimestamp(0, timezone.utc)


class S3Store:
    """One location in a bucket of S3, or of a server that speaks its language.

    Costs nothing until something is read: `list` should come first, because it knows
    under which keys environments are. Every method raises StoreError, and may be called
    by several threads at once.
    """

    def __init__(
        self,
        location: Location,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        pushed_by: str = "",
        quick: bool = False,
    ) -> None:
        self._location = location
        self._pushed_by = pushed_by
        self._bucket = Bucket(location, Access(profile, region, endpoint_url, quick))
        self._writer = ConditionalWriter(self._bucket, location.probe_key)
        #: Name -> key, where the listing has found it.
        self._keys: Mapping[str, str] = {}

    @property
    def conditions(self) -> Conditions | None:
        """How the server takes conditions; None: not known yet."""
        return self._writer.conditions

    @conditions.setter
    def conditions(self, known: Conditions | None) -> None:
        self._writer.conditions = known

    @property
    def ahead(self) -> timedelta:
        """How far our clock is ahead of the server's, once something was listed."""
        return self._bucket.ahead

    @property
    def identity(self) -> str:
        """Return what tells this location from all others, without credentials."""
        endpoint = self._bucket.endpoint
        return f"{self._location} at {endpoint}" if endpoint else str(self._location)

    def list(self) -> Listing:
        """Return all environments of the location: one request for each 1000 keys."""
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for entry in self._bucket.list(f"list the environments in {self._location}"):
            name = self._location.name(entry["Key"])
            if name is not None:
                found[name].append(entry)
        environments: dict[str, Listed | Unknown] = {}
        refused: dict[str, str] = {}
        for name, entries in found.items():
            keys = [entry["Key"] for entry in entries]
            if problem := "" if name == ROOT else name_problem(name):
                refused |= dict.fromkeys(keys, problem)
            elif len(keys) > 1:
                environments[name] = Unknown(
                    f"{' and '.join(keys)} are the same environment",
                    hint="Delete one of them in the bucket.",
                )
            else:
                environments[name] = Listed(bare(entries[0]["ETag"]))
        self._keys = {name: found[name][0]["Key"] for name in environments}
        return Listing(environments, refused)

    def get(self, name: str) -> RemoteObject | None:
        """Return an environment file; None: there is none."""
        key = self._key(name)
        stored = self._bucket.read(self._doing("read", name, key), key)
        if stored is None:
            return None
        return _remote(stored, key)

    def put(self, name: str, document: Document, *, replaces: str | None) -> str:
        """Write an environment file and return its ETag.

        `replaces`: the ETag of what it replaces, None where there must be nothing yet.
        Raise RemoteChangedError where that is not so; nothing is written then.
        """
        key = self._key(name)
        return self._writer.write(
            self._doing("write", name, key),
            self._request(key, document),
            replaces=replaces,
        )

    def delete(self, name: str, *, etag: str) -> None:
        """Delete an environment file, if it is still the version with this ETag.

        Raise RemoteChangedError where it is not; one that is gone is fine.
        """
        key = self._key(name)
        self._writer.delete(self._doing("delete", name, key), key, etag=etag)

    def keep(self, name: str, document: Document, kind: Kind = Kind.VERSION) -> None:
        """Add a version to the history; one that is there already is left alone."""
        key = self._location.history_key(name, document.modified, document.digest, kind)
        doing = self._doing("write the history of", name, key)
        self._writer.add(doing, self._request(key, document))

    def history(self, name: str) -> tuple[Kept, ...]:
        """Return all that the history of an environment has, in order of writing."""
        prefix = self._location.history_prefix(name)
        doing = self._doing("list the history of", name, prefix)
        found = (
            kept_at(self._location, name, entry["Key"], entry["LastModified"])
            for entry in self._bucket.list(doing, prefix)
        )
        return tuple(sorted(filter(None, found), key=by_age))

    def get_kept(self, name: str, kept: Kept) -> RemoteObject | None:
        """Return a version in the history, or a statement; None: it is gone."""
        doing = self._doing("read the history of", name, kept.key)
        stored = self._bucket.read(doing, kept.key)
        return _remote(stored, kept.key) if stored else None

    def discard(self, name: str, kept: Kept) -> None:
        """Delete an object from the history."""
        doing = self._doing("delete from the history of", name, kept.key)
        self._bucket.delete(doing, kept.key, {})

    def get_lock(self, name: str, digest: str, platform: str) -> bytes | None:
        """Return the lock of one version for one platform; None: there is none."""
        key = self._location.lock_key(name, digest, platform)
        stored = self._bucket.find(self._doing("read the lock of", name, key), key)
        return stored.body if stored else None

    def put_lock(
        self,
        name: str,
        digest: str,
        platform: str,
        body: bytes,
        *,
        renew: bool = False,
    ) -> None:
        """Add a lock; one that is there already is left alone, unless to `renew` it."""
        key = self._location.lock_key(name, digest, platform)
        metadata = {_DIGEST: digest, _PLATFORM: platform}
        doing = self._doing("write the lock of", name, key)
        request = self._bucket.request(key, body, "application/json", metadata)
        if renew:
            self._writer.renew(doing, request)
        else:
            self._writer.add(doing, request)

    def _key(self, name: str) -> str:
        return self._keys.get(name) or self._location.key(name)

    def _doing(self, verb: str, name: str, key: str) -> str:
        return f"{verb} environment {name} (s3://{self._location.bucket}/{key})"

    def _request(self, key: str, document: Document) -> dict[str, Any]:
        modified = document.modified.astimezone(timezone.utc)
        metadata = {
            _MODIFIED: modified.isoformat("T", "microseconds"),
            _DIGEST: document.digest,
            _PLATFORM: document.platform,
            # Metadata is ASCII, and 2 KB of it is all that AWS takes.
            _PUSHED_BY: quote(self._pushed_by[:64], safe=""),
        }
        given = {key: value for key, value in metadata.items() if value}
        return self._bucket.request(key, document.body, "application/yaml", given)


def _remote(stored: Stored, key: str) -> RemoteObject:
    platform = stored.metadata.get(_PLATFORM, "")
    return RemoteObject(
        stored.etag,
        stored.body,
        _modified(stored),
        platform if _PLATFORM_NAME.fullmatch(platform) else "",
        foreign=not is_ours(stored, key),
        pushed_by=unquote(stored.metadata.get(_PUSHED_BY, "")),
    )


def _modified(stored: Stored) -> datetime:
    """Return the time that the writer gave, if there is a believable one; else S3's."""
    text = stored.metadata.get(_MODIFIED, "").strip()
    if text[-1:] in ("Z", "z"):  # which Python reads from 3.11 on
        text = f"{text[:-1]}+00:00"
    try:
        told = datetime.fromisoformat(text)
        told = told.replace(tzinfo=told.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):  # no date, or one at the edge of the calendar
        return stored.last_modified
    if _EPOCH <= told <= stored.last_modified + SKEW:
        return told
    return stored.last_modified
