"""All versions of one environment, in their order: to look at, and to go back to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .difference import compare
from .exceptions import EnvFileError, UsageError
from .interruption import result_of
from .versions import DIGITS, VERSIONS, Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from datetime import datetime

    from .models import EnvFile, RemoteObject
    from .protocols import Store
    from .versions import Kept


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of an environment, or the statement that it was deleted."""

    kept: Kept
    #: None: it is gone since it was listed, or cannot be read.
    there: RemoteObject | None
    #: None: a statement, or no document that can be read.
    file: EnvFile | None
    #: What the history has of it, under one name or more.
    kinds: frozenset[Kind]
    #: Against the version before.
    difference: Difference = Difference()

    @property
    def is_deletion(self) -> bool:
        """Tell whether it only states that a version was deleted."""
        return Kind.DELETED in self.kinds

    @property
    def was_current(self) -> bool:
        """Tell whether it was in the bucket, for all machines."""
        return Kind.VERSION in self.kinds


def read_timeline(
    store: Store, pool: Executor, name: str, parse: Callable[[bytes], EnvFile]
) -> list[Entry]:
    """Read all versions of an environment, the oldest first; raise StoreError."""
    kinds: dict[tuple[datetime, str, bool], set[Kind]] = defaultdict(set)
    single: dict[tuple[datetime, str, bool], Kept] = {}
    for kept in store.history(name):
        if kept.kind is not Kind.LOCK:
            # A version that has lost a conflict may be there under two names.
            version = (kept.modified, kept.digest, kept.kind is Kind.DELETED)
            kinds[version].add(kept.kind)
            single.setdefault(version, kept)
    futures = {
        version: pool.submit(store.get_kept, name, kept)
        for version, kept in single.items()
    }
    found: list[Entry] = []
    before: Entry | None = None
    for version, kept in single.items():
        try:
            there = result_of(futures[version])
        except EnvFileError:  # too large, or damaged: that hides no other
            there = None
        file = _file(kept, there, parse)
        entry = Entry(kept, there, file, frozenset(kinds[version]))
        if not entry.is_deletion:
            entry = replace(entry, difference=_difference(before, entry))
            before = entry
        found.append(entry)
    return found


def _file(
    kept: Kept, there: RemoteObject | None, parse: Callable[[bytes], EnvFile]
) -> EnvFile | None:
    if there is None or kept.kind is Kind.DELETED:
        return None
    try:
        return parse(there.body)
    except EnvFileError:
        return None


def _difference(before: Entry | None, entry: Entry) -> Difference:
    old = before.there if before else None
    builds = bool(old and entry.there and old.platform == entry.there.platform)
    return compare(before.file if before else None, entry.file, builds=builds)


def find_version(
    history: Iterable[Kept], name: str, version: str, *, current: str = ""
) -> Kept:
    """Return the latest that a history has of a version; raise UsageError.

    `version` is the beginning of its digest. Empty: the latest that was in the bucket,
    and is not `current`.
    """
    if version:
        found = [
            kept
            for kept in history
            if kept.kind in VERSIONS and kept.digest.startswith(version[:DIGITS])
        ]
    else:
        found = [
            kept
            for kept in history
            if kept.kind is Kind.VERSION and not kept.is_of(current)
        ]
    digests = {kept.digest for kept in found}
    if not found:
        what = f"version {version} of {name}" if version else f"version of {name}"
        what += " but the current one" if current and not version else ""
        raise UsageError(
            f"There is no {what} in the history.",
            hint=f"See which there are: --history {name}",
        )
    if version and len(digests) > 1:
        raise UsageError(
            f"{version} may be {' or '.join(sorted(digests))}.",
            hint="Give more of it.",
        )
    return found[-1]


def is_deleted(history: Iterable[Kept], digest: str) -> bool:
    """Tell whether an environment was deleted on purpose, since it had this content.

    What was written after a deletion has brought it back.
    """
    past = _past(history)
    return is_gone(past) and any(kept.is_of(digest) for kept in past)


def is_gone(history: Iterable[Kept]) -> bool:
    """Tell whether the last word on an environment is that it was deleted."""
    word = last_word(history)
    return word is not None and word.kind is Kind.DELETED


def last_word(history: Iterable[Kept]) -> Kept | None:
    """Return the latest version, or statement, that was for all machines."""
    past = _past(history)
    return past[-1] if past else None


def _past(history: Iterable[Kept]) -> list[Kept]:
    return [kept for kept in history if kept.kind not in (Kind.LOCK, Kind.ASIDE)]
