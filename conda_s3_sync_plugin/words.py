"""The words of the command line, of settings and of reports."""

from __future__ import annotations

from enum import Enum


class Word(str, Enum):
    """A word of the command line, of settings or of reports."""

    def __str__(self) -> str:
        return str(self.value)


class Prefer(Word):
    """Which side wins where both have changed."""

    NEWEST = "newest"
    LOCAL = "local"
    REMOTE = "remote"
    NONE = "none"
    MERGE = "merge"


class Direction(Word):
    """Which ways environments may travel."""

    BOTH = "both"
    PUSH = "push"
    PULL = "pull"


class Action(Word):
    """What is done about one environment."""

    PUSH = "push"
    PULL = "pull"
    MERGE = "merge"
    ADOPT = "adopt"
    NOTHING = "nothing"
    FORGET = "forget"
    CONFLICT = "conflict"
    HOLD = "hold"
    SKIP = "skip"
    RESTORE = "restore"
    DELETE_LOCAL = "delete-local"
    DELETE_REMOTE = "delete-remote"


REMOVALS = (Action.DELETE_LOCAL, Action.DELETE_REMOTE)


class Conditions(Word):
    """How an S3 server takes `If-Match`, as far as it is known."""

    QUOTED = "quoted"
    BARE = "bare"
    NONE = "none"
