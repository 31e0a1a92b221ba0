"""Deleting on S3, whatever a server does about conditions; and S3's own histories."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from s3faults import Once, ignore_conditions, no_conditions, refuse_quotes

from conda_s3_sync_plugin import retry
from conda_s3_sync_plugin.exceptions import RemoteChangedError, StoreError
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3server import Request, S3Server

THEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)

KEY = "team/e1.yml"


def document(text: str) -> Document:
    body = text.encode()
    return Document(body, sha256(body).hexdigest(), THEN, "linux-64")


@pytest.fixture
def store(s3: S3Server, bucket: str) -> S3Store:
    """A store with one environment in it."""
    store = S3Store(Location(bucket, "team"), endpoint_url=s3.endpoint)
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"one")
    return store


def etag(s3: S3Server, bucket: str) -> str:
    """Return the ETag of the environment as it is by now."""
    return str(s3.client.head_object(Bucket=bucket, Key=KEY)["ETag"].strip('"'))


def overwrite(s3: S3Server, bucket: str) -> None:
    """Write the environment as another machine would."""
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"by somebody else")


def no_conditional_deletes(request: Request) -> tuple[int, str] | None:
    """Do as servers that know conditions of writes alone."""
    is_one = request.method == "DELETE" and request.condition
    return (501, "NotImplemented") if is_one else None


def never_met(request: Request) -> tuple[int, str] | None:
    """Refuse each condition of a deletion."""
    is_one = request.method == "DELETE" and request.condition
    return (412, "PreconditionFailed") if is_one else None


@pytest.mark.parametrize("known", [None, *Conditions])
@pytest.mark.parametrize(
    "hook", [None, refuse_quotes, no_conditions, no_conditional_deletes, never_met]
)
def test_only_what_was_seen_is_deleted_whatever_the_server_knows(
    s3: S3Server,
    store: S3Store,
    bucket: str,
    hook: Callable[[Request], tuple[int, str] | None],
    known: Conditions | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    s3.before = hook
    store.conditions = known
    seen = etag(s3, bucket)
    overwrite(s3, bucket)
    with pytest.raises(RemoteChangedError):
        store.delete("e1", etag=seen)
    assert s3.keys(bucket) == [KEY]
    store.delete("e1", etag=etag(s3, bucket))
    assert s3.keys(bucket) == []
    # What writes may rely on is found out by writing.
    assert store.conditions is known


def test_a_careless_server_is_asked_before(
    s3: S3Server, store: S3Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignore_conditions(s3, monkeypatch)
    seen = etag(s3, bucket)
    overwrite(s3, bucket)
    with pytest.raises(RemoteChangedError):
        store.delete("e1", etag=seen)
    store.delete("e1", etag=etag(s3, bucket))
    assert s3.keys(bucket) == []


def test_a_write_after_the_comparison_is_not_deleted(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    s3.before = Once("DELETE", lambda: overwrite(s3, bucket))
    with pytest.raises(RemoteChangedError):
        store.delete("e1", etag=etag(s3, bucket))
    assert s3.keys(bucket) == [KEY]


def test_a_versioned_bucket_behaves_the_same_and_keeps_what_it_had(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    s3.client.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    first = etag(s3, bucket)
    store.put("e1", document("two"), replaces=first)
    with pytest.raises(RemoteChangedError):
        store.delete("e1", etag=first)
    store.delete("e1", etag=etag(s3, bucket))
    assert store.get("e1") is None
    assert store.list().environments == {}
    store.delete("e1", etag=first)
    store.put("e1", document("three"), replaces=None)
    read = store.get("e1")
    assert read is not None
    assert read.body == b"three"
    there = s3.client.list_object_versions(Bucket=bucket, Prefix=KEY)
    assert len(there["Versions"]) == 3
    assert len(there["DeleteMarkers"]) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_is_tried_again(
    s3: S3Server, store: S3Store, bucket: str, when: str
) -> None:
    if when == "after":  # done, but the reply was lost
        s3.after = Once("DELETE", lambda: (500, "InternalError"))
    else:
        s3.before = Once("DELETE", lambda: (409, "ConditionalRequestConflict"), 2)
    store.delete("e1", etag=etag(s3, bucket))
    assert s3.keys(bucket) == []


def test_what_may_not_be_deleted_is_told_with_the_permission(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    s3.before = Once("DELETE", lambda: (403, "AccessDenied"))
    with pytest.raises(StoreError, match="delete environment e1") as caught:
        store.delete("e1", etag=etag(s3, bucket))
    assert f"s3:DeleteObject on arn:aws:s3:::{bucket}/team/*" in caught.value.hint
    s3.before = Once("DELETE", lambda: (409, "OperationAborted"), 99)
    with pytest.raises(StoreError, match="e1.*other writes"):
        store.delete("e1", etag=etag(s3, bucket))
    assert s3.keys(bucket) == [KEY]


def test_a_history_is_listed_by_its_folder_and_read_by_its_keys(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    store.keep("e1", document("one"), Kind.DELETED)
    s3.reset()
    (kept,) = store.history("e1")
    store.get_kept("e1", kept)
    store.discard("e1", kept)
    assert [request.verb for request in s3.requests] == ["LIST", "GET", "DELETE"]
    query = s3.requests[0].query
    assert (query["prefix"], query["delimiter"]) == ("team/.s3-sync/e1/", "/")
    assert s3.requests[2].condition is None


def test_who_has_written_a_version_is_told_by_it(s3: S3Server, bucket: str) -> None:
    location = Location(bucket, "team")
    store = S3Store(location, endpoint_url=s3.endpoint, pushed_by="Zoë's box")
    store.keep("e1", document("one"))
    (kept,) = store.history("e1")
    read = store.get_kept("e1", kept)
    assert read is not None
    assert read.pushed_by == "Zoë's box"


def test_of_one_moment_what_was_written_first_comes_first(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    documents = sorted(map(document, "abcd"), key=lambda item: item.digest)
    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
    for age, written in enumerate(documents):
        store.keep("e1", written)
        key = Location(bucket, "team").history_key("e1", THEN, written.digest)
        keys[key].last_modified -= timedelta(days=age)
    history = [kept.digest for kept in store.history("e1")]
    assert history == [written.digest[:12] for written in reversed(documents)]
