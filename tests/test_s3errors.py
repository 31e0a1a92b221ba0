"""Each way in which S3 can fail has a message of its own, and says what to do."""

from __future__ import annotations

import socket
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from s3faults import answering, portal
from s3server import Cut

from conda_s3_sync_plugin import s3errors
from conda_s3_sync_plugin.exceptions import StoreError
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.s3errors import Operation, translated
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.words import Conditions

if TYPE_CHECKING:
    from pathlib import Path

    from s3server import S3Server

#: Status and code of an answer -> what is said, and what is advised.
ANSWERS = {
    (404, "NoSuchBucket"): ("there is no bucket", "aws s3 mb s3://"),
    (403, "AccessDenied"): ("access is denied", "s3:ListBucket on arn:aws:s3:::bucket"),
    (403, "InvalidAccessKeyId"): ("access key", "AWS_ACCESS_KEY_ID"),
    (403, "SignatureDoesNotMatch"): ("secret key", "AWS_SECRET_ACCESS_KEY"),
    (403, "RequestTimeTooSkewed"): ("clock", "15 minutes"),
    (400, "ExpiredToken"): ("expired", "aws sso login"),
    (400, "AuthorizationHeaderMalformed"): ("another region", "AWS_DEFAULT_REGION"),
    (400, "IllegalLocationConstraintException"): ("another region", "region"),
    (503, "SlowDown"): ("busy", "Try again"),
    (429, "TooManyRequests"): ("busy", "Try again"),
    (500, "InternalError"): ("busy or out of order", "Try again"),
    (502, "BadGateway"): ("busy or out of order", "Try again"),
    (405, "MethodNotAllowed"): ("S3 refuses: by a test", "configuration"),
    (403, "QuotaExceeded"): ("S3 refuses: by a test", "configuration"),
}


def failure(store: S3Store) -> StoreError:
    """Return the error of a listing, which is one line and one hint."""
    with pytest.raises(StoreError) as caught:
        store.list()
    assert "\n" not in caught.value.summary + caught.value.hint
    assert caught.value.summary.startswith("Cannot ")
    return caught.value


