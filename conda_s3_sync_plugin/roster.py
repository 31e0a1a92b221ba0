"""Who takes part: environments by name, and where they are or would be."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING
from unicodedata import normalize

from .exceptions import S3SyncError, hint_of, summary_of
from .location import ROOT, name_problem
from .models import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .models import Scope
    from .protocols import Engine

#: How many names are told of those that are the same.
_FEW = 4

#: How many keys are told that cannot be environments.
_MANY = 20


class Roster:
    """The environments of this machine, and which of all names take part in a run."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine, self._scope = engine, scope
        self._prefixes: dict[str, list[Path]] = defaultdict(list)
        self._left_out: set[str] = set()
        #: Environments that could never take part, and why.
        self.warnings: list[str] = []
        for name, prefix in engine.environments():
            # Base has a name of its own; another folder may be called like that.
            problem = "" if prefix == engine.root else name_problem(name)
            if not (name == ROOT and problem) and not self._admits(name, prefix):
                self._left_out.add(name)
            elif problem:
                self.warnings.append(f"{prefix} is left alone: {problem}")
            else:
                self._prefixes[name].append(prefix)

    @property
    def everything(self) -> set[str]:
        """Return the names of all environments here, whether they take part or not."""
        return self._left_out | self._prefixes.keys()

    @property
    def names(self) -> set[str]:
        """Return the names of the environments here that take part."""
        return set(self._prefixes)

    def takes_part(self, name: str) -> bool:
        """Tell whether an environment takes part, or would if it were here."""
        if name in self._prefixes or name in self._left_out:
            return name in self._prefixes
        return self._admits(name, self.place(name))

    def _admits(self, name: str, place: Path | Unknown) -> bool:
        if name == ROOT and not self._scope.root:
            return False
        if self._scope.names and name not in self._scope.names:
            return False
        path_filter = self._scope.path_filter
        if path_filter is None or isinstance(place, Unknown):
            return True
        return bool(path_filter.search(os.path.normpath(place)))

    def place(self, name: str) -> Path | Unknown:
        """Return the prefix of an environment, or the one that it would get."""
        prefixes = self._prefixes.get(name, [])
        if len(prefixes) > 1:
            places = " and ".join(map(str, prefixes))
            return Unknown(
                f"{len(prefixes)} environments have this name: {places}",
                hint="Rename one of them, or choose one with --path-filter.",
            )
        try:
            return prefixes[0] if prefixes else self._engine.prefix_for(name)
        except S3SyncError as error:
            return unknown(error)


def unknown(error: Exception) -> Unknown:
    """Return what is left of a side that could not be looked at."""
    return Unknown(summary_of(error), hint=hint_of(error))


def left_alone(refused: Mapping[str, str]) -> list[str]:
    """Say which keys cannot be environments, and why; of thousands, not of all."""
    told = [f"{key} is left alone: {why}" for key, why in refused.items()]
    more = len(told) - _MANY
    return [*told[:_MANY], *([f"{more} more keys are left alone"] if more > 0 else [])]


def collisions(names: Iterable[str]) -> dict[str, Unknown]:
    """Return the names that a file system may take for one another."""
    twins: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        # Windows drops dots at the end.
        twins[normalize("NFC", name).casefold().rstrip(".")].append(name)
    found: dict[str, Unknown] = {}
    for same in twins.values():
        if len(same) > 1:
            # Once for all of them: of thousands, each would name all the others.
            told = " and ".join(same[:_FEW])
            rest = f" and {len(same) - _FEW} more" if len(same) > _FEW else ""
            reason = f"{told}{rest} are the same name for some file systems"
            found |= dict.fromkeys(same, Unknown(reason))
    return found
