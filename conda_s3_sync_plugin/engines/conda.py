"""The engine that is conda itself, through its Python API."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conda.base.context import context, reset_context
from conda.core.envs_manager import get_user_environments_txt_file
from conda.models.records import PackageRecord

from ..exceptions import EngineError
from .abstract import AbstractEngine
from .choice import GoneError
from .fetch import fetch, gone_files, is_unreachable, record
from .installation import installation_at
from .manners import in_one_line, translated
from .places import Places
from .solve import CondaSpec, solve, solve_addition
from .transaction import guarded, mirror, relink, requested_specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from .prefix import Record


def use_installation(path: str) -> None:
    """Act on another conda installation than the running one; raise UsageError.

    `path`: its conda executable, or its folder.
    """
    root = installation_at(path)
    # CONDA_ROOT is where conda looks for the `.condarc` of an installation.
    os.environ.update(CONDA_ROOT=str(root), CONDA_ROOT_PREFIX=str(root))
    reset_context(argparse_args=context._argparse_args)


@contextlib.contextmanager
def without_flags() -> Iterator[None]:
    """Let conda forget the flags of its command, such as --no-deps or a channel."""
    flags = context._argparse_args
    reset_context()
    try:
        yield
    finally:
        reset_context(argparse_args=flags)


class CondaEngine(AbstractEngine[PackageRecord, CondaSpec]):
    """Read, make and change the environments of one conda installation.

    `secrets`: variables that look like one are synchronized, too.
    """

    def __init__(self, *, secrets: bool = False) -> None:
        places = Places(
            Path(context.root_prefix),
            tuple(map(Path, context.envs_dirs)),
            Path(get_user_environments_txt_file()),
        )
        super().__init__(
            places,
            protects_frozen=context.protect_frozen_envs,
            secrets=secrets,
        )

    @property
    def platform(self) -> str:
        """Return the platform that conda is set to."""
        return str(context.subdir)

    def _errors(self, what: str) -> AbstractContextManager[None]:
        return translated(what)

    def _requested(self, prefix: Path) -> list[str]:
        return [spec for _, spec in requested_specs(prefix)]

    def _spec(self, text: str) -> CondaSpec:
        return CondaSpec.parse(text)

    def _package(self, entry: Record) -> PackageRecord:
        return record(entry)

    def _name(self, package: PackageRecord) -> str:
        return str(package.name)

    def _build(self, package: PackageRecord) -> tuple[str, str, str]:
        return package.name, package.version, package.build

    def _download(self, packages: Sequence[PackageRecord]) -> None:
        try:
            fetch(packages)
        except EngineError:
            raise
        except Exception as error:
            if files := gone_files(error):
                raise GoneError(
                    in_one_line(error),
                    files=files,
                    may_return=is_unreachable(error),
                ) from error
            raise

    def _solve(
        self, specs: Sequence[CondaSpec], channels: Sequence[str]
    ) -> list[PackageRecord]:
        return solve(specs, channels)

    def _solve_addition(
        self, prefix: Path, specs: Sequence[CondaSpec], channels: Sequence[str]
    ) -> list[PackageRecord]:
        return solve_addition(prefix, specs, channels)

    def _link(
        self,
        prefix: Path,
        packages: Sequence[PackageRecord],
        requested: Sequence[str],
        *,
        prune: bool,
    ) -> None:
        with guarded(prefix):
            mirror(prefix, packages, requested, prune=prune)

    def _remove(self, prefix: Path) -> None:
        with guarded(prefix):
            mirror(prefix, (), (), prune=True)

    def _relink(self, prefix: Path, names: Sequence[str]) -> None:
        with guarded(prefix):
            relink(prefix, names)
