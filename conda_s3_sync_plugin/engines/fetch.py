"""Packages on their way into conda's package cache: authorized, and verified."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from conda.base.context import context
from conda.core.package_cache_data import PackageCacheData, ProgressiveFetchExtract
from conda.exceptions import CondaHTTPError, PathNotFoundError
from conda.models.channel import Channel
from conda.models.records import PackageRecord

from .archive import local_path, sha256_of, verify
from .manners import leaves, quiet
from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a channel over HTTP says of a package that it does not have (any more), and
#: what conda says where nobody answers.
_NOT_FOUND = (404, 410)
_UNREACHABLE = "000"

_REPLACED = (
    "Its channel, or the package cache, holds another file of that name: "
    "try `conda clean --packages --tarballs`."
)


def record(entry: Mapping[str, Any]) -> PackageRecord:
    """Turn an entry of a lock into what conda works with."""
    return PackageRecord(**{**entry, "channel": entry["url"].rsplit("/", 1)[0]})


def fetch(packages: Sequence[PackageRecord]) -> None:
    """Bring packages into the package cache, authorized, and verify every hash.

    conda compares no sha256 of a package that it has already, and nothing at all of one
    from a `file:` channel. Raise EngineError, or what conda raises.
    """
    for package in packages:
        path = local_path(package.url)
        if path and path.exists():  # otherwise conda says so in its own words
            verify(package.fn, package.get("sha256"), sha256_of(path), hint=_REPLACED)
    channels = private_channels()
    with quiet():
        # A list: conda goes through it more than once.
        ProgressiveFetchExtract(
            [_with_credentials(item, channels) for item in packages]
        ).execute()
    for package in packages:
        cached = PackageCacheData.get_entry_to_link(package)
        archive = Path(cached.package_tarball_full_path)
        found = cached.get("sha256")
        if found is None and archive.exists():  # fetched by who knew no sha256
            found = sha256_of(archive)
        verify(package.fn, package.get("sha256"), found, hint=_REPLACED)


def gone_files(error: Exception) -> set[str]:
    """Return which packages are just not there any more; empty: it is worse."""
    places = set(map(_missing_place, leaves(error)))
    return {PurePosixPath(place).name for place in places} if all(places) else set()


def _missing_place(error: BaseException) -> str:
    """Return the address of a package that is not there; empty: it is worse."""
    about = getattr(error, "_kwargs", {})
    if isinstance(error, PathNotFoundError):
        return str(about["path"])
    status = about.get("status_code") if isinstance(error, CondaHTTPError) else None
    return str(about["url"]) if status in (*_NOT_FOUND, _UNREACHABLE) else ""


def is_unreachable(error: Exception) -> bool:
    """Tell whether there are channels from which nobody answers."""
    return any(
        getattr(leaf, "_kwargs", {}).get("status_code") == _UNREACHABLE
        for leaf in leaves(error)
    )


def private_channels() -> dict[str, Channel]:
    """Return this machine's channels that need a login, by their address without it.

    What comes from the bucket holds no secrets.
    """
    return {
        channel.base_url: channel
        for name in context.channels
        for channel in Channel(name).channels
        if channel.token or channel.auth
    }


def _with_credentials(
    package: PackageRecord, channels: Mapping[str, Channel]
) -> PackageRecord:
    """Add this machine's login to where a package comes from."""
    plain_url = without_credentials(package.url)
    folder, _, place = plain_url.rpartition(f"/{package.subdir}/")
    if channel := channels.get(folder):
        secret = channel.urls(with_credentials=True, subdirs=(package.subdir,))[0]
        return PackageRecord.from_objects(
            package, url=f"{secret}/{place}", channel=secret
        )
    return package
