"""Whose clock counts, and where: a wrong one decides nothing, and is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from fake_machine import (
    LATER,
    LATEST,
    NOW,
    Pair,
    actions,
    change,
    digest_of,
    in_step,
    make_pair,
)
from plan_cases import CASES, NOON, decide, row_of

from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Document, Observation, Policy, Version
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.store import S3Store
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Action, Prefer

if TYPE_CHECKING:
    from pathlib import Path

    from s3server import S3Server

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def conflict(here: timedelta, there: timedelta, policy: Policy) -> Action:
    """Decide where both sides differ, changed that long after noon."""
    seen = Observation("ml", Version("a", NOON + here), Version("b", NOON + there))
    (step,) = plan([seen], policy)
    return step.action


@pytest.mark.parametrize(
    ("here", "there", "policy", "action"),
    [
        (HOUR, 0 * HOUR, Policy(ahead=2 * HOUR), Action.PULL),
        (HOUR, 0 * HOUR, Policy(ahead=HOUR / 2), Action.PUSH),
        (-HOUR, 0 * HOUR, Policy(ahead=-2 * HOUR), Action.PUSH),
        (HOUR, 0 * HOUR, Policy(ahead=HOUR), Action.CONFLICT),
        (DAY, HOUR, Policy(now=NOON + HOUR), Action.CONFLICT),
        (HOUR, DAY, Policy(now=NOON + HOUR), Action.CONFLICT),
        (DAY, 2 * DAY, Policy(now=NOON + HOUR), Action.CONFLICT),
        (DAY, HOUR - SECOND, Policy(now=NOON + HOUR), Action.PUSH),
        (HOUR - SECOND, DAY, Policy(now=NOON + HOUR), Action.PULL),
        (DAY, HOUR - SECOND, Policy(ahead=DAY, now=NOON + HOUR), Action.PULL),
        (DAY, DAY, Policy(), Action.CONFLICT),
    ],
    ids=[
        "it is only ahead",
        "not that far ahead",
        "it is only behind",
        "corrected, they are equal",
        "one from the future is from now",
        "also there",
        "two from the future are equal",
        "and newer than one from before",
        "also there, and newer",
        "corrected first",
        "equal",
    ],
)
def test_the_newest_is_so_by_the_server_s_clock(
    here: timedelta, there: timedelta, policy: Policy, action: Action
) -> None:
    assert conflict(here, there, policy) is action


def test_a_tie_is_told_as_one() -> None:
    seen = Observation("ml", Version("a", NOON + DAY), Version("b", NOON + HOUR))
    (step,) = plan([seen], Policy(now=NOON))
    assert "both at the same time" in step.reason
    assert "--prefer local" in step.hint


def test_a_skew_matters_in_conflicts_only() -> None:
    differs = 0
    for case in CASES:
        policy = replace(case.policy, ahead=9 * HOUR, now=NOON - 9 * HOUR)
        usual, skewed = decide(case), decide(replace(case, policy=policy))
        if row_of(case)[4] == "newest" and case.policy.prefer is Prefer.NEWEST:
            differs += usual.action is not skewed.action
        else:
            assert usual == skewed, case
    assert differs


@pytest.mark.parametrize(
    ("ahead", "winner"),
    [(0 * HOUR, "here"), (2 * HOUR, "there"), (SECOND, "here")],
    ids=["right", "ahead", "hardly ahead"],
)
def test_a_wrong_clock_wins_no_conflict(
    pair: Pair, ahead: timedelta, winner: str
) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3", at=LATER)
    a.sync()
    ours = change(b, "4", at=LATEST)
    b.store.ahead = ahead
    b.sync()
    assert b.remote("ml") == (ours if winner == "here" else theirs)
    assert {ours, theirs} <= b.history("ml")


@pytest.mark.parametrize("ahead", [DAY, -DAY, SECOND], ids=["ahead", "behind", "right"])
def test_what_is_pushed_has_the_time_of_the_server(
    pair: Pair, ahead: timedelta
) -> None:
    a, _ = pair
    a.store.ahead = ahead
    a.engine.edit("ml", {"numpy": "1"}, at=NOW - HOUR + ahead)
    a.sync()
    told = a.bucket.objects["ml.yml"].modified
    assert abs(told - (NOW - HOUR)) <= SECOND
    # The version here keeps the time that it has here.
    baseline = a.baseline("ml")
    assert baseline
    assert baseline.modified == a.engine.env("ml").modified == NOW - HOUR + ahead
    for key in a.bucket.objects:
        if ".s3-sync" in key and "Z-" in key:
            assert f"{told:%Y%m%dT%H%M%S.%fZ}" in key


def test_what_is_pushed_is_not_from_the_future(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("ml", {"numpy": "1"}, at=NOW + 100 * DAY)
    a.sync()
    assert NOW < a.bucket.objects["ml.yml"].modified < NOW + SECOND
    # So that an edit of later wins.
    change(b, "7", at=NOW + HOUR)
    b.bucket.clock.advance(hours=2)  # type: ignore[attr-defined]
    assert actions(b.sync()) == {"ml": Action.PUSH}


def test_two_from_the_future_are_left_to_a_person(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    body = b"channels: [fake]\ndependencies: [numpy=7]\n"
    a.bucket.plant("ml.yml", body, NOW + DAY)
    change(b, "4", at=NOW + 2 * DAY)
    (outcome,) = b.sync().outcomes
    assert outcome.step.action is Action.CONFLICT
    assert "same time" in outcome.step.reason


def test_what_loses_here_has_the_time_of_the_server(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3", at=LATEST)
    a.sync()
    ours = change(b, "4", at=LATEST + DAY)
    b.store.ahead = DAY + HOUR
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == theirs
    (loser,) = (kept for kept in b.store.history("ml") if kept.kind is Kind.LOSER)
    assert (loser.digest, loser.modified) == (ours[:12], LATER)


SKEW = "the clock of this machine is"


def warned(pair: Pair, ahead: timedelta, **options: str) -> list[str]:
    _, b = pair
    b.store.ahead = ahead
    return [text for text in b.sync(**options).warnings if SKEW in text]


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (3 * SECOND, "3 seconds ahead of the server's"),
        (-HOUR, "3600 seconds behind the server's"),
        (2 * SECOND, None),
        (-2 * SECOND, None),
    ],
    ids=["ahead", "behind", "hardly ahead", "hardly behind"],
)
def test_a_skew_is_named(pair: Pair, ahead: timedelta, says: str | None) -> None:
    pair[1].engine.edit("ml", {"numpy": "1"})
    warnings = warned(pair, ahead)
    assert len(warnings) == (says is not None)
    assert all(says in text for text in warnings if says)


@pytest.mark.parametrize("prefer", ["newest", "local", "remote", "merge"])
def test_a_skew_is_named_where_a_time_decides_or_is_written(
    pair: Pair, prefer: str
) -> None:
    a, b = pair
    in_step(a, b)
    change(a, "3", at=LATER)
    a.sync()
    change(b, "4", at=LATEST)
    assert warned(pair, HOUR, prefer=prefer)


@pytest.mark.parametrize("what", ["pull", "nothing", "deletion", "left as it is"])
def test_a_skew_is_not_named_where_nobody_looks_at_a_time(
    pair: Pair, what: str
) -> None:
    a, b = pair
    in_step(a, b)
    if what in ("pull", "left as it is"):
        change(a, "3", at=LATER)
        a.sync()
    if what == "left as it is":
        change(b, "4", at=LATEST)
    if what == "deletion":
        a.engine.drop("ml")
        a.sync(delete=True, force=True)
    options = {"delete": True, "force": True, "prefer": "none"}
    assert not warned(pair, HOUR, **options)  # type: ignore[arg-type]


def list_at(s3: S3Server, bucket: str, date: str) -> timedelta:
    """Return how far we are ahead of a server that tells this time."""
    store = S3Store(Location(bucket), endpoint_url=s3.endpoint)
    assert store.ahead == timedelta(0)
    s3.date = date
    store.list()
    return store.ahead


@pytest.mark.parametrize("skew", [-DAY, -9 * SECOND, 0 * SECOND, 9 * SECOND, DAY])
def test_the_server_tells_its_time_with_the_listing(
    s3: S3Server, bucket: str, skew: timedelta
) -> None:
    before = datetime.now(timezone.utc)
    told = (before - skew).replace(microsecond=0)
    ahead = list_at(s3, bucket, format_datetime(told, usegmt=True))
    after = datetime.now(timezone.utc)
    assert before - told <= ahead <= after - told


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "Thu, 01 Jan 2026",
        "Fri, 99 Foo 2026 25:61:61 GMT",
        "Thu, 01 Jan 2026 00:00:00 -0000",
    ],
    ids=["empty", "a word", "half", "impossible", "of nowhere"],
)
def test_a_server_that_does_not_tell_is_believed_to_agree(
    s3: S3Server, bucket: str, date: str
) -> None:
    assert list_at(s3, bucket, date) == timedelta(0)


def test_what_is_brought_back_is_later_than_what_a_wrong_clock_has_left(
    pair: Pair,
) -> None:
    a, _ = pair
    in_step(a)
    old = a.engine.digest("ml")
    change(a)
    a.sync()
    body = b"channels: [fake]\ndependencies: [numpy=7]\n"
    wrong = Document(body, digest_of(body), NOW + HOUR / 9, "linux-64")
    a.store.keep("ml", wrong)
    a.restore("ml", old[:8])
    latest = max(a.store.history("ml"), key=lambda kept: kept.modified)
    assert latest.is_of(old)
