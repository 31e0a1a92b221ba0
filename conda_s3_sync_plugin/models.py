"""The values that the floors above pass to each other: all of them frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .words import Action, Direction, Prefer

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from .versions import Difference


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An environment.yml: its bytes, and what they mean."""

    body: bytes
    #: SHA-256 of the canonical content, in hexadecimal.
    digest: str
    channels: tuple[str, ...] = ()
    #: conda's specs, as they are written.
    specs: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    #: The lines of conda-meta/pinned. None: it does not say, as most people's files.
    pinned: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """What one environment file is on one platform, exactly."""

    #: Of the environment file that it belongs to.
    digest: str
    platform: str
    #: Repodata records: url, sha256, md5, size, depends, ...
    packages: tuple[Mapping[str, Any], ...]
    #: What the user once asked conda for, as specs.
    requested: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    #: What was asked for too, and is not to be had on this platform: spec -> version.
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    #: What else was given up when it was solved for this platform, in words.
    notes: tuple[str, ...] = ()

    @property
    def builds(self) -> frozenset[tuple[str, str, str]]:
        """Name, version and build of each package."""
        keys = ("name", "version", "build")
        return frozenset(tuple(item[key] for key in keys) for item in self.packages)


@dataclass(frozen=True, slots=True)
class Version:
    """All that planning needs to know of one side."""

    digest: str
    #: UTC.
    modified: datetime


@dataclass(frozen=True, slots=True)
class Unknown:
    """A side that cannot be told: it is left alone, and so is the other one."""

    reason: str
    hint: str = ""


#: One side of one environment; None is absent.
Side = Version | Unknown | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What both sides were after the last sync of one environment.

    The sides have a digest each: an environment that was solved anew for another
    platform differs from its file, and is in step all the same.
    """

    local: str
    #: Empty where a pull or a removal was begun and not finished: the prefix then
    #: holds something that nobody made on purpose.
    stamp: str
    #: Empty, as the ETag, where a pull was begun and has not succeeded.
    remote: str
    #: Empty where the history does not hold that version, which has to be read again.
    etag: str
    #: UTC: the time of the version that both sides agreed on.
    modified: datetime
    #: As of a lock: it travels on, though this machine can make no use of it.
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    #: How often this machine has pushed since it last looked for old versions.
    pushes: int = 0
    #: Where the environment was; empty: not known.
    prefix: str = ""
    #: What stands for the requested specs of what is here; empty: not known.
    requests: str = ""

    @property
    def is_interrupted(self) -> bool:
        """Tell whether the last pull, or removal, was begun and not finished."""
        return not self.stamp


@dataclass(frozen=True, slots=True)
class LocalEnv:
    """An environment on this machine, as its file names and stats show it."""

    name: str
    prefix: Path
    #: Changes whenever conda, pip or `conda env config vars` changed something.
    stamp: str
    #: UTC: mtime of `conda-meta/history`.
    modified: datetime
    #: UTC: the latest mtime of all that the stamp looks at.
    touched: datetime
    #: Whether conda is changing it, or was when it was killed.
    is_changing: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """An environment of this machine, read: what is pushed."""

    file: EnvFile
    lock: Lock
    #: What was left out, and why.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What has become of a file in a prefix."""

    #: In words, what differs from the file because of what is here.
    notes: tuple[str, ...] = ()
    #: In words, what differs because this platform does not have it.
    given_up: tuple[str, ...] = ()
    #: As of a lock.
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    #: As of a lock: all packages that were to be there; None: others may be, too.
    builds: frozenset[tuple[str, str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One environment in the listing of the bucket."""

    etag: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What the bucket holds under the location."""

    #: Unknown: it cannot be told which of several keys is the environment.
    environments: Mapping[str, Listed | Unknown]
    #: Keys that cannot be environments -> why.
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an environment file, as it is written to the bucket."""

    body: bytes
    digest: str
    #: UTC.
    modified: datetime
    #: Where it was made, as conda names platforms; empty: not known.
    platform: str = ""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """NAME.yml as one answer of the server gave it."""

    etag: str
    body: bytes
    #: UTC.
    modified: datetime
    platform: str = ""
    #: Written by a person or another program: no history entry of ours holds it.
    foreign: bool = False
    #: The machine that has written it, if it has said so.
    pushed_by: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One environment as planning sees it: both sides, and what was remembered."""

    name: str
    local: Side
    remote: Side
    baseline: Baseline | None = None
    #: The history states that the version in the baseline was deleted on purpose.
    deleted: bool = False
    #: Nobody's to remove.
    is_base: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which environments take part; the others are neither read nor written."""

    #: Empty: all of them.
    names: frozenset[str] = frozenset()
    #: Searched for in the prefix that an environment has, or would get.
    path_filter: re.Pattern[str] | None = None
    #: Whether base takes part.
    root: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user chose where the table leaves a choice."""

    prefer: Prefer = Prefer.NEWEST
    direction: Direction = Direction.BOTH
    delete: bool = False
    #: Nobody has asked for this run: here, nothing goes, and nothing comes back.
    unasked: bool = False
    #: How far the clock here is ahead of the server's; None: not noticeably.
    ahead: timedelta | None = None
    #: UTC, by the server's clock: nothing was changed after that. None: not known.
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A decision about one environment, with its reason in words."""

    name: str
    action: Action
    reason: str
    #: The row of the decision table that it comes from.
    row: int
    #: UTC: when the version that travels was made.
    modified: datetime | None = None
    hint: str = ""
    #: The other name of a renamed environment: the old one of a new, and vice versa.
    partner: str = ""

    @property
    def is_conflict(self) -> bool:
        """Tell whether both sides had changed, and one of them loses."""
        return self.row in (4, 9)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step."""

    step: Step
    #: What did not go as exactly as hoped, in words.
    notes: tuple[str, ...] = ()
    error: Exception | None = None
    #: What the step would change, where that was asked for.
    difference: Difference | None = None

    @property
    def is_settled(self) -> bool:
        """Tell whether nobody needs to look at this environment."""
        unsettled = (Action.SKIP, Action.CONFLICT)
        return self.error is None and self.step.action not in unsettled


@dataclass(frozen=True, slots=True)
class Result:
    """One finished run."""

    location: str
    outcomes: tuple[Outcome, ...]
    #: About the run as a whole.
    warnings: tuple[str, ...] = ()
    dry_run: bool = False
