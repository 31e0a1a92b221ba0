"""Writes that do not race: each replaces just what was seen, or does not happen.

S3 takes conditions for that, and other servers take them in ways of their own. What a
server really does about them is found out once, and a lost reply is not taken for a
lost race: each write has an id, by which the writer knows it again.
"""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from .bucket import SHA256, WRITE_ID, bare
from .exceptions import RemoteChangedError
from .retry import TRIES, pause, unsettled
from .words import Conditions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .bucket import Bucket

#: The ETag of no object.
_STALE = "0" * 32


class ConditionalWriter:
    """Replace objects of a bucket only as they were seen; threads may share it."""

    def __init__(self, bucket: Bucket, probe_key: str) -> None:
        #: How the server takes conditions; None: not known yet.
        self.conditions: Conditions | None = None
        self._bucket = bucket
        self._probe_key = probe_key
        self._probing = Lock()

    def write(
        self, doing: str, request: Mapping[str, Any], *, replaces: str | None
    ) -> str:
        """Write an object in place of the version with this ETag; return the new one.

        `replaces` is None where there must be no object yet. Raise RemoteChangedError
        where it is not so, and StoreError; `doing` completes "Cannot ..." in both.
        """
        with self._bucket.translated(doing, "s3:PutObject and s3:GetObject"):
            form = self._form()
            for attempt in range(TRIES):
                if form is Conditions.NONE:
                    return self._write_compared(doing, request, replaces)
                status, answer = self._bucket.put(request, _condition(replaces, form))
                if status == HTTPStatus.OK:
                    return self._accept(doing, request, answer, form)
                if status == HTTPStatus.NOT_IMPLEMENTED:
                    form = self.conditions = Conditions.NONE
                    continue
                if status == HTTPStatus.NOT_FOUND:  # and who may not list gets 403 then
                    raise _changed(doing)
                there = self._bucket.head(request["Key"])
                if there and _is_own(there, request):  # written, but the reply was lost
                    return bare(there["ETag"])
                if _etag(there) != replaces:
                    raise _changed(doing)
                if status == HTTPStatus.PRECONDITION_FAILED and replaces:
                    form = self._other_form(form)
                pause(attempt)
        raise unsettled(doing)

    def add(self, doing: str, request: Mapping[str, Any]) -> bool:
        """Write an object, unless there is one already; return whether it was.

        Raise StoreError.
        """
        with self._bucket.translated(doing, "s3:PutObject"):
            if self._form() is Conditions.NONE and self._bucket.head(request["Key"]):
                return False  # the condition might be ignored
        return self._bucket.add(doing, request)

    def renew(self, doing: str, request: Mapping[str, Any]) -> None:
        """Write an object, unless the very same is there already; raise StoreError."""
        if self.add(doing, request):
            return
        with self._bucket.translated(doing, "s3:PutObject and s3:GetObject"):
            there = self._bucket.head(request["Key"])
            if there and there["Metadata"].get(SHA256) == request["Metadata"][SHA256]:
                return
            status, _ = self._bucket.put(request, {})
        if status != HTTPStatus.OK:
            raise unsettled(doing)

    def delete(self, doing: str, key: str, *, etag: str) -> None:
        """Delete an object while it is the version with this ETag; one that is gone is.

        Not every server heeds a condition here, so that it is compared first. Raise
        RemoteChangedError, and StoreError.
        """
        form = self.conditions or Conditions.QUOTED
        for attempt in range(TRIES):
            with self._bucket.translated(doing, "s3:GetObject"):
                there = self._bucket.head(key)
            if there is None:
                return
            if _etag(there) != etag:
                raise _changed(doing)
            condition = {} if form is Conditions.NONE else _condition(etag, form)
            status = self._bucket.delete(doing, key, condition)
            if status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
                return
            if status == HTTPStatus.NOT_IMPLEMENTED:
                form = Conditions.NONE
            elif status == HTTPStatus.PRECONDITION_FAILED:
                form = self._other_form(form)
            pause(attempt)
        raise unsettled(doing)

    def _accept(
        self,
        doing: str,
        request: Mapping[str, Any],
        answer: Mapping[str, Any],
        form: Conditions,
    ) -> str:
        if self._bucket.endpoint and answer.get("VersionId"):
            # In versioned buckets off AWS, several writers may pass one condition.
            self.conditions = Conditions.NONE
            return self._confirm(doing, request)
        self.conditions = form
        return bare(answer["ETag"])

    def _write_compared(
        self, doing: str, request: Mapping[str, Any], replaces: str | None
    ) -> str:
        """Compare, write, compare: races are not prevented, but noticed by losers."""
        if _etag(self._bucket.head(request["Key"])) != replaces:
            raise _changed(doing)
        status, _ = self._bucket.put(request, {})
        if status != HTTPStatus.OK:
            raise unsettled(doing)
        return self._confirm(doing, request)

    def _confirm(self, doing: str, request: Mapping[str, Any]) -> str:
        there = self._bucket.head(request["Key"])
        if there is None or not _is_own(there, request):
            raise _changed(doing)
        return bare(there["ETag"])

    def _form(self) -> Conditions:
        """Return how the server takes conditions; the first caller finds it out."""
        if not self._bucket.endpoint:
            return Conditions.QUOTED  # AWS: documented, and never probed
        with self._probing:
            if self.conditions is None:
                self.conditions = self._probe()
            return self.conditions

    def _other_form(self, form: Conditions) -> Conditions:
        """Choose what to try after a refusal though nothing has changed.

        Some servers take ETags only without quotes; with versioning, not even those.
        """
        if not self._bucket.endpoint:
            return form
        return Conditions.BARE if form is Conditions.QUOTED else Conditions.NONE

    def _probe(self) -> Conditions:
        """Try conditions out on an object of its own.

        It stays, because deleting takes another permission; and all machines write the
        same into it, so that they do not disturb each other.
        """
        content = b"How does this server take conditions?\n"
        request = self._bucket.request(self._probe_key, content, "text/plain", {})
        # What is concluded is for good.
        disturbed = unsettled("find out how this server takes conditions")

        def accepts(etag: str | None, form: Conditions) -> bool | None:
            """Tell what a condition does; None: nothing to rely on."""
            for attempt in range(TRIES):
                status, answer = self._bucket.put(request, _condition(etag, form))
                if status != HTTPStatus.CONFLICT:
                    break
                pause(attempt)  # others may be probing at the same moment
            else:
                raise disturbed
            if status == HTTPStatus.NOT_IMPLEMENTED or answer.get("VersionId"):
                return None
            return status == HTTPStatus.OK

        if accepts(None, Conditions.QUOTED) is None:
            return Conditions.NONE
        # It exists by now, whoever made it: both of these have to be refused.
        for etag in (None, _STALE):
            if accepts(etag, Conditions.QUOTED) is not False:
                return Conditions.NONE
        current = _etag(self._bucket.head(self._probe_key))
        if current is None:
            raise disturbed
        for form in (Conditions.QUOTED, Conditions.BARE):
            if accepts(current, form):
                return form
        return Conditions.NONE


def _condition(etag: str | None, form: Conditions) -> dict[str, str]:
    if etag is None:
        return {"IfNoneMatch": "*"}
    return {"IfMatch": etag if form is Conditions.BARE else f'"{etag}"'}


def _etag(there: Mapping[str, Any] | None) -> str | None:
    return None if there is None else bare(there["ETag"])


def _is_own(there: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return bool(there["Metadata"].get(WRITE_ID) == request["Metadata"][WRITE_ID])


def _changed(doing: str) -> RemoteChangedError:
    return RemoteChangedError(f"Cannot {doing}: another writer was faster.")
