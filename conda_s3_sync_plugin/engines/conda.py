"""The engine that is conda itself, through its Python API."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conda.base.context import context, reset_context
from conda.core.envs_manager import get_user_environments_txt_file
from conda.core.prefix_data import PrefixData
from conda.exceptions import CondaHTTPError, PathNotFoundError
from conda.models.match_spec import MatchSpec

from ..exceptions import EngineError, UsageError
from ..location import ROOT
from . import extras
from . import prefix as plain
from .solve import solve, solve_addition, solve_relaxed
from .transaction import (
    check_changeable,
    fetch,
    guarded,
    in_order,
    leaves,
    mirror,
    record,
    requested_specs,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ..models import EnvFile, Export, LocalEnv, Lock, Unknown


def use_installation(path: str) -> None:
    """Act on another conda installation than the running one; raise UsageError.

    `path`: its conda executable, or its folder.
    """
    place = Path(shutil.which(path) or path).expanduser().resolve()
    root = place if place.is_dir() else place.parent.parent
    if not (root / "conda-meta").is_dir():
        raise UsageError(
            f"--conda-bin {path} is no conda installation.",
            hint="Give the path of its executable, such as ~/miniforge3/bin/conda.",
        )
    # CONDA_ROOT is where conda looks for the `.condarc` of an installation.
    os.environ.update(CONDA_ROOT=str(root), CONDA_ROOT_PREFIX=str(root))
    reset_context(argparse_args=context._argparse_args)


class CondaEngine:
    """Read, make and change the environments of one conda installation.

    `secrets`: variables that look like one are synchronized, too.
    """

    def __init__(self, *, secrets: bool = False) -> None:
        self._secrets = secrets
        self.platform: str = context.subdir
        self.root = Path(context.root_prefix)

    def environments(self) -> Iterator[tuple[str, Path]]:
        """Yield name and prefix of all environments of this user; base is `root`.

        conda's own list rewrites a file on the way, and root's has everybody's.
        """
        seen = {os.path.realpath(self.root)}
        yield ROOT, self.root
        for prefix in (*self._in_folders(), *self._registered()):
            real = os.path.realpath(prefix)
            if real not in seen and (prefix / "conda-meta").is_dir():
                seen.add(real)
                yield prefix.name, prefix

    def _in_folders(self) -> Iterator[Path]:
        for folder in map(Path, context.envs_dirs):
            if folder.is_dir():
                yield from sorted(folder.iterdir())

    def _registered(self) -> Iterator[Path]:
        try:
            text = Path(get_user_environments_txt_file()).read_text("utf-8")
        except (OSError, ValueError):
            return
        for line in sorted(set(text.splitlines())):
            prefix = Path(line.strip())
            # An installation of its own is somebody's base, whatever its folder's name.
            if prefix.is_absolute() and not (prefix / "condabin").is_dir():
                yield prefix

    def prefix_for(self, name: str) -> Path:
        """Return where a new environment would be created; raise EngineError."""
        if name == ROOT:
            return self.root
        with translated("No folder for new environments"):
            return Path(PrefixData.from_name(name).prefix_path)

    def look(self, name: str, prefix: Path) -> LocalEnv | Unknown | None:
        """See what is at a prefix, without reading it."""
        return plain.look(name, prefix)

    def export(self, env: LocalEnv) -> Export:
        """Read all of an environment; raise EngineError."""
        with translated(f"{env.prefix} cannot be read"):
            requested = [spec for _, spec in requested_specs(env.prefix)]
            return plain.read(env, self.platform, requested, secrets=self._secrets)

    def fetch(self, locks: Iterable[Lock]) -> None:
        """Bring the packages of all locks into the cache; raise EngineError.

        Only a head start: what fails here fails again, and is told, where it is needed.
        """
        entries = {entry["url"]: entry for lock in locks for entry in lock.packages}
        with translated("Not all packages could be fetched"):
            fetch([record(entry) for entry in entries.values()])

    def apply(
        self,
        name: str,
        prefix: Path,
        file: EnvFile,
        lock: Lock | None,
        *,
        modified: datetime,
        origin: str = "",
        prune: bool = True,
    ) -> tuple[str, ...]:
        """Make a prefix what a file says, by its lock if there is one for here.

        `origin` is the platform where the file was made, and `lock` may be of that one.
        Into base, things are only added. Return in words what differs from the file.
        Raise EngineError; conda's part of the environment is then as it was, or whole.
        """
        check_changeable(prefix)
        prune = prune and name != ROOT
        with translated(
            f"{name} could not be {'changed' if prefix.exists() else 'created'}"
        ):
            with guarded(prefix):
                if name == ROOT:
                    exact, notes = False, self._add(prefix, file)
                else:
                    exact, notes = self._mirror(prefix, file, lock, origin, prune)
            extras.mirror_pip(prefix, file.pip, exact=exact, prune=prune)
            extras.mirror_variables(
                prefix, file.variables, secrets=self._secrets, prune=prune
            )
            extras.set_modified(prefix, modified)
        return tuple(notes)

    def _mirror(
        self, prefix: Path, file: EnvFile, lock: Lock | None, origin: str, prune: bool
    ) -> tuple[bool, list[str]]:
        notes: list[str] = []
        if lock and lock.platform == self.platform:
            packages = in_order(map(record, lock.packages))
            try:
                fetch(packages)
            except Exception as error:
                if not _is_gone(error):
                    raise
                notes.append(
                    "packages of its lock have left their channel: solved anew"
                )
            else:
                mirror(prefix, packages, lock.requested, prune=prune)
                return True, notes
        specs, requested = _specs(file, lock, self.platform)
        packages, given_up = solve_relaxed(
            specs,
            lambda wanted: solve(wanted, file.channels),
            may_leave_out=origin != self.platform,
        )
        fetch(packages)
        mirror(prefix, packages, requested, prune=prune)
        return False, notes + given_up

    def _add(self, prefix: Path, file: EnvFile) -> list[str]:
        have = {entry["name"] for entry in plain.records(prefix)}
        missing = [spec for spec in map(MatchSpec, file.specs) if spec.name not in have]
        if not missing:
            return []
        packages, notes = solve_relaxed(
            missing,
            lambda wanted: solve_addition(prefix, wanted, file.channels),
            may_leave_out=True,
        )
        fetch(packages)
        mirror(prefix, packages, [item.name for item in packages], prune=False)
        return notes


def _specs(
    file: EnvFile, lock: Lock | None, platform: str
) -> tuple[list[MatchSpec], list[str]]:
    """Choose what to solve for, and what the history shall say was asked for.

    Another platform's lock knows which packages a person wanted; the rest came along
    there, and may not exist here. Otherwise it is the file, word for word.
    """
    if lock is None or lock.platform == platform or not lock.requested:
        return [MatchSpec(spec) for spec in file.specs], list(file.specs)
    versions: dict[str, Any] = {item["name"]: item["version"] for item in lock.packages}
    wanted = [spec for spec in map(MatchSpec, lock.requested) if spec.name in versions]
    return (
        [MatchSpec(name=spec.name, version=versions[spec.name]) for spec in wanted],
        list(lock.requested),
    )


def _is_gone(error: Exception) -> bool:
    """Tell whether packages are just not there any more, and no worse."""
    return all(
        isinstance(leaf, PathNotFoundError)
        or (
            isinstance(leaf, CondaHTTPError)
            and "404" in str(getattr(leaf, "_kwargs", ""))
        )
        for leaf in leaves(error)
    ) and not isinstance(error, EngineError)
