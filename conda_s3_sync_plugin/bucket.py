"""One bucket: requests whose answers are complete, verified, and told in plain words.

Keys and bytes only: what they mean is the business of the store above.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .exceptions import AccessDeniedError, EnvFileError, StoreError
from .retry import TRIES, pause, unsettled
from .s3client import connect
from .s3errors import (
    Operation,
    error_status,
    is_absence,
    is_foreign,
    of_s3,
    refusal,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from botocore.client import BaseClient

    from .location import Location
    from .s3client import Access, Connection

#: What is read into memory, in bytes. An environment file has some KiB, and a lock with
#: thousands of packages 2 MiB.
LIMIT = 10 * 2**20

#: How a writer knows its own write again when the reply was lost.
WRITE_ID = "conda-env-write-id"

#: Where we have written an object: metadata goes along when others copy it elsewhere.
_PLACE = "conda-env-key"

#: Of the body, as we have written it.
SHA256 = "conda-env-sha256"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the bucket, as one answer gave it."""

    etag: str
    body: bytes
    metadata: Mapping[str, str]
    #: UTC, by the server's clock.
    last_modified: datetime


class Bucket:
    """The objects of one bucket: costs nothing to make, and threads may share it.

    Every method raises StoreError; reading raises EnvFileError for what is too large or
    damaged. `doing` completes "Cannot ..." in its message.
    """

    def __init__(self, location: Location, access: Access) -> None:
        self._location = location
        self._access = access
        self._made: Connection | None = None
        self._making = Lock()
        #: How far our clock is ahead of the server's, as the last listing has told.
        self.ahead = timedelta(0)

    @property
    def endpoint(self) -> str:
        """Return the address of the server; empty: AWS."""
        return self._connection.endpoint

    def list(
        self, doing: str, prefix: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the entries right below the location, or what keys begin with there.

        Not those in folders below that.
        """
        with self.translated(doing, "s3:ListBucket"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._location.bucket,
                Prefix=self._location.prefix if prefix is None else prefix,
                Delimiter="/",
            )
            for page in pages:
                self._read_clock(page)
                if "IsTruncated" not in page:
                    # Without this, any XML would pass for an empty bucket.
                    raise StoreError(
                        f"Cannot {doing}: the answer is no listing of S3.",
                        hint="Check the endpoint URL.",
                    )
                yield from page.get("Contents", ())

    def _read_clock(self, answer: Mapping[str, Any]) -> None:
        """Compare the clocks: a Date has whole seconds, and an answer takes time."""
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        try:
            told = parsedate_to_datetime(headers.get("date", ""))
        except (TypeError, ValueError):  # not every server tells
            return
        now = datetime.now(timezone.utc)
        if told.tzinfo:
            self.ahead = now - told

    def delete(self, doing: str, key: str, condition: Mapping[str, str]) -> int:
        """Delete an object; return the HTTP status, as `put` does."""
        with self.translated(doing, "s3:DeleteObject"):
            try:
                self._client.delete_object(
                    Bucket=self._location.bucket, Key=key, **condition
                )
            except self._client.exceptions.ClientError as error:
                return refusal(error)
            return HTTPStatus.OK

    def read(self, doing: str, key: str) -> Stored | None:
        """Return an object, complete and verified; None: there is none.

        Only what we have written can be verified: others leave no checksum of ours.
        """
        for attempt in range(TRIES):
            with self.translated(doing, "s3:GetObject"):
                answer = self._ask(self._client.get_object, key)
                if answer is None:
                    return None
                body = _receive(answer, doing)
            if body is not None:
                metadata, modified = answer["Metadata"], answer["LastModified"]
                return Stored(bare(answer["ETag"]), body, metadata, modified)
            pause(attempt)
        raise EnvFileError(
            f"Cannot {doing}: what arrives is incomplete, or not what was written.",
            hint="If it stays so, the object is damaged: put a version from the "
            "history in its place, or delete it.",
        )

    def find(self, doing: str, key: str) -> Stored | None:
        """Read an object that need not be there; None: there is none, as far as we see.

        S3 denies access to what is missing, unless this key may be listed, too.
        """
        try:
            return self.read(doing, key)
        except AccessDeniedError:
            return None

    def head(self, key: str) -> Mapping[str, Any] | None:
        """Return what is known of an object; None: there is none.

        To be called where errors are translated, and so is `put`.
        """
        return self._ask(self._client.head_object, key)

    def put(
        self, request: Mapping[str, Any], condition: Mapping[str, str]
    ) -> tuple[int, Mapping[str, Any]]:
        """Write an object; return the HTTP status, and the answer if it is 200.

        404, 409, 412 and 501 are returned for the caller to judge.
        """
        try:
            answer = self._client.put_object(**request, **condition)
            return HTTPStatus.OK, of_s3(answer)
        except self._client.exceptions.ClientError as error:
            return refusal(error), {}

    def add(self, doing: str, request: Mapping[str, Any]) -> bool:
        """Write an object, unless there is one already; return whether it was."""
        with self.translated(doing, "s3:PutObject"):
            condition = {"IfNoneMatch": "*"}
            for attempt in range(TRIES):
                status, _ = self.put(request, condition)
                if status == HTTPStatus.OK:
                    return True
                if status == HTTPStatus.PRECONDITION_FAILED and self._has(request):
                    return False
                if status != HTTPStatus.CONFLICT:
                    condition = {}  # the same key has the same content: no harm is done
                pause(attempt)
        raise unsettled(doing)

    def _has(self, request: Mapping[str, Any]) -> bool:
        """Tell whether an object is there; who may not look takes S3 at its word."""
        try:
            return self.head(request["Key"]) is not None
        except self._client.exceptions.ClientError as error:
            if error_status(error) == HTTPStatus.FORBIDDEN:
                return True
            raise

    def request(
        self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the request that writes an object, under an id of its own."""
        ours = {
            SHA256: hashlib.sha256(body).hexdigest(),
            WRITE_ID: uuid4().hex,
            _PLACE: _short(key),
        }
        return {
            "Bucket": self._location.bucket,
            "Key": key,
            "Body": body,
            "ContentType": content_type,
            "Metadata": {**metadata, **ours},
        }

    def translated(self, doing: str, permission: str) -> AbstractContextManager[None]:
        """Turn errors of botocore into StoreErrors that say what could not be done."""
        bucket = self._location.bucket
        what = "" if permission == "s3:ListBucket" else f"/{self._location.prefix}*"
        needed = f"{permission} on arn:aws:s3:::{bucket}{what}"
        profile, region = self._access.profile, self._access.region
        return translated(
            Operation(doing, bucket, needed, self.endpoint, profile, region)
        )

    @property
    def _connection(self) -> Connection:
        with self._making:
            if self._made is None:
                self._made = connect(self._access, self._location.bucket)
            return self._made

    @property
    def _client(self) -> BaseClient:
        return self._connection.client

    def _ask(
        self, method: Callable[..., Mapping[str, Any]], key: str
    ) -> Mapping[str, Any] | None:
        try:
            answer = of_s3(method(Bucket=self._location.bucket, Key=key))
        except self._client.exceptions.ClientError as error:
            if is_absence(error):
                return None
            raise
        # As names of headers they may have come with capitals.
        metadata = {name.lower(): text for name, text in answer["Metadata"].items()}
        return {**answer, "Metadata": metadata}


def is_ours(stored: Stored, key: str) -> bool:
    """Tell whether we have written an object, at this very place."""
    return WRITE_ID in stored.metadata and stored.metadata.get(_PLACE) == _short(key)


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def bare(etag: str) -> str:
    """Return an ETag without quotes, which not all servers set in all answers."""
    return etag.strip('"')


def _receive(answer: Mapping[str, Any], doing: str) -> bytes | None:
    """Return the body of an answer to GET; None: it is not what was written."""
    announced, body = answer.get("ContentLength", 0), b""
    with closing(answer["Body"]) as stream:
        try:
            # The last, empty read is what compares the length with the announced one.
            while max(announced, len(body)) <= LIMIT and (chunk := stream.read(LIMIT)):
                body += chunk
        except Exception as error:
            # Cut off on the way: botocore retries requests, but never their bodies.
            if is_foreign(error):
                return None
            raise
    if (size := max(announced, len(body))) > LIMIT:
        raise EnvFileError(
            f"Cannot {doing}: it has {size} bytes, and {LIMIT} are allowed.",
            hint="This is no environment of yours: move it out of the way.",
        )
    # Metadata without the id was copied from an object of ours by another program.
    written = answer["Metadata"].get(SHA256) if WRITE_ID in answer["Metadata"] else None
    if written and written != hashlib.sha256(body).hexdigest():
        return None
    return body
