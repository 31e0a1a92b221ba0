"""The engine for machines without conda, on py-rattler."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING

import rattler

from ..exceptions import EngineError, S3SyncError, UsageError
from . import history
from . import prefix as plain
from .abstract import AbstractEngine
from .channels import Channels
from .failures import in_one_line
from .gateway import Gateway
from .installation import places
from .installer import installed, package_from
from .linking import mirror
from .matchspec import RattlerSpec
from .packagecache import cache_folder
from .virtual import HERE, is_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..condarc import Condarc
    from .prefix import Record

    Package = rattler.RepoDataRecord


class RattlerEngine(AbstractEngine[rattler.RepoDataRecord, RattlerSpec]):
    """Read, make and change environments where there is no conda.

    `root`: the prefix of the base environment. `secrets`: variables that look like one
    are synchronized, too.
    """

    def __init__(self, root: Path, condarc: Condarc, *, secrets: bool = False) -> None:
        subdir = condarc.text("subdir", HERE)
        if not is_platform(subdir):
            raise UsageError(f"subdir: {subdir} is no platform that rattler knows.")
        super().__init__(
            places(root, condarc),
            subdir,
            protects_frozen=condarc.flag("protect_frozen_envs", default=True),
            secrets=secrets,
        )
        self._channels = Channels(condarc)
        self._retries = condarc.text("remote_max_retries")
        self._priority = condarc.text("channel_priority")
        self._registers = condarc.flag("register_envs", default=True)

    @cached_property
    def _gateway(self) -> Gateway:
        return Gateway(
            self._channels,
            self.platform,
            cache_folder(),
            retries=int(self._retries) if self._retries.isdecimal() else 3,
        )

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except S3SyncError:
            raise
        except BaseException as error:
            # A panic of rattler's is no Exception.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise EngineError(f"{what}: {in_one_line(error)}") from error
            raise

    def _requested(self, prefix: Path) -> list[str]:
        return list(self._requests(prefix).values())

    def _requests(self, prefix: Path) -> dict[str, str]:
        return history.requested(prefix, lambda text: self._spec(text).name)

    def _spec(self, text: str) -> RattlerSpec:
        return RattlerSpec.parse(text, self._channels)

    def _package(self, entry: Record) -> Package:
        return package_from(entry)

    def _name(self, package: Package) -> str:
        return str(package.name.normalized)

    def _download(self, packages: Sequence[Package]) -> None:
        self._gateway.download(packages)

    def _solve(
        self, specs: Sequence[RattlerSpec], channels: Sequence[str]
    ) -> list[Package]:
        return self._gateway.solve(specs, channels, priority=self._priority)

    def _solve_addition(
        self, prefix: Path, specs: Sequence[RattlerSpec], channels: Sequence[str]
    ) -> list[Package]:
        have = {self._name(package): package for package in installed(prefix)}
        kept = [self._spec(f"{name}=={have[name].version}") for name in have]
        found = self._gateway.solve(
            [*specs, *kept],
            channels,
            priority=self._priority,
            pinned=list(have.values()),
            constraints=[self._spec(line) for line in plain.pinned(prefix)],
        )
        return [package for package in found if self._name(package) not in have]

    def _link(
        self,
        prefix: Path,
        packages: Sequence[Package],
        requested: Sequence[str],
        *,
        prune: bool,
    ) -> None:
        asked = self._requests(prefix)
        wishes = {self._spec(text).name: text for text in requested}
        if not prune:
            new = {self._name(package) for package in packages}
            wishes = {**asked, **wishes}
            rest = (item for item in installed(prefix) if self._name(item) not in new)
            packages = [*packages, *rest]
        mirror(self._gateway, prefix, packages, asked, wishes)
        if self._registers:
            self._places.register(prefix)

    def _remove(self, prefix: Path) -> None:
        mirror(self._gateway, prefix, (), self._requests(prefix), {})

    def _relink(self, prefix: Path, names: Sequence[str]) -> None:
        packages = [
            self._package(plain.lockable(record)) for record in plain.records(prefix)
        ]
        asked = self._requests(prefix)
        mirror(self._gateway, prefix, packages, asked, asked, again=names)
