"""Versions of an environment as the history has them, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .words import Word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

#: How much of a digest names a version to people: enough to tell 50 of them apart.
SHORT = 8

#: How much of it names a version in the bucket.
DIGITS = 12


class Kind(Word):
    """What an object in the history of an environment is."""

    VERSION = "version"
    #: A version that has lost a conflict.
    LOSER = "loser"
    #: What was on a machine alone, when something else took its place there.
    ASIDE = "aside"
    #: A statement that a version was deleted on purpose.
    DELETED = "deleted"
    LOCK = "lock"


#: What has content, and may come back.
VERSIONS = (Kind.VERSION, Kind.LOSER, Kind.ASIDE)


@dataclass(frozen=True, slots=True)
class Kept:
    """An object in the history of an environment, as its key tells."""

    key: str
    kind: Kind
    #: The first digits of the digest: see DIGITS.
    digest: str
    #: UTC: the time of the version, or of its deletion; of a lock, as below.
    modified: datetime
    #: UTC, by the server's clock: when the object was written.
    written: datetime
    #: Of a lock.
    platform: str = ""

    @property
    def short(self) -> str:
        """Return what people call the version."""
        return self.digest[:SHORT]

    def is_of(self, digest: str) -> bool:
        """Tell whether it belongs to the version of this digest."""
        return self.digest == digest[:DIGITS]


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of one thing; None: there was none, or there is none now."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions of an environment."""

    conda: tuple[Change, ...] = ()
    pip: tuple[Change, ...] = ()
    variables: tuple[Change, ...] = ()
    pins: tuple[Change, ...] = ()
    #: In their order; equal: they do not differ.
    channels: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def __bool__(self) -> bool:
        return any(changes for _, changes in self.kinds()) or self.moves_channels

    @property
    def moves_channels(self) -> bool:
        """Tell whether the channels differ, or their order."""
        return self.channels[0] != self.channels[1]

    def kinds(self) -> Iterator[tuple[str, tuple[Change, ...]]]:
        """Yield what has names, by what it is: conda's packages have no word."""
        yield "", self.conda
        yield "pip", self.pip
        yield "variable", self.variables
        yield "pin", self.pins
