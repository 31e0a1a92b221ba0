"""Which version people mean, and whether one was deleted on purpose."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from conda_s3_sync_plugin.exceptions import UsageError
from conda_s3_sync_plugin.timeline import Entry, find_version, is_deleted
from conda_s3_sync_plugin.versions import Kept, Kind

#: What a letter stands for.
KINDS = {"v": Kind.VERSION, "l": Kind.LOSER, "d": Kind.DELETED, "k": Kind.LOCK}


def history(text: str) -> list[Kept]:
    """Read a history: kind, digest and hour of each, such as `v1@1 v2@2 d1@3`."""
    found = []
    for word in text.split():
        digest, _, hour = word[1:].partition("@")
        moment = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=int(hour))
        found.append(Kept(word, KINDS[word[0]], 12 * digest, moment, moment))
    return found


def find(text: str, version: str, current: str) -> str:
    entries = [Entry(kept, None, None) for kept in history(text)]
    return find_version(entries, "ml", version, current=64 * current).kept.key


@pytest.mark.parametrize(
    ("text", "current", "found"),
    [
        pytest.param("v1@1 v2@2 v3@3", "3", "v2@2", id="the one before"),
        pytest.param("v1@1 v2@2 v1@3", "1", "v2@2", id="and back again"),
        pytest.param("v1@1 v2@2", "9", "v2@2", id="not kept yet"),
        pytest.param("v1@1 v2@2 l3@3", "2", "l3@3", id="the loser"),
        # Of a version that others had to solve for: it has its time.
        pytest.param("v1@1 v2@1 v3@2 v4@2", "3", "v1@1", id="made on this platform"),
        pytest.param("v1@1 v4@2 v3@2", "3", "v1@1", id="made from the current one"),
        pytest.param("v1@1 v2@2 d1@3", "", "v1@1", id="deleted"),
        pytest.param("v1@1 v2@1 d1@3", "", "v1@1", id="deleted, the original"),
        pytest.param("v2@1 v1@1 d1@3", "", "v1@1", id="deleted, not made from it"),
        pytest.param("v1@1 d1@2 v2@3 d2@4 v1@5", "1", "v2@3", id="deleted before"),
        pytest.param("v1@1 v2@2 d9@3", "", "v2@2", id="deleted, and lost"),
        pytest.param("v1@1 d1@2 v2@3", "", "v2@3", id="only missing"),
    ],
)
def test_without_a_version_the_one_before_is_meant(
    text: str, current: str, found: str
) -> None:
    assert find(text, "", current) == found


def test_a_version_is_meant_by_the_beginning_of_its_digest() -> None:
    assert find("v1@1 v2@2 v1@3 v3@4 d1@5", "1111", "3") == "v1@3"


@pytest.mark.parametrize(
    ("text", "version", "current", "message"),
    [
        ("v1@1", "2222", "1", "There is no version 2222 of ml in the history"),
        ("d1@1", "1111", "", "There is no version 1111 of ml in the history"),
        ("v1@1", "", "1", "There is no version of ml but the current one in"),
        ("", "", "", "There is no version of ml in the history"),
    ],
)
def test_a_version_that_is_not_there_is_wrong_usage(
    text: str, version: str, current: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        find(text, version, current)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", False),
        ("v1@1", False),
        ("v1@1 d2@2", False),
        ("v1@1 d1@2", True),
        ("d1@2", True),
        ("v1@1 d1@2 v2@3 k1@4", True),
        ("v1@1 d1@2 v1@3", False),
        ("v1@1 d1@2 l1@3", False),
        ("v1@1 d1@2 v1@3 d1@4", True),
    ],
)
def test_a_statement_counts_until_its_version_comes_back(
    text: str, answer: bool
) -> None:
    assert is_deleted(history(text), 64 * "1") is answer
