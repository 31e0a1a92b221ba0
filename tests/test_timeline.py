"""All versions of an environment, in their order, and the one that is meant."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fake_engine import START
from fake_machine import InlineExecutor
from fakes import MemoryStore

from conda_s3_sync_plugin.envfile import parse, render
from conda_s3_sync_plugin.exceptions import UsageError
from conda_s3_sync_plugin.models import Document
from conda_s3_sync_plugin.timeline import (
    Entry,
    find_version,
    is_deleted,
    read_timeline,
)
from conda_s3_sync_plugin.versions import VERSIONS, Change, Kept, Kind
from conda_s3_sync_plugin.wording import in_short

if TYPE_CHECKING:
    from collections.abc import Callable

    from conda_s3_sync_plugin.models import EnvFile

LOCK, VERSION, LOSER, DELETED = Kind.LOCK, Kind.VERSION, Kind.LOSER, Kind.DELETED


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def keep(
    store: MemoryStore,
    hours: float,
    *specs: str,
    kind: Kind = VERSION,
    platform: str = "linux-64",
) -> EnvFile:
    """Add a version to the history, of some hours after the start."""
    file = render("ml", channels=["main"], specs=specs)
    moment = START + timedelta(hours=hours)
    store.keep("ml", Document(file.body, file.digest, moment, platform), kind)
    return file


def timeline(
    store: MemoryStore, read: Callable[[bytes], EnvFile] = parse
) -> list[Entry]:
    return read_timeline(store, InlineExecutor(), "ml", read)


def test_each_version_tells_what_has_changed_since_the_one_before(
    store: MemoryStore,
) -> None:
    keep(store, 2, "numpy=2=a", "six=1=a")
    keep(store, 1, "numpy=1=a")
    keep(store, 3, "numpy=2=a")
    keep(store, 4, "numpy=2=b")
    assert [in_short(entry.difference) for entry in timeline(store)] == [
        "+numpy 1",
        "~numpy 1->2  +six 1",
        "-six 1",
        "~numpy 2 a->2 b",
    ]


def test_builds_of_two_platforms_are_no_change(store: MemoryStore) -> None:
    keep(store, 1, "numpy=1=a")
    keep(store, 2, "numpy=1=b", platform="osx-arm64")
    keep(store, 3, "numpy=1=c", platform="osx-arm64")
    _, other, same = timeline(store)
    assert not other.difference
    assert same.difference.conda == (Change("numpy", "1 b", "1 c"),)


def test_a_deletion_is_no_version_to_compare_with(store: MemoryStore) -> None:
    first = keep(store, 1, "numpy=1=a")
    keep(store, 2, "numpy=1=a", kind=DELETED)
    keep(store, 3, "numpy=2=a")
    version, deletion, again = timeline(store)
    assert [version.is_deletion, deletion.is_deletion] == [False, True]
    assert deletion.kept.digest == first.digest[:12]
    assert deletion.file is None
    assert not deletion.difference
    assert again.difference.conda == (Change("numpy", "1", "2"),)


def test_who_has_lost_a_conflict_is_told_once(store: MemoryStore) -> None:
    for kind in (VERSION, LOSER):
        keep(store, 1, "numpy=1=a", kind=kind)
    keep(store, 2, "numpy=2=a")
    keep(store, 2.5, "numpy=2=a", kind=DELETED)
    keep(store, 3, "numpy=1=a")
    told = [(Kind.LOSER in entry.kinds, entry.is_deletion) for entry in timeline(store)]
    # The same content of another time has lost nothing.
    assert told == [(True, False), (False, False), (False, True), (False, False)]


def test_locks_are_no_versions(store: MemoryStore) -> None:
    file = keep(store, 1, "numpy=1=a")
    store.put_lock("ml", file.digest, "linux-64", b"{}")
    (entry,) = timeline(store)
    assert (entry.file, entry.kept.kind) == (file, VERSION)


def test_what_is_gone_or_broken_has_no_content(store: MemoryStore) -> None:
    keep(store, 1, "numpy=1=a")
    keep(store, 2, "numpy=2=a")
    keep(store, 3, "numpy=3=a")
    _, second, third = store.history("ml")
    store.bucket.plant(second.key, b"dependencies: {")
    store.get_kept = _without(store, third)  # type: ignore[method-assign]
    first, broken, gone = timeline(store)
    assert first.file
    assert broken.there
    assert (broken.file, gone.file, gone.there) == (None, None, None)


def _without(store: MemoryStore, missing: Kept) -> Callable[..., object]:
    get = store.get_kept
    return lambda name, kept: None if kept == missing else get(name, kept)


def kept(digest: str, hours: float = 0, kind: Kind = VERSION) -> Kept:
    moment = START + timedelta(hours=hours)
    return Kept("", kind, digest, moment, moment)


A, B, C = "aaaabbbbcccc", "aaaadddd0000", "ffff00000000"
HISTORY = [
    *(kept(A), kept(B, 1), kept(A, 2), kept(C, 3), kept(C, 3, LOSER)),
    *(kept(C, 4, DELETED), kept(B, 5, Kind.ASIDE), kept(B, 6, LOCK)),
]

MEANT = {
    "none, nothing is current": ("", "", C, 3),
    "none, the latest is current": ("", C, A, 2),
    "none, an older one is current": ("", A, C, 3),
    "the beginning": ("aaaad", "", B, 5),
    "all of it": (A, "", A, 2),
    "all of the digest": (A + 52 * "0", "", A, 2),
    "the current one": ("f", C, C, 3),
    "the latest of several": ("aaaab", "", A, 2),
}


@pytest.mark.parametrize(
    ("version", "current", "digest", "hours"), MEANT.values(), ids=MEANT
)
def test_the_version_that_is_meant(
    version: str, current: str, digest: str, hours: float
) -> None:
    current = current and current + "f" * 52
    found = find_version(HISTORY, "ml", version, current=current)
    assert (found.digest, found.kind in VERSIONS) == (digest, True)
    assert found.modified == START + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("history", "version", "current", "says"),
    [
        (HISTORY, "aaaa", "", f"aaaa may be {A} or {B}"),
        (HISTORY, "1234", "", "no version 1234 of ml"),
        ([], "", "", "no version of ml"),
        ([kept(A)], "", A, "no version of ml"),
        ([kept(A, kind=DELETED)], "", "", "no version of ml"),
        ([kept(A, kind=LOSER)], "", "", "no version of ml"),
        ([kept(A, kind=DELETED)], "aaaa", "", "no version aaaa of ml"),
    ],
    ids=["several", "none", "no history", "current", "deleted", "lost", "only that"],
)
def test_what_is_not_clear_is_not_guessed(
    history: list[Kept], version: str, current: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        find_version(history, "ml", version, current=current)
    assert caught.value.hint


STATED = {
    "nothing": ([], False),
    "a version": ([(A, VERSION)], False),
    "deleted": ([(A, VERSION), (A, DELETED)], True),
    "only the statement": ([(A, DELETED)], True),
    "brought back": ([(A, VERSION), (A, DELETED), (A, VERSION)], False),
    "brought back as a loser": ([(A, DELETED), (A, LOSER)], False),
    "deleted again": ([(A, DELETED), (A, VERSION), (A, DELETED)], True),
    "a later one is": ([(A, VERSION), (B, VERSION), (B, DELETED)], True),
    "one that it never was": ([(B, VERSION), (B, DELETED)], False),
    "another one came": ([(A, DELETED), (B, VERSION)], False),
    "half of it was kept": ([(A, DELETED), (A, Kind.ASIDE)], True),
    "a lock came": ([(A, DELETED), (A, LOCK)], True),
}


@pytest.mark.parametrize(("history", "stated"), STATED.values(), ids=STATED)
def test_a_deletion_has_to_be_the_last_word(
    history: list[tuple[str, Kind]], stated: bool
) -> None:
    past = [kept(digest, i, kind) for i, (digest, kind) in enumerate(history)]
    assert is_deleted(past, A + "f" * 52) is stated
    assert not is_deleted(past, "")
