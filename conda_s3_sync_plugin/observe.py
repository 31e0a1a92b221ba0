"""Observing: what each side of an environment is by now."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .exceptions import EnvFileError, LocalChangedError, S3SyncError
from .location import ROOT
from .models import LocalEnv, Observation, Unknown, Version
from .roster import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .models import Baseline, EnvFile, Export, Listed, RemoteObject
    from .protocols import Engine
    from .roster import Roster

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Here:
    """An environment of this machine."""

    env: LocalEnv
    version: Version
    #: None: it is what the baseline says, and was not read.
    export: Export | None

    def read(
        self, engine: Engine, elsewhere: Mapping[str, str] | None = None
    ) -> Export:
        """Return all of it: from observing, or else read now; see `read`."""
        return self.export or read(engine, self.env, elsewhere)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An environment file, as it came from the bucket."""

    remote: RemoteObject
    file: EnvFile


@dataclass(frozen=True, slots=True)
class There:
    """An environment of the bucket."""

    etag: str
    version: Version
    #: None: it is the object that the baseline says, and was not read.
    fetched: Fetched | None


@dataclass(frozen=True, slots=True)
class Sight:
    """One environment as it was observed, with all that was read for that."""

    name: str
    here: Here | Unknown | None
    there: There | Unknown | None
    baseline: Baseline | None
    #: The history states that the version in the baseline was deleted on purpose.
    deleted: bool = False

    @property
    def changed_here(self) -> bool:
        """Tell whether it is new here, or not what it was."""
        old = self.baseline.local if self.baseline else ""
        return isinstance(self.here, Here) and self.here.version.digest != old

    @property
    def elsewhere(self) -> Mapping[str, str]:
        """Return what this machine remembers for other platforms."""
        return self.baseline.elsewhere if self.baseline else {}

    @property
    def pushes(self) -> int:
        """Return how often this machine has pushed since it looked for old versions."""
        return self.baseline.pushes if self.baseline else 0

    @property
    def observation(self) -> Observation:
        """Return what of it planning is told."""
        here = self.here.version if isinstance(self.here, Here) else self.here
        there = self.there.version if isinstance(self.there, There) else self.there
        told = self.baseline
        if told and told.is_interrupted and isinstance(here, Version):
            # What an interrupted pull, or removal, has left is nobody's work.
            told = replace(told, local=here.digest, remote="")
        is_base = self.name == ROOT
        return Observation(self.name, here, there, told, self.deleted, is_base)