@pytest.mark.parametrize(("status", "code"), ANSWERS)
def test_answers(
    s3: S3Server,
    bucket: str,
    status: int,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3.before = lambda _: (status, code)
    error = failure(S3Store(Location(bucket, "team"), endpoint_url=s3.endpoint))
    said, advised = ANSWERS[status, code]
    assert said in error.summary
    assert f"s3://{bucket}/team" in error.summary
    assert code in error.summary
    assert advised in error.hint


def test_a_wrong_region_is_set_right_where_it_was_given(
    s3: S3Server, bucket: str
) -> None:
    s3.before = lambda _: (400, "AuthorizationHeaderMalformed")
    for region, advised in (
        (None, "AWS_DEFAULT_REGION, or `region` of the profile."),
        ("eu-west-1", "--region, or s3_sync_region, which says eu-west-1."),
    ):
        location = Location(bucket, "team")
        store = S3Store(location, endpoint_url=s3.endpoint, region=region)
        assert failure(store).hint == f"Set the right region: {advised}"


def test_missing_permissions_are_named(s3: S3Server, bucket: str) -> None:
    store = S3Store(Location(bucket, "team"), endpoint_url=s3.endpoint)
    store.conditions = Conditions.QUOTED
    s3.before = lambda _: (403, "AccessDenied")
    version = Document(b"x", "a" * 64, datetime.now(timezone.utc))
    for action, permission in (
        (lambda: store.get("e1"), "s3:GetObject"),
        (lambda: store.put("e1", version, replaces=None), "s3:PutObject and s3:Get"),
        (lambda: store.keep("e1", version), "s3:PutObject"),
    ):
        with pytest.raises(StoreError, match=r"environment e1 .*denied") as caught:
            action()
        assert permission in caught.value.hint
        assert f"arn:aws:s3:::{bucket}/team/*" in caught.value.hint


def test_a_server_that_only_redirects(s3: S3Server) -> None:
    s3.before = lambda _: (301, "Moved")
    error = failure(S3Store(Location("bucket"), endpoint_url=s3.endpoint))
    assert "redirections" in error.summary
    assert "https" in error.hint


def test_busy_is_tried_again_before(s3: S3Server, bucket: str) -> None:
    left = [500, 502, 500]
    s3.before = lambda _: (left.pop(), "InternalError") if left else None
    store = S3Store(Location(bucket), endpoint_url=s3.endpoint)
    assert store.list().environments == {}
    assert s3.counts() == {"LIST": 4}


def test_no_such_bucket(s3: S3Server) -> None:
    store = S3Store(Location("nobody-has-this"), endpoint_url=s3.endpoint)
    error = failure(store)
    assert "no bucket nobody-has-this" in error.summary
    assert f"--endpoint-url {s3.endpoint}" in error.hint
    with pytest.raises(StoreError, match="no bucket"):
        store.get("e1")
    with pytest.raises(StoreError, match="no bucket"):
        store.put_lock("e1", "a" * 64, "linux-64", b"{}")


def test_nobody_is_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = failure(S3Store(Location("bucket"), endpoint_url=endpoint, quick=True))
    assert f"{endpoint} cannot be reached" in error.summary
    assert "network" in error.hint


def test_no_s3_server_is_there(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    pages = {
        "<html>Sign in, <br> please</html>": "out of order",
        "<Welcome>to the guest network</Welcome>": "no listing",
    }
    for page, said in pages.items():

        def portal(environ: object, start_response: object, page: str = page) -> object:
            start_response("200 OK", [("Content-Length", str(len(page)))])
            return [page.encode()]

        monkeypatch.setattr(s3, "_app", portal)
        error = failure(S3Store(Location("bucket"), endpoint_url=s3.endpoint))
        assert said in error.summary
        assert "endpoint" in error.hint


def test_no_s3_server_is_there_any_more(s3: S3Server, bucket: str) -> None:
    store = S3Store(Location(bucket), endpoint_url=s3.endpoint)
    store.list()
    store.conditions = Conditions.QUOTED
    version = Document(b"x", "a" * 64, datetime.now(timezone.utc))
    for action in (
        lambda: store.get("e1"),
        lambda: store.put("e1", version, replaces=None),
        lambda: store.keep("e1", version),
        lambda: store.delete("e1", etag="e"),
    ):
        with (
            answering(s3, portal),
            pytest.raises(
                StoreError, match=r"environment e1 .*(not those of|out of)"
            ) as caught,
        ):
            action()
        assert "endpoint URL" in caught.value.hint


def test_no_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    error = failure(S3Store(Location("bucket"), endpoint_url=s3.endpoint))
    assert "no complete AWS credentials" in error.summary
    assert "aws configure" in error.hint


def test_no_such_profile(s3: S3Server) -> None:
    store = S3Store(Location("bucket"), endpoint_url=s3.endpoint, profile="nobody's")
    assert "no profile nobody's" in failure(store).summary


def test_signed_out(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile work]\nsso_account_id = 1\nsso_role_name = r\n"
        "sso_region = us-east-1\nsso_start_url = http://127.0.0.1:9/start\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    store = S3Store(Location("bucket"), endpoint_url=s3.endpoint, profile="work")
    error = failure(store)
    assert "signed in" in error.summary
    assert "aws sso login --profile work" in error.hint


#: Errors of a connection that was there -> what is said.
BROKEN_OFF = {
    "ConnectionClosedError": "cannot be reached",
    "ConnectTimeoutError": "does not answer in time",
    "ReadTimeoutError": "does not answer in time",
    "SSLError": "certificate",
    "ProxyConnectionError": "proxy",
}


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_connections_that_fail(name: str) -> None:
    words = {"endpoint_url": "http://x", "proxy_url": "http://y", "error": "no"}
    with (
        pytest.raises(StoreError, match=f"Cannot list: .*{BROKEN_OFF[name]}"),
        translated(Operation("list", "bucket")),
    ):
        raise getattr(botocore.exceptions, name)(**words)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_that_hangs_up(s3: S3Server, moment: str) -> None:
    setattr(s3, moment, lambda _: Cut.AT_ONCE)
    store = S3Store(Location("bucket"), endpoint_url=s3.endpoint, quick=True)
    error = failure(store)
    assert f"{s3.endpoint} cannot be reached" in error.summary
    assert "network" in error.hint


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[::1"])
def test_endpoints_that_are_none(url: str) -> None:
    assert "endpoint URL" in failure(S3Store(Location("b1b"), endpoint_url=url)).summary


def test_passwords_stay_here() -> None:
    url = "http://joe:s3cret@127.0.0.1:9/"
    store = S3Store(Location("bucket"), endpoint_url=url, quick=True)
    assert store.identity == "s3://bucket at http://127.0.0.1:9"
    assert "s3cret" not in str(failure(store))
    with pytest.raises(StoreError) as caught:
        _ = S3Store(Location("bucket"), endpoint_url="joe:s3cret@host").identity
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("where", ["header", "body"])
def test_the_right_region_is_named(where: str) -> None:
    code = {"Code": "PermanentRedirect", "Message": "Use the endpoint"}
    headers = {"x-amz-bucket-region": "eu-west-3"} if where == "header" else {}
    region = {"Region": "eu-west-3"} if where == "body" else {}
    answer = {
        "Error": code | region,
        "ResponseMetadata": {"HTTPStatusCode": 301, "HTTPHeaders": headers},
    }
    with (
        pytest.raises(StoreError, match="another region, eu-west-3"),
        translated(Operation("list", "bucket")),
    ):
        raise ClientError(answer, "ListObjectsV2")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["AccessDenied", "SomethingNew", None])
def test_answers_without_a_message(code: str | None) -> None:
    answer = {"Error": {"Code": code, "Message": None}}
    with (
        pytest.raises(StoreError, match="Cannot list: (access is denied|S3 refuses)"),
        translated(Operation("list", "bucket")),
    ):
        raise ClientError(answer, "ListObjectsV2")  # type: ignore[arg-type]


def test_mistakes_of_ours_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), translated(Operation("list", "bucket")):
        1 / 0  # noqa: B018


def test_names_of_errors_are_right() -> None:
    # LoginError is of a later botocore than the oldest that will do.
    elsewhere = {"HTTPError", "LoginError", "RecursionError", "ResponseParserError"}
    names = {name for meaning in s3errors._FAILURES for name in meaning.names}
    assert not [
        name for name in names - elsewhere if not hasattr(botocore.exceptions, name)
    ]
