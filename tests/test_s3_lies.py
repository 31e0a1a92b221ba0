"""S3 says what is not so, or no longer: nothing is lost by believing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lengths import every
from s3faults import answering
from station import NAME
from tasks import (
    assert_told,
    begin,
    converges,
    delete_here,
    ours,
    push,
    restore,
    theirs,
    update,
)

from conda_s3_sync_plugin import retry

if TYPE_CHECKING:
    from pathlib import Path

    from s3faults import Change, Headers
    from s3server import Request, S3Server
    from station import Station
    from tasks import Begin


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody between two attempts."""
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)


@pytest.mark.long
@every(
    "condition, times, scene",
    ["If-Match", "If-None-Match", ""],
    [99, 2],
    [ours, push, begin],
)
def test_a_server_that_refuses_conditions_for_no_reason(
    condition: str,
    times: int,
    scene: Begin,
    station: Station,
    originals: list[Path],
    s3: S3Server,
) -> None:
    # Of an object that is not there, If-None-Match is never refused by S3 itself.
    todo = scene(station, originals)
    left = [times]

    def refuse(request: Request) -> Any:
        is_it = request.method == "PUT" and condition in (request.condition or "")
        if not is_it or not left[0]:
            return None
        left[0] -= 1
        return 412, "PreconditionFailed"

    s3.before = refuse
    done = station.run(*todo.arguments)
    s3.before = None
    assert done.code in (0, 1)
    assert "mistake of conda" not in done.err
    converges(station, todo)
    station.put(originals[0 if scene is ours else 2])
    assert station.run().code == 0
    converges(station, todo)


def remembering(answers: dict[str, Any]) -> Change:
    """Return what remembers the answers to all that only reads."""

    def remember(request: Request, *answer: Any) -> Any:
        if request.method == "GET":
            answers[f"{request.path} {request.query}"] = answer
        return (*answer[:2], [answer[2]])

    return remember


def repeating(answers: dict[str, Any], *verbs: str) -> Change:
    """Return what gives old answers to some that only read."""

    def repeat(request: Request, *answer: Any) -> Any:
        if request.verb in verbs:
            answer = answers.get(f"{request.path} {request.query}", answer)
        return (*answer[:2], [answer[2]])

    return repeat


@pytest.mark.long
@every(
    "verbs, scene",
    [["LIST"], ["GET"], ["LIST", "GET"]],
    [update, ours, theirs, restore, delete_here],
)
def test_answers_from_the_past_lose_nothing(
    verbs: list[str],
    scene: Begin,
    station: Station,
    originals: list[Path],
    s3: S3Server,
) -> None:
    past: dict[str, Any] = {}
    empty = station.save()
    old = station.put(originals[0])
    station.run()
    station.load_machine(empty)
    with answering(s3, remembering(past)):
        station.run()
    station.load_machine(empty)
    todo = scene(station, originals)
    with answering(s3, repeating(past, *verbs)):
        done = station.run(*todo.arguments)
    assert_told(done, str(verbs))
    converges(station, todo._replace(versions={*todo.versions, old}))


def test_a_listing_from_before_the_first_push_deletes_nothing(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    past: dict[str, Any] = {}
    with answering(s3, remembering(past)):
        station.run()
    todo = push(station, originals)
    for arguments in ([], ["--delete", "--force"]):
        with answering(s3, repeating(past, "LIST")):
            done = station.run(*arguments)
        assert (done.code, done.err) == (0, ""), done
        assert station.here() in todo.versions
    converges(station, todo)


def spoil(station: Station, key: str) -> None:
    """Let the checksum in the metadata of an object be that of something else."""
    client, where = station.s3.client, {"Bucket": station.bucket, "Key": key}
    there = client.get_object(**where)
    metadata = {**there["Metadata"], "conda-env-sha256": "5" * 64}
    client.put_object(**where, Body=there["Body"].read(), Metadata=metadata)


def test_a_file_with_a_wrong_checksum_is_refused_until_it_is_deleted(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = theirs(station, originals)
    ours = station.here()
    spoil(station, f"{NAME}.yml")
    done = station.run(*todo.arguments)
    assert_told(done, "file")
    assert "not what was written" in done.err
    assert "delete it" in done.err
    assert station.here() == ours
    s3.client.delete_object(Bucket=station.bucket, Key=f"{NAME}.yml")
    converges(station, todo)


def test_a_lock_with_a_wrong_checksum_is_done_without(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = update(station, originals)
    for key in s3.keys(station.bucket):
        if key.endswith(".json"):
            spoil(station, key)
    done = station.run()
    assert done.code == 0
    assert "It was solved for anew." in done.out + done.err
    converges(station, todo)


def test_a_version_with_a_wrong_checksum_is_not_restored(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = restore(station, originals)
    now = station.here()
    for key in s3.keys(station.bucket):
        if key.startswith(".s3-sync/") and key.endswith(".yml"):
            spoil(station, key)
    done = station.run(*todo.arguments)
    assert_told(done, "restore")
    assert "cannot be read" in done.err
    assert station.here() == station.there() == now


def capitals(
    request: Request, status: str, headers: Headers, body: bytes
) -> tuple[str, Headers, list[bytes]]:
    """Answer as servers and proxies do that spell the names of headers their way."""
    return status, [(name.title(), text) for name, text in headers], [body]


def test_metadata_may_come_with_capitals(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = theirs(station, originals)
    spoil(station, f"{NAME}.yml")
    with answering(s3, capitals):
        assert "not what was written" in station.run(*todo.arguments).err
    s3.client.delete_object(Bucket=station.bucket, Key=f"{NAME}.yml")
    with answering(s3, capitals):
        converges(station, todo)