class Observer:
    """Look at both sides, and read only what has changed since the last time."""

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        parse: Callable[[bytes], EnvFile],
        is_deleted: Callable[[str, str], bool],
    ) -> None:
        self._engine, self._roster, self._parse = engine, roster, parse
        self._is_deleted = is_deleted
        self._ahead: dict[str, Here | Unknown | None] = {}

    def look_ahead(self, baselines: Mapping[str, Baseline]) -> None:
        """Look at all that is here; the first sight of each then finds that done."""
        for name in self._roster.names:
            with contextlib.suppress(Exception):  # it fails again where it is told
                self._ahead[name] = self._here(name, baselines.get(name))

    def sight(
        self,
        name: str,
        baseline: Baseline | None,
        listed: Listed | Unknown | None,
        fetch: Callable[[], RemoteObject | None],
    ) -> Sight:
        """Put both sides of an environment together; `fetch` gets its object."""
        try:
            is_seen = name in self._ahead
            here = self._ahead.pop(name) if is_seen else self._here(name, baseline)
            there = self._there(listed, baseline, fetch)
            deleted = (
                there is None
                and baseline is not None
                and isinstance(here, Here)
                and (baseline.is_interrupted or here.version.digest == baseline.local)
                and self._is_deleted(name, baseline.remote)
            )
        except S3SyncError as error:
            return Sight(name, unknown(error), None, baseline)
        except Exception as error:  # a mistake of ours must not stop the others
            log.info("%s cannot be observed", name, exc_info=error)
            return Sight(name, unknown(error), None, baseline)
        return Sight(name, here, there, baseline, deleted)

    def _here(self, name: str, baseline: Baseline | None) -> Here | Unknown | None:
        place = self._roster.place(name)
        if isinstance(place, Unknown):
            return place
        try:
            env = self._engine.look(name, place)
            if missed := self._missed(baseline, env):
                return missed
            if not isinstance(env, LocalEnv):
                return env
            if baseline and baseline.stamp == env.stamp:
                version = Version(baseline.local, baseline.modified)
                return Here(env, version, None)
            # Of a pull of ours that was killed, it is what the next one starts from.
            if env.is_changing and not (baseline and baseline.is_interrupted):
                return Unknown(
                    f"{place} is being changed by conda, or was when that was killed",
                    hint="Run the command again when that has ended. If it has, repair "
                    f"the environment, and then: conda clean --tempfiles {place}",
                )
            elsewhere = baseline.elsewhere if baseline else {}
            export = read(self._engine, env, elsewhere)
        except S3SyncError as error:
            return unknown(error)
        # conda's history knows nothing of pip, variables, or what pixi does: where the
        # content has changed without it, some other file has the time of that.
        modified = env.modified
        if baseline and modified <= baseline.modified:
            modified = env.touched
        return Here(env, Version(export.file.digest, modified), export)

    def _missed(
        self, baseline: Baseline | None, env: LocalEnv | Unknown | None
    ) -> Unknown | None:
        """Tell what was removed, or has moved, from what is only out of sight."""
        if baseline is None or not baseline.prefix or isinstance(env, Unknown):
            return None
        old = Path(baseline.prefix)
        if env and env.prefix == old:
            return None
        if self._engine.is_there(old):
            if env is None:
                return Unknown(
                    f"{old} is there, but this run does not find it",
                    hint="Let it look there, too: CONDA_ENVS_DIRS, or envs_dirs in "
                    ".condarc; and see who may read the folder.",
                )
            if os.path.realpath(old) != os.path.realpath(env.prefix):
                return Unknown(
                    f"{old} was synchronized, and {env.prefix} is another one",
                    hint="Rename one of them, or choose the other with --path-filter.",
                )
        elif env is None and not self._engine.has_folder(old):
            return Unknown(
                f"{old.parent} is not there, where it was",
                hint="If that is a disk or a share, mount it. If it is gone for good, "
                "make the folder again.",
            )
        return None

    def _there(
        self,
        listed: Listed | Unknown | None,
        baseline: Baseline | None,
        fetch: Callable[[], RemoteObject | None],
    ) -> There | Unknown | None:
        if listed is None or isinstance(listed, Unknown):
            return listed
        if baseline and not is_news(listed, baseline):
            version = Version(baseline.remote, baseline.modified)
            return There(listed.etag, version, None)
        try:
            remote = fetch()
            if remote is None:
                return None
            file = self._parse(remote.body)
        except EnvFileError as error:
            reason = f"its file in the bucket is refused: {error.summary}"
            return Unknown(reason, hint=error.hint)
        except S3SyncError as error:
            return unknown(error)
        version = Version(file.digest, remote.modified)
        return There(remote.etag, version, Fetched(remote, file))


def is_news(listed: Listed | Unknown, baseline: Baseline | None) -> bool:
    """Tell whether an object has to be read, because it is not what it was."""
    if isinstance(listed, Unknown):
        return False
    return baseline is None or baseline.etag != listed.etag


def read(
    engine: Engine, env: LocalEnv, elsewhere: Mapping[str, str] | None = None
) -> Export:
    """Export an environment that holds still; raise LocalChangedError if it does not.

    Of one that is being changed, an export may be half of the old and half of the new.
    `elsewhere` is what its lock has to say for other platforms.
    """
    export = engine.export(env)
    export = replace(export, lock=replace(export.lock, elsewhere=elsewhere or {}))
    again = engine.look(env.name, env.prefix)
    if not isinstance(again, LocalEnv) or again.stamp != env.stamp:
        raise LocalChangedError(
            f"{env.prefix} is being changed by another program.",
            hint="Run the command again when that has ended.",
        )
    return export
