"""What rattler fetches: what channels have, what a solver chooses, and packages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import rattler
from rattler.exceptions import GatewayError, SolverError
from rattler.networking import (
    AddHeadersMiddleware,
    AuthenticationMiddleware,
    Client,
    MirrorMiddleware,
    OciMiddleware,
    RetryMiddleware,
)

from ..exceptions import EngineError
from .archive import local_path, sha256_of, verify
from .failures import REPLACED, failed_channel, failed_packages, in_one_line
from .ladder import NoSolution
from .packagecache import PackageCache
from .virtual import virtual_packages

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from pathlib import Path

    from .channels import Channels
    from .matchspec import RattlerSpec

    Package: TypeAlias = rattler.RepoDataRecord

T = TypeVar("T")

_PRIORITIES: Final = {
    "strict": rattler.ChannelPriority.Strict,
    "disabled": rattler.ChannelPriority.Disabled,
    "false": rattler.ChannelPriority.Disabled,  # as it was written before conda 4.6
}


class Gateway:
    """The way to channels for one platform, with packages kept below `cache`."""

    def __init__(
        self, channels: Channels, platform: str, cache: Path, *, retries: int = 3
    ) -> None:
        client = Client(
            [
                MirrorMiddleware(channels.mirrors()),
                AddHeadersMiddleware(self._headers),
                RetryMiddleware(retries),
                AuthenticationMiddleware(),
                OciMiddleware(),
            ]
        )
        self.cache = PackageCache(cache / "pkgs")
        self._channels = channels
        self.platform = platform
        self._platforms: list[Any] = [platform, "noarch"]
        self._gateway = rattler.Gateway(cache_dir=cache, client=client)
        #: The channels that are being asked.
        self._asked: list[str] = []

    def _headers(self, host: str, path: str) -> dict[str, str]:
        return self._channels.headers(host, path, self._asked)

    def download(self, packages: Sequence[Package]) -> None:
        """Bring packages into the cache: one request each, none for what is there.

        Verified by their sha256. Raise GoneError where some are not to be had any more,
        and no worse; EngineError, with all that failed.
        """
        for package in packages:
            path = local_path(package.url)
            if path and path.exists():  # rattler compares no hash there
                found = sha256_of(path)
                verify(package.file_name, _sha256(package), found, hint=REPLACED)
        folders = (package.url.rsplit("/", 2)[0] for package in packages)
        self._asked = list(dict.fromkeys(folders))
        with self.cache.locked():
            failed = wait(self._download(packages))
        if failed:
            raise failed_packages(failed)

    async def _download(self, packages: Sequence[Package]) -> dict[str, str]:
        """Fetch packages side by side; return which have failed, and why."""
        found = await asyncio.gather(*map(self._fetch, packages))
        names = (package.file_name for package in packages)
        return {name: why for name, why in zip(names, found, strict=True) if why}

    async def _fetch(self, package: Package) -> str:
        """Fetch a package; return why that failed, if it did."""
        self.cache.forget_wrong(package)
        try:
            await self._gateway.query(
                [], self._platforms, [_url_spec(package)], recursive=False
            )
        except GatewayError as error:
            return in_one_line(error)
        return ""

    def solve(
        self,
        specs: Sequence[RattlerSpec],
        channels: Sequence[str],
        *,
        priority: str = "",
        pinned: Sequence[Package] = (),
        constraints: Sequence[RattlerSpec] = (),
    ) -> list[Package]:
        """Choose packages; raise NoSolution, or EngineError where channels fail.

        `priority`: conda's channel_priority. `pinned` ones stay as they are, and
        nothing comes that `constraints` forbid.
        """
        urls = self._channels.urls(channels)
        if not urls:
            raise EngineError(
                "No channel is named, neither in its file nor in .condarc.",
                hint="Name those of this machine as `channels:` in ~/.condarc.",
            )
        more = (url for spec in specs for url in spec.channels)
        self._asked = list(dict.fromkeys((*urls, *more)))
        try:
            return wait(
                self._solve(
                    specs,
                    _PRIORITIES.get(priority.lower(), rattler.ChannelPriority.Flexible),
                    pinned,
                    constraints,
                )
            )
        except GatewayError as error:
            raise failed_channel(error) from error

    async def _solve(
        self,
        specs: Sequence[RattlerSpec],
        priority: rattler.ChannelPriority,
        pinned: Sequence[Package],
        constraints: Sequence[RattlerSpec],
    ) -> list[Package]:
        try:
            return await rattler.solve(
                self._asked,
                [spec.match_spec for spec in specs],
                gateway=self._gateway,
                platforms=self._platforms,
                virtual_packages=virtual_packages(self.platform),
                channel_priority=priority,
                pinned_packages=pinned,
                constraints=[spec.match_spec for spec in constraints],
            )
        except SolverError as error:
            missing = await self._missing(specs, pinned)
            names = ", ".join(map(str, missing))
            raise NoSolution(
                f"no channel has {names}" if names else in_one_line(error),
                missing=[spec.name for spec in missing],
                is_conflict=not missing,
            ) from error

    async def _missing(
        self, specs: Sequence[RattlerSpec], pinned: Sequence[Package]
    ) -> list[RattlerSpec]:
        """Return which specs no channel can meet: the solver tells one at a time."""
        names = [rattler.MatchSpec(spec.name) for spec in specs]
        parts = await self._gateway.query(
            self._asked, self._platforms, names, recursive=False
        )
        there = [*pinned, *(package for part in parts for package in part)]
        return [spec for spec in specs if not any(map(spec.matches, there))]


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run what rattler does in threads of its own, to the end."""

    async def whole() -> T:
        try:
            return await work
        finally:
            # Threads that still hold an object of ours crash an interpreter that ends.
            await asyncio.sleep(0.005)

    return asyncio.run(whole())


def _url_spec(package: Package) -> rattler.MatchSpec:
    digest = _sha256(package)
    return rattler.MatchSpec.from_url(
        f"{package.url}#sha256:{digest}" if digest else package.url
    )


def _sha256(package: Package) -> str | None:
    return package.sha256.hex() if package.sha256 else None
