"""The engine for machines without conda, on py-rattler.

The library is imported by what works with packages: most runs have nothing to do, and
do without.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING

from ..exceptions import EngineError, S3SyncError, UsageError
from . import history
from . import prefix as plain
from .abstract import AbstractEngine
from .channels import Channels
from .failures import in_one_line
from .installation import places
from .linking import mirror
from .packagecache import cache_folder
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import rattler

    from ..condarc import Condarc
    from .gateway import Gateway
    from .matchspec import RattlerSpec
    from .prefix import Record

    Package = rattler.RepoDataRecord


class RattlerEngine(AbstractEngine["Package", "RattlerSpec"]):
    """Read, make and change environments where there is no conda.

    `root`: the prefix of the base environment. `secrets`: variables that look like one
    are synchronized, too.
    """

    def __init__(self, root: Path, condarc: Condarc, *, secrets: bool = False) -> None:
        super().__init__(
            places(root, condarc),
            protects_frozen=condarc.flag("protect_frozen_envs", default=True),
            secrets=secrets,
        )
        self._subdir = condarc.text("subdir")
        if self._subdir:
            _check_platform(self._subdir)
        self._channels = Channels(condarc)
        self._retries = condarc.text("remote_max_retries")
        self._priority = condarc.text("channel_priority")
        self._worker = Worker()
        self._registers = condarc.flag("register_envs", default=True)

    @cached_property
    def platform(self) -> str:
        """Return the platform that is set, or else that of this machine."""
        from .virtual import HERE

        return self._subdir or HERE

    @cached_property
    def _gateway(self) -> Gateway:
        from .gateway import Gateway

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
        from .matchspec import RattlerSpec

        return RattlerSpec.parse(text, self._channels)

    def _package(self, entry: Record) -> Package:
        from .installer import package_from

        return package_from(entry)

    def _name(self, package: Package) -> str:
        return str(package.name.normalized)

    def _build(self, package: Package) -> tuple[str, str, str]:
        return self._name(package), str(package.version), str(package.build)

    def _download(self, packages: Sequence[Package]) -> None:
        self._gateway.download(packages)

    def _solve(
        self, specs: Sequence[RattlerSpec], channels: Sequence[str]
    ) -> list[Package]:
        return self._gateway.solve(specs, channels, priority=self._priority)

    def _solve_addition(
        self, prefix: Path, specs: Sequence[RattlerSpec], channels: Sequence[str]
    ) -> list[Package]:
        from .installer import installed

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
        from .installer import installed

        asked = self._requests(prefix)
        wishes = {self._spec(text).name: text for text in requested}
        if not prune:
            new = {self._name(package) for package in packages}
            wishes = {**asked, **wishes}
            rest = (item for item in installed(prefix) if self._name(item) not in new)
            packages = [*packages, *rest]
        mirror(self._gateway, self._worker, prefix, packages, asked, wishes)
        if self._registers:
            self._places.register(prefix)

    def _remove(self, prefix: Path) -> None:
        mirror(self._gateway, self._worker, prefix, (), self._requests(prefix), {})

    def _relink(self, prefix: Path, names: Sequence[str]) -> None:
        packages = [
            self._package(plain.lockable(record)) for record in plain.records(prefix)
        ]
        asked = self._requests(prefix)
        mirror(self._gateway, self._worker, prefix, packages, asked, asked, again=names)


def _check_platform(name: str) -> None:
    """Raise UsageError where there are no packages for a platform of that name."""
    from .virtual import is_platform

    if not is_platform(name):
        raise UsageError(f"subdir: {name} is no platform that rattler knows.")
