"""All versions of one environment, in their order: to look at, and to go back to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .difference import compare
from .exceptions import EnvFileError, UsageError
from .versions import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from .models import EnvFile, RemoteObject
    from .protocols import Store
    from .versions import Kept


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of an environment, or the statement that it was deleted."""

    kept: Kept
    #: None: it is gone since it was listed.
    there: RemoteObject | None
    #: None: a statement, or no document that can be read.
    file: EnvFile | None
    #: Against the version before.
    difference: Difference = Difference()
    #: It has lost a conflict.
    is_loser: bool = False

    @property
    def is_deletion(self) -> bool:
        """Tell whether it only states that a version was deleted."""
        return self.kept.kind is Kind.DELETED


def read_timeline(
    store: Store, pool: Executor, name: str, parse: Callable[[bytes], EnvFile]
) -> list[Entry]:
    """Read all versions of an environment, the oldest first; raise StoreError."""
    history = [kept for kept in store.history(name) if kept.kind is not Kind.LOCK]
    losers = {_version(kept) for kept in history if kept.kind is Kind.LOSER}
    # A version that has lost may be there under two names.
    single = {(_version(kept), kept.kind is Kind.DELETED): kept for kept in history}
    chosen = list(single.values())
    futures = [pool.submit(store.get_kept, name, kept) for kept in chosen]
    found: list[Entry] = []
    before: Entry | None = None
    for kept, future in zip(chosen, futures, strict=True):
        there = future.result()
        is_loser = _version(kept) in losers and kept.kind is not Kind.DELETED
        entry = Entry(kept, there, _file(kept, there, parse), is_loser=is_loser)
        if not entry.is_deletion:
            entry = replace(entry, difference=_difference(before, entry))
            before = entry
        found.append(entry)
    return found


def _version(kept: Kept) -> tuple[datetime, str]:
    return kept.modified, kept.digest


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
    entries: Sequence[Entry], name: str, version: str, *, current: str = ""
) -> Entry:
    """Return the latest entry of a version; raise UsageError.

    `version` is the beginning of its digest. Empty: the latest that is not `current`.
    """
    found = [
        entry
        for entry in entries
        if not entry.is_deletion
        and entry.kept.digest.startswith(version)
        and (version or entry.kept.digest != current[:12])
    ]
    digests = {entry.kept.digest for entry in found}
    if not found:
        what = f"version {version} of {name}" if version else f"version of {name}"
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
    """Tell whether a version was deleted on purpose, and not brought back since."""
    latest = None
    for kept in history:
        if kept.digest == digest[:12] and kept.kind is not Kind.LOCK:
            latest = kept
    return latest is not None and latest.kind is Kind.DELETED
