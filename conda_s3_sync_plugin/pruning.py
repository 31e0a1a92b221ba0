"""Old versions that a history need not hold for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from .archive import by_age
from .versions import VERSIONS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .protocols import Store
    from .versions import Kept

#: Whoever has lost a conflict has that long to notice.
_GRACE: Final = timedelta(days=30)

#: What was just written may be about to become current, or wait for its version.
_UNDER_WAY: Final = timedelta(days=1)


def prune(store: Store, name: str, *, current: str, keep: int, now: datetime) -> None:
    """Delete all but the latest versions from a history; raise StoreError.

    `current` is the digest of the version in the bucket, which stays; `now` is UTC.
    """
    for kept in superfluous(store.history(name), current=current, keep=keep, now=now):
        store.discard(name, kept)


def superfluous(
    history: Iterable[Kept], *, current: str, keep: int, now: datetime
) -> list[Kept]:
    """Choose what of a history may go."""
    latest = sorted(history, key=by_age, reverse=True)
    versions = [kept for kept in latest if kept.kind in VERSIONS]
    order = list(dict.fromkeys((kept.modified, kept.digest) for kept in versions))
    staying = set(order[:keep])
    staying |= {
        (kept.modified, kept.digest)
        for kept in versions
        if kept.is_of(current)
        or now - kept.written < _UNDER_WAY
        or (kept.kind is Kind.LOSER and now - kept.written < _GRACE)
    }
    digests = {digest for _, digest in staying}
    statements = [kept for kept in latest if kept.kind is Kind.DELETED]
    return [
        *(kept for kept in versions if (kept.modified, kept.digest) not in staying),
        *statements[keep:],
        *(
            kept
            for kept in latest
            if kept.kind is Kind.LOCK
            and kept.digest not in digests
            and now - kept.written > _UNDER_WAY
        ),
    ]
