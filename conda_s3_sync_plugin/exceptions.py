"""Everything that can be expected to go wrong.

S3SyncError                   (a CondaError, where there is a conda)
├── UsageError                an option or a setting makes no sense: exit code 2
│   └── LocationError         BUCKET[/PATH] cannot be read
├── SafetyError               a person should look first: exit code 3
├── StoreError                S3 refused, or could not be reached
│   ├── RemoteChangedError    somebody else wrote the object first
│   └── AccessDeniedError     it takes a permission that these credentials lack
├── EnvFileError              a document from the bucket is not usable
├── ConflictError             both sides have changed, and cannot be merged
├── EngineError               an environment could not be read, made or changed
│   ├── LocalChangedError     the environment changed under our hands
│   └── PipError              conda's part of it is in place, pip's is not, or not all
└── StateError                what is remembered is locked, or not writable
"""

from __future__ import annotations

try:
    from conda import CondaError as _Base
except Exception:  # the house stands on a machine without conda, or with half of one
    _Base = Exception


class S3SyncError(_Base):  # type: ignore[misc, valid-type, unused-ignore]
    """Say what happened, to which environment, and what to do next.

    The hint is a line of its own, shown below the message.
    """

    #: Exit code of the command; conda reads it from here.
    return_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        message, hint = visible(message), visible(hint)
        super().__init__(f"{message}\n{hint}" if hint else message)
        # Not `message`: CondaError keeps the whole text under that name.
        self.summary = message
        self.hint = hint

    def __str__(self) -> str:
        # Before 26.7, conda formats the text with `%`, which a name may contain.
        return f"{self.summary}\n{self.hint}" if self.hint else self.summary


class UsageError(S3SyncError):
    """An option or a setting makes no sense."""

    return_code = 2


class LocationError(UsageError):
    """BUCKET[/PATH] cannot be read."""


class SafetyError(S3SyncError):
    """Nothing was done, and a person should look first."""

    return_code = 3


class StoreError(S3SyncError):
    """S3 refused, or could not be reached."""


class RemoteChangedError(StoreError):
    """Somebody else wrote the object first."""


class AccessDeniedError(StoreError):
    """It takes a permission that these credentials lack."""


class EnvFileError(S3SyncError):
    """A document from the bucket is not usable."""


class ConflictError(S3SyncError):
    """Both sides of an environment have changed, and cannot be merged."""


class EngineError(S3SyncError):
    """An environment could not be read, made or changed."""


class LocalChangedError(EngineError):
    """The environment changed under our hands."""


class PipError(EngineError):
    """The conda part of an environment is in place, pip's is not, or not all of it.

    `why`: pip's own words, if it came to that.
    """

    def __init__(self, message: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(f"{message}: {why}" if why else message, hint=hint)
        self.why = why


class StateError(S3SyncError):
    """What this machine remembers is locked, or cannot be written."""


def summary_of(error: BaseException) -> str:
    """Return the message of an error without its hint."""
    if isinstance(error, S3SyncError):
        return error.summary
    return visible(f"{type(error).__name__}: {' '.join(str(error).split())}")


def hint_of(error: BaseException) -> str:
    """Return what to do about an error."""
    if isinstance(error, S3SyncError):
        return error.hint
    return "That is a mistake of conda s3-sync; -vv shows where."


def visible(text: str) -> str:
    """Spell out what a terminal would obey, or cannot show: names may hold anything."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )
