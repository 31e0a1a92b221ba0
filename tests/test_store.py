"""What is S3's own: requests, metadata, faults, and servers that differ from AWS."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from s3faults import Once, ignore_conditions, no_conditions, refuse_quotes

from conda_s3_sync_plugin import __version__, bucket, retry, s3client
from conda_s3_sync_plugin.exceptions import (
    EnvFileError,
    RemoteChangedError,
    StoreError,
)
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from s3server import Request, S3Server

THEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)

KEY = "team/e1.yml"


def document(text: str) -> Document:
    body = text.encode()
    return Document(body, sha256(body).hexdigest(), THEN, "linux-64")


@pytest.fixture
def location(bucket: str) -> Location:
    return Location(bucket, "team")


@pytest.fixture
def store(s3: S3Server, location: Location) -> S3Store:
    """A store that knows its server already."""
    store = S3Store(location, endpoint_url=s3.endpoint)
    store.conditions = Conditions.QUOTED
    return store


def overwrite(s3: S3Server, bucket: str) -> None:
    """Write the environment as another program would."""
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"by somebody else")


def content(s3: S3Server, bucket: str) -> bytes:
    return s3.client.get_object(Bucket=bucket, Key=KEY)["Body"].read()


def test_importing_and_making_a_store_is_cheap() -> None:
    code = (
        "import sys; from conda_s3_sync_plugin.store import S3Store;"
        "from conda_s3_sync_plugin.location import Location;"
        "S3Store(Location('b'));"
        "print([m for m in sys.modules if m.startswith(('boto', 'urllib3'))])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert out.stdout.strip() == "[]"


def test_one_request_lists_all(s3: S3Server, store: S3Store, bucket: str) -> None:
    for name in ("e1", "e2"):
        s3.client.put_object(Bucket=bucket, Key=f"team/{name}.yml", Body=b"")
        store.keep(name, document("version"))
    s3.reset()
    assert set(store.list().environments) == {"e1", "e2"}
    assert s3.counts() == {"LIST": 1}
    query = s3.requests[0].query
    assert (query["prefix"], query["delimiter"]) == ("team/", "/")
    agent = s3.requests[0].headers["user-agent"]
    assert f"conda-s3-sync-plugin/{__version__}" in agent


def test_listing_is_paged(
    s3: S3Server, store: S3Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for number in range(5):
        s3.client.put_object(Bucket=bucket, Key=f"team/e{number}.yml", Body=b"")
    assert len(store.list().environments) == 5
    assert s3.counts() == {"LIST": 3}


def test_metadata(s3: S3Server, location: Location) -> None:
    store = S3Store(location, endpoint_url=s3.endpoint, pushed_by="Zoë's box")
    written = document("content")
    store.put("e1", written, replaces=None)
    store.keep("e1", written)
    history = location.history_key("e1", THEN, written.digest)
    for key in (KEY, history):
        there = s3.client.head_object(Bucket=location.bucket, Key=key)
        metadata = there["Metadata"]
        assert len(metadata.pop("conda-env-write-id")) == 32
        assert metadata == {
            "conda-env-last-modified": "2024-05-06T07:08:09.000000+00:00",
            "conda-env-sha256": sha256(b"content").hexdigest(),
            "conda-env-digest": written.digest,
            "conda-env-platform": "linux-64",
            "conda-env-pushed-by": "Zo%C3%AB%27s%20box",
            "conda-env-key": sha256(key.encode()).hexdigest()[:16],
        }
        assert there["ContentType"] == "application/yaml"


def test_nothing_is_said_about_the_machine_by_default(
    s3: S3Server, store: S3Store
) -> None:
    store.put("e1", document("content"), replaces=None)
    assert "conda-env-pushed-by" not in s3.requests[-1].metadata


def test_other_servers_get_plain_bodies(s3: S3Server, store: S3Store) -> None:
    store.put("e1", document("content"), replaces=None)
    request = s3.requests[-1]
    assert request.body == b"content"
    assert "x-amz-trailer" not in request.headers
    assert not [name for name in request.headers if "checksum" in name]


@pytest.mark.parametrize(
    ("url", "is_heeded", "way"),
    [
        ("https://s3.example.com", True, "when_required"),
        ("https://s3.example.com", False, "when_supported"),
        ("https://s3.eu-north-1.amazonaws.com", True, "when_supported"),
    ],
    ids=["other", "ignored", "aws"],
)
@pytest.mark.parametrize("told_in", ["variable", "file"])
def test_only_aws_gets_checksums_wherever_the_server_is_named(
    url: str,
    is_heeded: bool,
    way: str,
    told_in: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if told_in == "file":
        (tmp_path / "config").write_text(f"[default]\nendpoint_url = {url}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    if not is_heeded:
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    client = s3client.connect(s3client.Access(), "bucket").client
    assert (client.meta.endpoint_url == url) is is_heeded
    assert client.meta.config.request_checksum_calculation == way


@pytest.mark.parametrize("replaced", [False, True], ids=["create", "replace"])
def test_lost_reply_of_a_write(
    s3: S3Server, store: S3Store, bucket: str, replaced: bool
) -> None:
    old = store.put("e1", document("old"), replaces=None) if replaced else None
    s3.reset()
    s3.after = Once("PUT", lambda: (500, "InternalError"))
    etag = store.put("e1", document("new"), replaces=old)
    assert s3.counts() == {"PUT": 2, "HEAD": 1}
    assert store.list().environments["e1"].etag == etag
    assert content(s3, bucket) == b"new"


def test_lost_reply_and_another_writer(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    def overwritten() -> tuple[int, str]:
        overwrite(s3, bucket)
        return 500, "InternalError"

    s3.after = Once("PUT", overwritten)
    with pytest.raises(RemoteChangedError):
        store.put("e1", document("ours"), replaces=None)
    assert content(s3, bucket) == b"by somebody else"


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
@pytest.mark.parametrize("replaced", [False, True], ids=["create", "replace"])
def test_interference_is_tried_again(
    s3: S3Server, store: S3Store, bucket: str, code: str, replaced: bool
) -> None:
    old = store.put("e1", document("old"), replaces=None) if replaced else None
    s3.before = Once("PUT", lambda: (409, code), times=2)
    store.put("e1", document("new"), replaces=old)
    assert content(s3, bucket) == b"new"


def test_interference_by_a_winner(s3: S3Server, store: S3Store, bucket: str) -> None:
    def lost() -> tuple[int, str]:
        overwrite(s3, bucket)
        return 409, "ConditionalRequestConflict"

    s3.before = Once("PUT", lost)
    with pytest.raises(RemoteChangedError):
        store.put("e1", document("ours"), replaces=None)


def test_endless_interference(
    s3: S3Server, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    s3.before = Once("PUT", lambda: (409, "ConditionalRequestConflict"), times=99)
    for write in (
        lambda: store.put("e1", document("ours"), replaces=None),
        lambda: store.keep("e1", document("ours")),
    ):
        with pytest.raises(StoreError, match="e1.*other writes"):
            write()


def test_a_refusal_to_add_what_is_not_there_is_not_believed(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    s3.before = Once("PUT", lambda: (412, "PreconditionFailed"))
    store.keep("e1", document("new"))
    assert len(s3.keys(bucket)) == 1
    # Again it is there; and who may not look has to believe that.
    s3.before = Once("HEAD", lambda: (403, "AccessDenied"))
    for heads in (1, 2):
        store.keep("e1", document("new"))
        assert s3.counts() == {"PUT": 2 + heads, "HEAD": 1 + heads}


def test_vanished_while_being_replaced(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    old = store.put("e1", document("old"), replaces=None)
    s3.client.delete_object(Bucket=bucket, Key=KEY)
    with pytest.raises(RemoteChangedError):
        store.put("e1", document("new"), replaces=old)
    assert s3.keys(bucket) == []


class Spoiler:
    """What the server sends for an object, changed on the way a number of times."""

    def __init__(
        self, app: Callable[..., Any], spoil: Callable[[bytes], bytes]
    ) -> None:
        self.app, self.spoil, self.left = app, spoil, 1

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterator[bytes]:
        body = b"".join(self.app(environ, start_response))
        if self.left and environ["REQUEST_METHOD"] == "GET":
            self.left -= 1
            body = self.spoil(body)
        yield body


@pytest.fixture
def spoil(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[bytes], bytes], int], None]:
    """Let the next answers to GET be spoiled."""
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)

    def start(change: Callable[[bytes], bytes], times: int) -> None:
        spoiler = Spoiler(s3._app, change)
        spoiler.left = times
        monkeypatch.setattr(s3, "_app", spoiler)

    return start


SPOILED = {
    "truncated": lambda body: body[: len(body) // 2],
    "corrupted": lambda body: body[:-1] + b"X",
}


@pytest.mark.parametrize("how", SPOILED)
def test_spoiled_bodies_are_read_again(
    store: S3Store, spoil: Callable[..., None], how: str
) -> None:
    store.put("e1", document("content" * 999), replaces=None)
    store.put_lock("e1", "a" * 64, "linux-64", b"lock" * 999)
    spoil(SPOILED[how], 2)
    read = store.get("e1")
    assert read is not None
    assert read.body == b"content" * 999
    spoil(SPOILED[how], 1)
    assert store.get_lock("e1", "a" * 64, "linux-64") == b"lock" * 999


@pytest.mark.parametrize("how", SPOILED)
def test_spoiled_for_ever(store: S3Store, spoil: Callable[..., None], how: str) -> None:
    store.put("e1", document("content"), replaces=None)
    spoil(SPOILED[how], 99)
    with pytest.raises(EnvFileError, match=r"e1.*incomplete, or not what was written"):
        store.get("e1")


def test_copied_metadata_makes_nothing_unreadable(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    metadata = {"conda-env-sha256": "0" * 64, "conda-env-digest": "1" * 64}
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"edited", Metadata=metadata)
    read = store.get("e1")
    assert read is not None
    assert (read.body, read.foreign) == (b"edited", True)


def test_too_large_objects_are_listed_and_refused(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    size = 10 * 2**20 + 1
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=bytes(size))
    assert "e1" in store.list().environments
    with pytest.raises(EnvFileError, match=rf"{KEY}.*{size} bytes"):
        store.get("e1")
    assert s3.counts()["GET"] == 1


DATES = {
    "2023-01-02T03:04:05.678901+00:00": (2023, 1, 2, 3, 4, 5, 678901),
    "2023-01-02T03:04:05+00:00": (2023, 1, 2, 3, 4, 5),
    "2023-01-02T03:04:05.678901": (2023, 1, 2, 3, 4, 5, 678901),
    "2023-01-02T03:04:05Z": (2023, 1, 2, 3, 4, 5),
    "2023-01-02T03:04:05-07:00": (2023, 1, 2, 10, 4, 5),
    "2023-01-02 03:04:05": (2023, 1, 2, 3, 4, 5),
    "yesterday": None,
    "": None,
    "Z": None,
    "0001-01-01T00:00:00+14:00": None,
    "1969-12-31T23:59:59": None,
    "9999-12-31T23:59:59-14:00": None,
    "2999-01-01T00:00:00+00:00": None,
}


@pytest.mark.parametrize("text", DATES)
def test_dates_in_metadata(
    s3: S3Server, store: S3Store, bucket: str, text: str
) -> None:
    metadata = {"conda-env-last-modified": text}
    s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"x", Metadata=metadata)
    by_server = s3.client.head_object(Bucket=bucket, Key=KEY)["LastModified"]
    expected = DATES[text]
    read = store.get("e1")
    assert read is not None
    assert read.modified == (
        datetime(*expected, tzinfo=timezone.utc) if expected else by_server
    )
    assert read.modified.utcoffset() == timedelta(0)


def test_a_clock_may_be_somewhat_ahead(
    s3: S3Server, store: S3Store, bucket: str
) -> None:
    for minutes, is_believed in ((10, True), (30, False)):
        told = datetime.now(timezone.utc) + timedelta(minutes=minutes)
        metadata = {"conda-env-last-modified": told.isoformat()}
        s3.client.put_object(Bucket=bucket, Key=KEY, Body=b"x", Metadata=metadata)
        read = store.get("e1")
        assert read is not None
        assert (read.modified == told) is is_believed


def fresh(s3: S3Server, location: Location) -> S3Store:
    """A store that still has to find out about its server."""
    return S3Store(location, endpoint_url=s3.endpoint)


def test_aws_is_not_probed(
    s3: S3Server, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3client, "_AWS", ("127.0.0.1",))
    store = fresh(s3, location)
    etag = store.put("e1", document("one"), replaces=None)
    store.put("e1", document("two"), replaces=etag)
    assert [request.condition for request in s3.requests] == [
        "If-None-Match: *",
        f'If-Match: "{etag}"',
    ]
    assert store.identity == str(location)


def test_other_servers_are_probed_once(s3: S3Server, location: Location) -> None:
    store = fresh(s3, location)
    with ThreadPoolExecutor(8) as pool:
        etags = pool.map(
            lambda number: store.put(f"e{number}", document("x"), replaces=None),
            range(8),
        )
        assert all(etags)
    assert store.conditions is Conditions.QUOTED
    probes = [request for request in s3.requests if request.key == location.probe_key]
    assert [request.verb for request in probes] == ["PUT", "PUT", "PUT", "HEAD", "PUT"]
    assert store.identity == f"{location} at {s3.endpoint}"


@pytest.mark.parametrize("known", [None, Conditions.QUOTED])
@pytest.mark.parametrize(
    ("hook", "found"),
    [(refuse_quotes, Conditions.BARE), (no_conditions, Conditions.NONE)],
)
def test_servers_of_their_own_kind(
    s3: S3Server,
    location: Location,
    hook: Callable[[Request], tuple[int, str] | None],
    found: Conditions,
    known: Conditions | None,
) -> None:
    s3.before = hook
    store = fresh(s3, location)
    store.conditions = known
    store.keep("e1", document("one"))
    first = store.put("e1", document("one"), replaces=None)
    second = store.put("e1", document("two"), replaces=first)
    assert store.conditions is found
    with pytest.raises(RemoteChangedError):
        store.put("e1", document("three"), replaces=first)
    assert store.list().environments["e1"].etag == second


@pytest.fixture
def careless(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A server that does not know of conditions, and does not say so."""
    ignore_conditions(s3, monkeypatch)
    return s3


