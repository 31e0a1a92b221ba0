"""The history of an environment, as its keys tell it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from .location import KINDS, STAMP
from .versions import Kept, Kind

if TYPE_CHECKING:
    from .location import Location

#: How far a writer's clock may be ahead of the server's: S3 refuses those beyond.
SKEW = timedelta(minutes=15)

_VERSION = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{12})")
_LOCK = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]+)\.json")


def kept_at(location: Location, name: str, key: str, written: datetime) -> Kept | None:
    """Return what a key stands for; None: it is none of ours.

    `written` is the time of the object itself, in UTC.
    """
    file = key.removeprefix(location.history_prefix(name))
    if match := _LOCK.fullmatch(file):
        return Kept(key, Kind.LOCK, match[1], written, written, match[2])
    for kind, ending in KINDS.items():
        match = _VERSION.fullmatch(file.removesuffix(ending))
        if match and file.endswith(ending):
            try:
                moment = datetime.strptime(match[1], STAMP)  # noqa: DTZ007 (below)
            except ValueError:  # no such day, say
                return None
            modified = moment.replace(tzinfo=timezone.utc)
            # A clock far ahead, or a planted key, must not be the latest for ever.
            modified = written if modified > written + SKEW else modified
            return Kept(key, kind, match[2], modified, written)
    return None


def by_age(kept: Kept) -> tuple[datetime, datetime]:
    """Sort by when objects were written; servers tell that in whole seconds."""
    return kept.written.replace(microsecond=0), kept.modified
