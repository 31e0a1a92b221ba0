"""The S3 server that `make test-s3` names: its name for this is S3_SYNC_SERVER."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True)
class Given:
    """Where it is, and the variables that log in to it; false where none is named.

    `stays`: it was there before the tests, and will be afterwards.
    """

    endpoint: str = ""
    stays: bool = False
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.endpoint)

    @property
    def host(self) -> str:
        """Its host, which must not be looked for behind a proxy."""
        return urlsplit(self.endpoint).hostname or ""


SERVER = Given(**json.loads(os.environ.get("S3_SYNC_SERVER", "{}")))


class RealServer:
    """The server as tests see it; where it stays, their buckets are removed."""

    def __init__(self) -> None:
        self.endpoint = SERVER.endpoint
        self._buckets: list[str] = []
        # Any: what boto3 makes has no type of its own.
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def __enter__(self) -> RealServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if SERVER.stays:
            for bucket in self._buckets:
                self._remove(bucket)

    def new_bucket(self, kind: str = "plain") -> str:
        """Create a bucket, `plain` or `versioned`; skip the test if it cannot be."""
        name = f"s3-sync-test-{uuid4().hex[:16]}"
        self.client.create_bucket(Bucket=name)
        self._buckets.append(name)
        if kind == "versioned":
            try:
                self.client.put_bucket_versioning(
                    Bucket=name, VersioningConfiguration={"Status": "Enabled"}
                )
                status = self.client.get_bucket_versioning(Bucket=name).get("Status")
            except self.client.exceptions.ClientError:
                status = None
            if status != "Enabled":
                pytest.skip("this server has no versioned buckets")
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return all keys in a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def versions(self, bucket: str, key: str) -> list[bytes]:
        """Return the bodies of all versions that the server itself has of a key."""
        found = self.client.list_object_versions(Bucket=bucket, Prefix=key)
        return [
            self.client.get_object(
                Bucket=bucket, Key=key, VersionId=version["VersionId"]
            )["Body"].read()
            for version in found.get("Versions", ())
        ]

    def _remove(self, bucket: str) -> None:
        try:
            for each in self._contents(bucket):
                self.client.delete_object(Bucket=bucket, **each)
            self.client.delete_bucket(Bucket=bucket)
        except self.client.exceptions.ClientError as error:
            warnings.warn(f"{bucket} is left behind: {error}", stacklevel=2)

    def _contents(self, bucket: str) -> list[dict[str, str]]:
        if not self.client.get_bucket_versioning(Bucket=bucket).get("Status"):
            return [{"Key": key} for key in self.keys(bucket)]
        pages = self.client.get_paginator("list_object_versions")
        return [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for page in pages.paginate(Bucket=bucket)
            for kind in ("Versions", "DeleteMarkers")
            for entry in page.get(kind, ())
        ]
