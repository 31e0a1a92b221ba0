"""BUCKET[/PATH], the keys below it, and which names an environment may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .exceptions import LocationError
from .versions import DIGITS, Kind

if TYPE_CHECKING:
    from datetime import datetime

#: Endings of environment files. Others below PATH are none of our business.
ENDINGS = (".yml", ".yaml")

#: Where everything but the environment files is kept, below PATH.
ARCHIVE = ".s3-sync"

#: The name of the base environment in the bucket.
ROOT = "root"

#: How the time of a version is written in its key, in UTC: keys sort by it.
STAMP: Final = "%Y%m%dT%H%M%S.%fZ"

#: What comes behind time and digest; the first one that fits counts.
KINDS: Final = {
    Kind.LOSER: ".loser.yml",
    Kind.ASIDE: ".aside.yml",
    Kind.VERSION: ".yml",
    Kind.DELETED: ".deleted",
}

#: What means itself to every shell.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")

#: What a shell runs where it is in a prompt: there goes the name of what is active.
_RUN = re.compile(r"`|\$[({\[]")

#: S3's rule for new buckets, and the underscores and capitals of old ones.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

#: What ends the address of a lock: in a bucket, or as it is exported by hand.
_LOCK_URL = re.compile(
    rf"(/{re.escape(ARCHIVE)}/[^/]+/[0-9a-f]{{{DIGITS}}}\.[\w-]+|[/.]s3-sync\.lock)\.json$"
)

#: Room for the longest history key below a long PATH, and for a file name: in bytes, as
#: S3 and file systems count.
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a path in it, without slashes at its ends."""

    bucket: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read `[s3://]BUCKET[/PATH]`; empty segments and final slashes do not count.

        Raise LocationError.
        """
        bucket, *path = text.strip().removeprefix("s3://").split("/")
        segments = [segment for segment in path if segment]
        if not _BUCKET.fullmatch(bucket):
            raise LocationError(
                f"{shown(text)!r} names no bucket.",
                hint="Write BUCKET or BUCKET/PATH, for example my-bucket/team.",
            )
        if {".", ".."} & set(segments):
            raise LocationError(
                f"{text!r} has a path with dots for a segment.",
                hint="S3 has no folders: write the path out, such as my-bucket/a/b.",
            )
        if ARCHIVE in segments:
            raise LocationError(
                f"{text!r} leads into the history of another location.",
                hint=f"Leave out {ARCHIVE} and what follows it.",
            )
        return cls(bucket, "/".join(segments))

    def __str__(self) -> str:
        return "/".join(filter(None, ("s3:/", self.bucket, self.path)))

    @property
    def prefix(self) -> str:
        """What the keys of this location begin with."""
        return f"{self.path}/" if self.path else ""

    def key(self, name: str) -> str:
        """Return the key of an environment file."""
        return f"{self.prefix}{name}{ENDINGS[0]}"

    def name(self, key: str) -> str | None:
        """Return the name that a key gives an environment; None: it is none of ours."""
        file = key.removeprefix(self.prefix)
        for ending in ENDINGS:
            if file.endswith(ending) and "/" not in file:
                return file.removesuffix(ending)
        return None

    def history_prefix(self, name: str) -> str:
        """Return what all keys in the history of an environment begin with."""
        return f"{self.prefix}{ARCHIVE}/{name}/"

    def history_key(
        self, name: str, modified: datetime, digest: str, kind: Kind = Kind.VERSION
    ) -> str:
        """Return the key of one version: the same one for the same content and time."""
        stamp = modified.strftime(STAMP)
        return f"{self.history_prefix(name)}{stamp}-{digest[:DIGITS]}{KINDS[kind]}"

    def lock_key(self, name: str, digest: str, platform: str) -> str:
        """Return the key of the exact lock of one version for one platform."""
        return f"{self.history_prefix(name)}{digest[:DIGITS]}.{platform}.json"

    @property
    def probe_key(self) -> str:
        """Return the key on which it is tried out how a server takes conditions."""
        return f"{self.prefix}{ARCHIVE}/.probe"


def is_lock_url(url: str) -> bool:
    """Tell by its address alone whether something is a lock."""
    return _LOCK_URL.search(url) is not None


def shown(text: str) -> str:
    """Return a location without the keys that other programs take in front of it."""
    keys, _, rest = text.strip().removeprefix("s3://").rpartition("@")
    return rest if ":" in keys else text


def quoted(word: str) -> str:
    """Return a word as people can copy it into a shell."""
    if _PLAIN.fullmatch(word):
        return word
    inside = word.replace("'", "'\"'\"'")
    return f"'{inside}'"


def name_problem(name: str) -> str:
    """Say why an environment cannot have this name; empty: it can.

    Stricter than conda, because names come from a bucket, too, and become folders.
    """
    if not name or name.startswith((".", "-")):
        return "a name must not be empty, nor begin with a dot or a dash"
    if len(name.encode(errors="replace")) > _LONGEST_NAME:
        return f"a name must not be longer than {_LONGEST_NAME} bytes"
    if name in ("base", ROOT):
        return f"{name!r} is the name of the base environment"
    if bad := [sign for sign in name if sign in "/\\:#" or sign.isspace()]:
        return f"a name must not contain {bad[0]!r}"
    if not name.isprintable():
        return "a name must not contain control characters"
    if found := _RUN.search(name):
        return f"a name must not contain {found[0]!r}: shells run what follows"
    return ""
