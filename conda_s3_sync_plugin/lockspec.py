"""The lock as one of the formats that conda itself reads and writes.

Loaded on every conda command, because conda's help lists the formats.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from conda.plugins import types

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conda.models.environment import Environment

FORMAT: Final = "s3-sync-lock"

#: What is read, and written, as a lock because of its name.
FILES: Final = ("s3-sync.lock.json", "*.s3-sync.lock.json")


class LockSpec(types.EnvironmentSpecBase):  # type: ignore[misc, unused-ignore]
    """A lock, as conda is given it: a file, or a URL of a kind that it can read."""

    def __init__(self, filename: str | None = None, **_: object) -> None:
        self._source = filename or ""

    def can_handle(self) -> bool:
        """Tell whether this is a lock, maybe a damaged one; reads little of a file.

        Of what is elsewhere, only the address counts: conda asks about each file that
        it is given.
        """
        from .location import is_lock_url
        from .lockfile import LONGEST_BEGINNING, begins_lock

        path = self._path()
        if path is None:
            return is_lock_url(self._source)
        try:
            with path.open("rb") as file:
                return begins_lock(file.read(LONGEST_BEGINNING))
        except (OSError, ValueError):
            return False

    @property
    def env(self) -> Environment:
        """What conda has to install; raise S3SyncError, or what conda raises."""
        from .byhand import environment_of

        return environment_of(self._source, self._read())

    def _path(self) -> Path | None:
        """Return where it is on this machine; None: elsewhere."""
        from pathlib import Path

        from .engines.archive import local_path

        is_url = "://" in self._source
        return local_path(self._source) if is_url else Path(self._source)

    def _read(self) -> bytes:
        from conda.gateways.connection.download import download_text

        from .exceptions import EnvFileError

        path = self._path()
        if path is None:
            return str(download_text(self._source)).encode()
        try:
            return path.read_bytes()
        except OSError as error:
            raise EnvFileError(f"{path} cannot be read: {error.strerror}.") from None


def specifier() -> types.CondaEnvironmentSpecifier:
    """Return the format as conda reads it."""
    return _made(types.CondaEnvironmentSpecifier, environment_spec=LockSpec)


def exporter() -> types.CondaEnvironmentExporter:
    """Return the format as conda writes it."""
    return _made(types.CondaEnvironmentExporter, export=_export)


def _export(environment: Environment) -> str:
    from .byhand import export

    return export(environment)


def _made(kind: Callable[..., Any], **what: object) -> Any:  # noqa: ANN401
    """Describe the format, in as many words as this release of conda knows.

    One too many, and neither `conda create` nor `conda export` would work at all.
    """
    what |= {
        "name": FORMAT,
        "aliases": ("s3-sync",),
        "default_filenames": FILES,
        "description": "Exact lock of conda s3-sync, for one platform",
    }
    if hasattr(types, "EnvironmentFormat"):
        what["environment_format"] = types.EnvironmentFormat.lockfile
    known = signature(kind).parameters
    return kind(**{name: what[name] for name in what if name in known})