def test_others_who_probe_at_the_same_moment_do_not_mislead(
    s3: S3Server, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    # As Ceph 20 does while another write with the same condition is on its way.
    interfered = Once("PUT", lambda: (409, "ConcurrentModification"), 3)

    def interfere(request: Request) -> tuple[int, str] | None:
        is_met = request.condition and "If-Match" in request.condition
        is_met = is_met and "00000000" not in request.condition
        return interfered(request) if is_met and "/.probe" in request.path else None

    s3.before = interfere
    store = fresh(s3, location)
    store.put("e1", document("one"), replaces=None)
    assert store.conditions is Conditions.QUOTED
    assert interfered.left == 0
    interfered.left = 99
    store = fresh(s3, location)
    with pytest.raises(StoreError, match="how this server takes conditions"):
        store.put("e2", document("one"), replaces=None)
    assert store.conditions is None


def test_a_careless_server_is_found_out(careless: S3Server, location: Location) -> None:
    store = fresh(careless, location)
    first = store.put("e1", document("one"), replaces=None)
    assert store.conditions is Conditions.NONE
    overwrite(careless, location.bucket)
    for replaces in (None, first):
        with pytest.raises(RemoteChangedError):
            store.put("e1", document("two"), replaces=replaces)
    assert content(careless, location.bucket) == b"by somebody else"


def test_a_careless_server_overwrites_neither_history_nor_locks(
    careless: S3Server, location: Location
) -> None:
    for text in ("one", "two"):
        store = fresh(careless, location)
        store.keep("e1", Document(text.encode(), "ab" * 32, THEN))
        store.put_lock("e1", "ab" * 32, "linux-64", text.encode())
    assert store.get_lock("e1", "ab" * 32, "linux-64") == b"one"
    (kept,) = (kept for kept in store.history("e1") if kept.kind is Kind.VERSION)
    read = store.get_kept("e1", kept)
    assert read is not None
    assert read.body == b"one"


def test_a_probe_that_is_disturbed_says_nothing_of_the_server(
    s3: S3Server, location: Location
) -> None:
    store = S3Store(location, endpoint_url=s3.endpoint)
    s3.before = Once("HEAD", lambda: (404, "NoSuchBucket"))
    with pytest.raises(StoreError, match="how this server takes conditions"):
        store.put("e1", document("new"), replaces=None)
    assert store.conditions is None
    store.put("e1", document("new"), replaces=None)
    assert store.conditions is Conditions.QUOTED


def test_a_race_is_noticed_afterwards(careless: S3Server, location: Location) -> None:
    store = fresh(careless, location)
    store.conditions = Conditions.NONE
    careless.after = Once("PUT", lambda: overwrite(careless, location.bucket))
    with pytest.raises(RemoteChangedError):
        store.put("e1", document("ours"), replaces=None)


@pytest.mark.parametrize("known", [None, Conditions.QUOTED])
def test_versioned_buckets_off_aws_are_not_trusted(
    s3: S3Server, location: Location, known: Conditions | None
) -> None:
    s3.client.put_bucket_versioning(
        Bucket=location.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    store = fresh(s3, location)
    store.conditions = known
    store.put("e1", document("one"), replaces=None)
    assert store.conditions is Conditions.NONE


def test_the_client_is_made_once(
    s3: S3Server, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    connect = bucket.connect
    monkeypatch.setattr(
        bucket, "connect", lambda *args: made.append(args) or connect(*args)
    )
    store = fresh(s3, location)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(store.get, ["e1"] * 8)) == [None] * 8
    assert len(made) == 1


def test_a_lock_that_may_not_be_seen_is_none(s3: S3Server, store: S3Store) -> None:
    s3.before = lambda _: (403, "AccessDenied")
    assert store.get_lock("e1", "a" * 64, "linux-64") is None
    s3.before = lambda _: (403, "InvalidAccessKeyId")
    with pytest.raises(StoreError, match="access key"):
        store.get_lock("e1", "a" * 64, "linux-64")
