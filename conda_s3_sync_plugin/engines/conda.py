"""The engine that is conda itself, through its Python API."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conda.base.context import context, reset_context
from conda.core.envs_manager import get_user_environments_txt_file
from conda.exceptions import CondaHTTPError, PathNotFoundError
from conda.models.match_spec import MatchSpec

from ..exceptions import EngineError, UsageError
from ..location import ROOT
from . import extras
from . import prefix as plain
from .fetch import fetch, record
from .manners import leaves, translated
from .solve import (
    expendable,
    satisfied,
    solve,
    solve_addition,
    solve_relaxed,
    specs_of,
)
from .transaction import (
    check_changeable,
    guarded,
    in_order,
    mirror,
    relink,
    requested_specs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from conda.models.records import PackageRecord

    from ..models import EnvFile, Export, LocalEnv, Lock, Unknown


#: What a channel over HTTP says of a package that it does not have (any more).
_NOT_FOUND = 404


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


class _Choice(NamedTuple):
    """What is going to be installed."""

    #: Dependencies first.
    packages: list[PackageRecord]
    #: What the history shall say was asked for.
    requested: list[str]
    pip: tuple[str, ...]
    #: By a lock: nothing else is needed.
    exact: bool
    #: In words, what is not as the file says.
    notes: list[str]


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
            # Not Path.is_dir: what may not be seen, or cannot be a path, is not there.
            if not os.path.isdir(prefix / "conda-meta"):  # noqa: PTH112
                continue
            real = os.path.realpath(prefix)
            if real not in seen:
                seen.add(real)
                yield prefix.name, prefix

    def _in_folders(self) -> Iterator[Path]:
        for folder in map(Path, context.envs_dirs):
            with contextlib.suppress(OSError):  # not there, or somebody else's
                yield from sorted(folder.iterdir())

    def _registered(self) -> Iterator[Path]:
        try:
            text = Path(get_user_environments_txt_file()).read_text("utf-8")
        except (OSError, ValueError):
            return
        for line in sorted(set(text.splitlines())):
            prefix = Path(line.strip())
            # An installation of its own is somebody's base, whatever its folder's name.
            if prefix.is_absolute() and not os.path.isdir(prefix / "condabin"):  # noqa: PTH112
                yield prefix

    def prefix_for(self, name: str) -> Path:
        """Return where a new environment would be created; raise EngineError."""
        if name == ROOT:
            return self.root
        # conda's own answer would try the folders out, by writing into them.
        for folder in map(Path, context.envs_dirs):
            places = (folder, *folder.parents)
            # Not Path.exists: it raises for what lies below a folder of others.
            above = (place for place in places if os.path.exists(place))  # noqa: PTH110
            if os.access(next(above), os.W_OK):
                return folder / name
        raise EngineError(
            f"{name} cannot be created: no folder for environments can be written.",
            hint="`conda config --show envs_dirs` names them.",
        )

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
        begin: Callable[[], None] = lambda: None,
    ) -> tuple[str, ...]:
        """Make a prefix what a file says, by its lock if there is one for here.

        `origin` is the platform where the file was made, and `lock` may be of that one.
        `begin` is called when all is fetched, right before anything is changed. Into
        base, things are only added. Return in words what differs from the file. Raise
        EngineError; conda's part of the environment is then as it was, or whole.
        """
        check_changeable(prefix)
        prune = prune and name != ROOT
        with translated(
            f"{name} could not be {'changed' if prefix.exists() else 'created'}"
        ):
            if name == ROOT:
                notes = self._add(prefix, file, begin)
            else:
                chosen = self._choose(file, lock, origin)
                begin()
                notes = self._mirror(prefix, file, chosen, prune=prune)
            extras.set_modified(prefix, modified)
        return tuple(notes)

    def _mirror(
        self, prefix: Path, file: EnvFile, chosen: _Choice, *, prune: bool
    ) -> list[str]:
        """Make a prefix all that was chosen: packages, pip's packages, variables."""
        with guarded(prefix):
            mirror(prefix, chosen.packages, chosen.requested, prune=prune)
        notes = chosen.notes + extras.mirror_pip(
            prefix, chosen.pip, exact=chosen.exact, prune=prune
        )
        if lost := extras.lost_to_pip(prefix):
            with guarded(prefix):
                relink(prefix, lost)
        notes += extras.mirror_variables(
            prefix, file.variables, secrets=self._secrets, prune=prune
        )
        return notes

    def _choose(self, file: EnvFile, lock: Lock | None, origin: str) -> _Choice:
        """Choose packages, and fetch them: those of the lock, or a solver's."""
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
                return _Choice(packages, list(lock.requested), lock.pip, True, notes)
        specs = specs_of(file, lock, self.platform)
        packages, given_up = solve_relaxed(
            specs,
            lambda wanted: solve(wanted, file.channels),
            expendable=expendable(specs, origin, self.platform),
        )
        fetch(packages)
        asked = lock.requested if lock and lock.requested else file.specs
        requested = satisfied(asked, packages)
        return _Choice(packages, requested, file.pip, False, notes + given_up)

    def _add(self, prefix: Path, file: EnvFile, begin: Callable[[], None]) -> list[str]:
        """Add to base what it lacks, and change nothing that it has."""
        have = {entry["name"] for entry in plain.records(prefix)}
        missing = [spec for spec in map(MatchSpec, file.specs) if spec.name not in have]
        packages: list[PackageRecord] = []
        notes: list[str] = []
        if missing:
            packages, notes = solve_relaxed(
                missing,
                lambda wanted: solve_addition(prefix, wanted, file.channels),
                expendable={spec.name for spec in missing},
            )
            fetch(packages)
        begin()
        if packages:
            with guarded(prefix):
                requested = satisfied(map(str, missing), packages)
                mirror(prefix, packages, requested, prune=False)
        extras.add_pip(prefix, file.pip)
        values = {**file.variables, **plain.variables(prefix)}
        return notes + extras.mirror_variables(
            prefix, values, secrets=self._secrets, prune=False
        )


def _is_gone(error: Exception) -> bool:
    """Tell whether packages are just not there any more, and no worse."""
    return all(
        isinstance(leaf, PathNotFoundError)
        or (
            isinstance(leaf, CondaHTTPError)
            and leaf._kwargs["status_code"] == _NOT_FOUND
        )
        for leaf in leaves(error)
    ) and not isinstance(error, EngineError)
