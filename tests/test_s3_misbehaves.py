"""S3 is slow, broken or somebody else: that is told, and nothing is lost by it."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import pytest
from lengths import IS_LONG, every
from s3faults import answering, impatience, portal
from s3server import Cut, Trickle
from tasks import (
    SCENES,
    assert_told,
    begin,
    converges,
    delete_there,
    push,
    restore,
    theirs,
    update,
)

from conda_s3_sync_plugin import deadline, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from s3faults import Change, Headers
    from s3server import Request, S3Server
    from station import Station
    from tasks import Begin

#: What happens to every request from some moment on -> what is said.
LASTING: dict[str, tuple[Any, str]] = {
    "busy": ((503, "SlowDown"), "is busy"),
    "reset": (Cut.AT_ONCE, "cannot be reached"),
    "expired": ((400, "ExpiredToken"), "expired"),
    "revoked": ((403, "InvalidAccessKeyId"), "does not know the access key"),
    "emptied": ((404, "NoSuchBucket"), "there is no bucket"),
}

#: After how many requests something begins that does not end.
MOMENTS = range(9) if IS_LONG else (1, 2)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody between two attempts."""
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda _: None)


@pytest.mark.long
@every("how, scene", tuple(LASTING), SCENES if IS_LONG else SCENES[1:6])
def test_what_does_not_end_is_told_and_loses_nothing(
    how: str, scene: Begin, station: Station, originals: list[Path], s3: S3Server
) -> None:
    fault, said = LASTING[how]
    todo = scene(station, originals)
    before = station.save()
    for moment in MOMENTS:
        station.load(before)
        s3.requests.clear()
        s3.before = lambda _, good=moment: fault if len(s3.requests) > good else None
        done = station.run(*todo.arguments)
        s3.before = None
        if len(s3.requests) <= moment:
            break
        assert_told(done, f"{how} after {moment}")
        # The answer to HEAD has no body to say more in.
        is_mute = any(request.verb == "HEAD" for request in s3.requests[moment:])
        assert said in done.err or done.code == 0 or is_mute
        converges(station, todo)


@pytest.mark.long
@every("fault, scene", [(503, "SlowDown"), Cut.AT_ONCE], [begin, restore, update])
def test_what_ends_in_time_is_sat_out(
    fault: Any, scene: Begin, station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = scene(station, originals)
    del station.lab.machine.environment["AWS_MAX_ATTEMPTS"]
    times: Counter[str] = Counter()

    def storm(request: Request) -> Any:
        what = f"{request.method} {request.path} {request.query}"
        times[what] += 1
        return fault if times[what] < 4 else None

    s3.before = storm
    done = station.run(*todo.arguments)
    s3.before = None
    assert (done.code, done.err) == (0, "")
    converges(station, todo)


@pytest.mark.long
@every("scene, moment", SCENES if IS_LONG else [push, theirs], MOMENTS)
def test_a_network_that_wants_a_login_is_no_s3(
    scene: Begin, moment: int, station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = scene(station, originals)
    s3.requests.clear()

    def login(request: Request, *answer: Any) -> Any:
        if len(s3.requests) > moment:
            return portal(request, *answer)
        return (*answer[:2], [answer[2]])

    with answering(s3, login):
        done = station.run(*todo.arguments)
    assert_told(done, f"after {moment}: {done.err}")
    assert done.code == (len(s3.requests) > moment)
    converges(station, todo)


def changed(
    verb: str, change: Callable[[bytes], Iterable[bytes]], times: int
) -> Change:
    """Return what changes the bodies of the first answers of a kind."""
    left = [times]

    def answer(
        request: Request, status: str, headers: Headers, body: bytes
    ) -> tuple[str, Headers, Iterable[bytes]]:
        if request.verb != verb or not left[0]:
            return status, headers, [body]
        left[0] -= 1
        return status, headers, change(body)

    return answer


SPOILED = {
    "truncated": lambda body: [body[: len(body) // 2]],
    "corrupted": lambda body: [body[:-2] + b"X" + body[-1:]],
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_arrives_damaged_is_asked_for_again_and_never_used(
    how: str, station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = update(station, originals)
    before, old = station.save(), station.here()
    with answering(s3, changed("GET", SPOILED[how], times=99)):
        done = station.run()
    assert_told(done, how)
    assert "what arrives is incomplete, or not what was written" in done.err
    assert station.here() == old
    converges(station, todo)
    station.load(before)
    with answering(s3, changed("GET", SPOILED[how], times=2)):
        done = station.run()
    assert (done.code, done.err) == (0, "")
    converges(station, todo)


def test_a_listing_that_is_cut_off_is_no_listing(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = delete_there(station, originals)
    with answering(s3, changed("LIST", SPOILED["truncated"], times=99)):
        done = station.run(*todo.arguments)
    assert_told(done, "list")
    assert done.code == 1
    converges(station, todo)


def test_an_answer_that_is_no_listing_is_no_empty_bucket(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = delete_there(station, originals)
    before = station.there()
    with answering(
        s3, changed("LIST", lambda body: [b"<html/>".ljust(len(body))], times=99)
    ):
        done = station.run(*todo.arguments)
    assert_told(done, "list")
    assert done.code == 1
    assert "the answer is no listing of S3" in done.err
    assert station.there() == before
    converges(station, todo)


@pytest.mark.long
@every("verb, scene", ["LIST", "GET"], [push, update])
def test_a_server_that_falls_silent_is_not_waited_for(
    verb: str, scene: Begin, station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = scene(station, originals)
    is_over = threading.Event()

    def half(body: bytes) -> Iterator[bytes]:
        yield body[: len(body) // 2]
        is_over.wait(60)

    with answering(s3, changed(verb, half, times=99)), impatience():
        done = station.run(*todo.arguments)
    is_over.set()
    assert_told(done, verb)
    assert done.code == (0 if (verb, scene) == ("GET", push) else 1)
    converges(station, todo)


@contextlib.contextmanager
def little_patience() -> Iterator[threading.Event]:
    """Wait for each answer for seconds; in the end, none is on its way any more."""
    is_over = threading.Event()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(deadline, "PATIENCE", 3)
        try:
            yield is_over
        finally:
            is_over.set()
            for thread in threading.enumerate():
                if thread.name == deadline.THREAD:
                    thread.join()


@pytest.mark.long
@every("part, verb", ["body", "headers"], ["GET", "LIST"])
def test_a_server_that_trickles_is_not_waited_for(
    part: str, verb: str, station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = update(station, originals)
    before = station.here()
    with little_patience() as is_over:
        trickle = Trickle(part, is_over)
        s3.after = lambda request: trickle if request.verb == verb else None
        done = station.run(*todo.arguments)
        s3.after = None
    assert_told(done, verb)
    assert done.code == 1
    assert "the bucket has not answered in full within 3 s" in done.err
    assert station.here() == before
    converges(station, todo)


def test_a_server_that_is_slow_is_waited_for(
    station: Station, originals: list[Path], s3: S3Server
) -> None:
    todo = update(station, originals)

    def trickle(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    for verb in ("LIST", "GET"):
        with answering(s3, changed(verb, trickle, times=99)):
            done = station.run(*todo.arguments)
        assert (done.code, done.err) == (0, "")
    converges(station, todo)
