"""The engine for machines without conda, on py-rattler."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rattler

from ..exceptions import EngineError, S3SyncError
from . import history
from . import prefix as plain
from .abstract import AbstractEngine
from .channels import Channels
from .gateway import HERE, Gateway, cache_folder, in_one_line, wait
from .installation import places
from .matchspec import RattlerSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..condarc import Condarc
    from .prefix import Record

    Package = rattler.RepoDataRecord

#: Readable for everybody, as conda makes them.
_RECORD_MODE = 0o644


class RattlerEngine(AbstractEngine[rattler.RepoDataRecord, RattlerSpec]):
    """Read, make and change environments where there is no conda.

    `root`: the prefix of the base environment. `secrets`: variables that look like one
    are synchronized, too.
    """

    def __init__(self, root: Path, condarc: Condarc, *, secrets: bool = False) -> None:
        super().__init__(
            places(root, condarc),
            condarc.text("subdir", HERE),
            protects_frozen=condarc.flag("protect_frozen_envs", default=True),
            secrets=secrets,
        )
        self._channels = Channels(condarc)
        self._gateway = Gateway(self._channels, self.platform, cache_folder())
        self._priority = condarc.text("channel_priority")
        self._registers = condarc.flag("register_envs", default=True)

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
        channel = entry["url"].rsplit("/", 2)[0]
        rest = {"files": [], "paths_data": {"paths": [], "paths_version": 1}}
        # Its own class knows fewer fields, and what repodata has corrected must stay.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "record.json")
            path.write_text(json.dumps({**entry, "channel": channel, **rest}))
            return rattler.PrefixRecord.from_path(path)

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
        have = {self._name(package): package for package in _installed(prefix)}
        kept = [self._spec(f"{name}=={have[name].version}") for name in have]
        found = self._gateway.solve(
            [*specs, *kept],
            channels,
            priority=self._priority,
            pinned=list(have.values()),
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
        before = plain.records(prefix)
        asked = self._requests(prefix)
        wishes = {self._spec(text).name: text for text in requested}
        new = {self._name(package) for package in packages}
        rest = [item for item in _installed(prefix) if self._name(item) not in new]
        self._install(prefix, packages if prune else [*packages, *rest])
        history.record_revision(
            prefix, before, asked, wishes if prune else {**asked, **wishes}
        )
        if self._registers:
            self._places.register(prefix)

    def _relink(self, prefix: Path, names: Sequence[str]) -> None:
        packages = [
            self._package(plain.lockable(record)) for record in plain.records(prefix)
        ]
        self._download([item for item in packages if self._name(item) in names])
        self._install(prefix, packages, again=names)

    def _install(
        self, prefix: Path, packages: Sequence[Package], *, again: Iterable[str] = ()
    ) -> None:
        """Leave exactly these packages in a prefix; where that fails, what was there.

        All of them are in the cache: rattler takes old ones away before it fetches.
        """
        existed = os.path.lexists(prefix)
        before, old = _installed(prefix), _files(prefix)
        try:
            self._transact(prefix, packages, before, again)
        except BaseException:
            if existed:
                # As far as that is possible: what was there may not be in the cache.
                with contextlib.suppress(Exception):
                    self._transact(prefix, before, _installed(prefix), ())
            else:
                shutil.rmtree(prefix, ignore_errors=True)
            raise
        finally:
            if os.path.lexists(prefix):
                _sweep(prefix, old - _files(prefix))

    def _transact(
        self,
        prefix: Path,
        packages: Sequence[Package],
        before: Sequence[Any],
        again: Iterable[str],
    ) -> None:
        scripts = _Scripts()
        wait(
            rattler.install(
                list(packages),
                prefix,
                cache_dir=self._gateway.packages,
                client=self._gateway.client,
                installed_packages=list(before),
                reinstall_packages=set(again),
                execute_link_scripts=True,  # as conda does
                show_progress=False,
                reporter=scripts,
            )
        )
        for path in (prefix / "conda-meta").glob("*.json"):
            path.chmod(_RECORD_MODE)
        if scripts.failed:
            raise EngineError(
                f"The link script of {', '.join(scripts.failed)} has failed."
            )


class _Scripts:
    """Watch an installation for link scripts that fail: rattler goes on after them."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._names: list[str] = []

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        """Note the package, and return what names it; called from several threads."""
        self._names.append(package_name)
        return self._names.index(package_name)

    def on_post_link_complete(self, index: int, success: bool) -> None:
        """See whether its script has succeeded."""
        if not success:
            self.failed.append(self._names[index])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("on_"):
            return lambda *args: 0  # rattler asks for all there are
        raise AttributeError(name)


def _installed(prefix: Path) -> list[Any]:
    """Return the packages of a prefix as rattler reads them."""
    paths = sorted((prefix / "conda-meta").glob("*.json"))
    return [rattler.PrefixRecord.from_path(path) for path in paths]


def _files(prefix: Path) -> set[str]:
    """Return the files of all packages of a prefix."""
    return {file for record in plain.records(prefix) for file in record["files"]}


def _sweep(prefix: Path, files: Iterable[str]) -> None:
    """Remove what rattler leaves of packages that conda had linked.

    conda's records name the files of noarch packages as they are in the archive, and
    rattler looks for them there.
    """
    for path in (prefix / file for file in files):
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == prefix or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
