"""What rattler fetches: what channels have, what a solver chooses, and packages."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
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
from .abstract import GoneError
from .archive import local_path, sha256_of, verify
from .ladder import NoSolution
from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from .channels import Channels
    from .matchspec import RattlerSpec

    Package: TypeAlias = rattler.RepoDataRecord

T = TypeVar("T")

#: The name of the class has changed with 0.27.
_Platform: Final[Any] = getattr(rattler, "Subdir", None) or rattler.Platform
_Build: Final[Any] = getattr(rattler.package, "BuildString", str)

HERE: Final = str(_Platform.current())

#: What solvers count on where they cannot look, on a platform that is not this one.
_VIRTUAL: Final = {
    "linux": {"unix": "0", "linux": "0", "glibc": "2.17"},
    "osx": {"unix": "0", "osx": "11.0"},
    "win": {"win": "0"},
}


class Gateway:
    """The way to channels for one platform, with packages kept below `cache`."""

    def __init__(self, channels: Channels, platform: str, cache: Path) -> None:
        self.client = Client(
            [
                MirrorMiddleware(channels.mirrors()),
                AddHeadersMiddleware(channels.headers),
                RetryMiddleware(),
                AuthenticationMiddleware(),
                OciMiddleware(),
            ]
        )
        self.packages = cache / "pkgs"
        self._channels = channels
        self._platforms: list[Any] = [platform, "noarch"]
        self._gateway = rattler.Gateway(cache_dir=cache, client=self.client)

    def download(self, packages: Sequence[Package]) -> None:
        """Bring packages into the cache: one request each, none for what is there.

        Verified by their sha256. Raise GoneError where some are not in their channels
        any more, and no worse; EngineError, with all that failed.
        """
        for package in packages:
            path = local_path(package.url)
            if path and path.exists():  # rattler compares no hash there
                verify(package.file_name, _hex(package.sha256), sha256_of(path))
        failed = wait(self._download(packages))
        if not failed:
            return
        why = "; ".join(dict.fromkeys(f"{what}: {why}" for what, why in failed))
        if all(_is_gone(why) for _, why in failed):
            raise GoneError(why)
        raise EngineError(why, hint=login_hint(why))

    async def _download(self, packages: Sequence[Package]) -> list[tuple[str, str]]:
        """Fetch packages side by side; return which have failed, and why."""
        tasks = (
            self._gateway.query([], self._platforms, [_url_spec(item)], recursive=False)
            for item in packages
        )
        results = await asyncio.gather(*tasks, return_exceptions=True)
        failed = []
        for package, result in zip(packages, results, strict=True):
            if isinstance(result, GatewayError):
                self._discard(package)
                failed.append((package.file_name, in_one_line(result)))
            elif isinstance(result, BaseException):
                raise result
        return failed

    def _discard(self, package: Package) -> None:
        """Remove a package from the cache.

        rattler notes the hash that it hopes for beside what it has: the next attempt
        would take the wrong one for right.
        """
        name = f"{package.name.normalized}-{package.version}-{package.build}"
        shutil.rmtree(self.packages / name, ignore_errors=True)
        (self.packages / f"{name}.lock").unlink(missing_ok=True)

    def solve(
        self,
        specs: Sequence[RattlerSpec],
        channels: Sequence[str],
        *,
        priority: str = "",
        pinned: Sequence[Package] = (),
    ) -> list[Package]:
        """Choose packages; raise NoSolution, or EngineError where channels fail.

        `priority`: conda's channel_priority. `pinned` ones stay as they are.
        """
        urls = self._channels.urls(channels)
        urls += [spec.channel for spec in specs if spec.channel not in (*urls, "")]
        if not urls:
            raise EngineError(
                "No channel is named, neither in its file nor in .condarc.",
                hint="Name those of this machine as `channels:` in ~/.condarc.",
            )
        strict, disabled = (
            rattler.ChannelPriority.Strict,
            rattler.ChannelPriority.Disabled,
        )
        # Flexible, conda's default: what the first channel cannot give, others may.
        tries = {"strict": [strict], "disabled": [disabled]}
        return wait(
            self._solve(specs, urls, tries.get(priority, [strict, disabled]), pinned)
        )

    async def _solve(
        self,
        specs: Sequence[RattlerSpec],
        urls: list[str],
        priorities: Sequence[rattler.ChannelPriority],
        pinned: Sequence[Package],
    ) -> list[Package]:
        problem: Any = None
        try:
            for priority in priorities:
                try:
                    return await rattler.solve(
                        urls,
                        [spec.match_spec for spec in specs],
                        gateway=self._gateway,
                        platforms=self._platforms,
                        virtual_packages=_virtual_packages(self._platforms[0]),
                        channel_priority=priority,
                        pinned_packages=pinned,
                    )
                except SolverError as error:
                    problem = problem or error
            missing = await self._missing(specs, urls)
        except GatewayError as error:
            why = in_one_line(error)
            raise EngineError(why, hint=login_hint(why)) from error
        names = ", ".join(map(str, missing))
        raise NoSolution(
            f"no channel has {names}" if names else in_one_line(problem),
            missing=[spec.name for spec in missing],
            is_conflict=not missing,
        ) from problem

    async def _missing(
        self, specs: Sequence[RattlerSpec], urls: list[str]
    ) -> list[RattlerSpec]:
        """Return which specs no channel can meet: the solver tells one at a time."""
        names = [rattler.MatchSpec(spec.name) for spec in specs]
        parts = await self._gateway.query(urls, self._platforms, names, recursive=False)
        there = [package for part in parts for package in part]
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


def cache_folder() -> Path:
    """Return where rattler keeps packages for all that is built on it, such as pixi."""
    if given := os.environ.get("RATTLER_CACHE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        usual = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        usual = "~/Library/Caches"
    else:
        usual = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(usual, "rattler", "cache").expanduser()


def in_one_line(error: BaseException) -> str:
    """Say what went wrong as rattler says it, without line breaks and secrets."""
    text = str(error).replace("\nCaused by: ", ": ").replace("└─ ", "")
    text = text.removeprefix("Cannot solve the request because of: ")
    return without_credentials(" ".join(text.split())) or type(error).__name__


def login_hint(why: str) -> str:
    """Return what to do where a channel lets nobody in."""
    if "401" in why or "403" in why:
        return (
            "A login goes into `channels:` of .condarc, as https://USER:PASSWORD@HOST/"
            "... or https://HOST/t/TOKEN/..., or into ~/.netrc."
        )
    return ""


def _is_gone(why: str) -> bool:
    return "404 Not Found" in why or "No such file or directory" in why


def _url_spec(package: Package) -> rattler.MatchSpec:
    digest = _hex(package.sha256)
    return rattler.MatchSpec.from_url(
        f"{package.url}#sha256:{digest}" if digest else package.url
    )


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest else None


def _virtual_packages(platform: str) -> list[Any]:
    """Return what a solver may count on: what is here, or elsewhere what is usual."""
    if platform == HERE:
        overrides = rattler.VirtualPackageOverrides.from_env()
        return list(rattler.VirtualPackage.detect(overrides))
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(f"__{name}"),
            rattler.Version(
                os.environ.get(f"CONDA_OVERRIDE_{name.upper()}") or version
            ),
            _Build("0"),
        )
        for name, version in _VIRTUAL.get(platform.partition("-")[0], {}).items()
    ]
