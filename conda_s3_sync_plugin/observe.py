"""Observing: which environments take part, and what each side of them is by now."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .envfile import parse
from .exceptions import EnvFileError, S3SyncError
from .location import ROOT, name_problem
from .models import LocalEnv, Observation, Unknown, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .models import Baseline, EnvFile, Export, Listed, RemoteObject, Scope, Side
    from .protocols import Engine


@dataclass(frozen=True, slots=True)
class Sight:
    """One environment as it was observed, with all that was read for that."""

    observation: Observation
    prefix: Path
    #: As it was remembered, which is not always what planning is told.
    baseline: Baseline | None = None
    env: LocalEnv | None = None
    #: Where the environment is not what the baseline says.
    export: Export | None = None
    #: Of what is in the bucket; None: nothing is.
    etag: str | None = None
    #: Where the object is not the one that the baseline says.
    remote: RemoteObject | None = None
    file: EnvFile | None = None

    @property
    def name(self) -> str:
        """Return the name of the environment."""
        return self.observation.name


class Observer:
    """Look at both sides, and read only what has changed since the last time."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine, self._scope = engine, scope
        self._prefixes: dict[str, list[Path]] = defaultdict(list)
        self._left_out: set[str] = set()
        for name, prefix in engine.environments():
            if self._admits(name, prefix):
                self._prefixes[name].append(prefix)
            else:
                self._left_out.add(name)

    @property
    def names(self) -> set[str]:
        """Return the names of the environments here that take part."""
        return set(self._prefixes)

    def takes_part(self, name: str) -> bool:
        """Tell whether an environment takes part, or would if it were here."""
        if name in self._prefixes:
            return True
        if name in self._left_out:
            return False
        return self._admits(name, self._engine.prefix_for(name))

    def _admits(self, name: str, prefix: Path) -> bool:
        if name == ROOT and not self._scope.root:
            return False
        if self._scope.names and name not in self._scope.names:
            return False
        path_filter = self._scope.path_filter
        return path_filter is None or bool(path_filter.search(os.path.normpath(prefix)))

    def look(self, name: str) -> LocalEnv | Unknown | None:
        """Look at one environment here, without reading it."""
        prefixes = self._prefixes.get(name, [self._engine.prefix_for(name)])
        if problem := "" if name == ROOT else name_problem(name):
            return Unknown(f"{prefixes[0]} cannot take part: {problem}")
        if len(prefixes) > 1:
            places = " and ".join(map(str, prefixes))
            return Unknown(
                f"{len(prefixes)} environments have this name: {places}",
                hint="Rename one of them, or choose one with --path-filter.",
            )
        return self._engine.look(name, prefixes[0])

    def sight(
        self,
        name: str,
        baseline: Baseline | None,
        listed: Listed | None,
        fetch: Callable[[], RemoteObject | None],
    ) -> Sight:
        """Put both sides of an environment together; `fetch` gets its object."""
        local = self.look(name)
        here, export = self._here(local, baseline)
        there, remote, file = self._there(listed, baseline, fetch)
        etag = remote.etag if remote else listed.etag if listed and there else None
        told = baseline
        if baseline and baseline.is_interrupted and isinstance(here, Version):
            # What an interrupted pull has left is nobody's work: pull again.
            told = replace(baseline, local=here.digest)
        return Sight(
            Observation(name, here, there, told),
            local.prefix
            if isinstance(local, LocalEnv)
            else self._engine.prefix_for(name),
            baseline,
            local if isinstance(local, LocalEnv) else None,
            export,
            etag,
            remote,
            file,
        )

    def _here(
        self, env: LocalEnv | Unknown | None, baseline: Baseline | None
    ) -> tuple[Side, Export | None]:
        if env is None or isinstance(env, Unknown):
            return env, None
        if baseline and baseline.stamp == env.stamp:
            return Version(baseline.local, baseline.modified), None
        try:
            export = self._engine.export(env)
            again = self._engine.look(env.name, env.prefix)
            if not isinstance(again, LocalEnv) or again.stamp != env.stamp:
                return Unknown(
                    f"{env.prefix} is being changed by another program",
                    hint="Run the command again when that has ended.",
                ), None
        except S3SyncError as error:
            return Unknown(error.summary, hint=error.hint), None
        # conda's history knows nothing of pip, variables, or what pixi does: where the
        # content has changed without it, some other file has the time of that.
        modified = env.modified
        if baseline and modified <= baseline.modified:
            modified = env.touched
        return Version(export.file.digest, modified), export

    def _there(
        self,
        listed: Listed | None,
        baseline: Baseline | None,
        fetch: Callable[[], RemoteObject | None],
    ) -> tuple[Side, RemoteObject | None, EnvFile | None]:
        if listed is None:
            return None, None, None
        if baseline and baseline.etag == listed.etag:
            return Version(baseline.remote, baseline.modified), None, None
        try:
            remote = fetch()
            if remote is None:
                return None, None, None
            file = parse(remote.body)
        except EnvFileError as error:
            return (
                Unknown(f"its file in the bucket is refused: {error.summary}"),
                None,
                None,
            )
        except S3SyncError as error:
            return Unknown(error.summary, hint=error.hint), None, None
        return Version(file.digest, remote.modified), remote, file


def collisions(names: Iterable[str]) -> dict[str, Unknown]:
    """Return the names that a file system may take for one another."""
    twins: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        twins[name.casefold()].append(name)
    return {
        name: Unknown(f"{' and '.join(same)} differ only in upper and lower case")
        for same in twins.values()
        if len(same) > 1
        for name in same
    }
