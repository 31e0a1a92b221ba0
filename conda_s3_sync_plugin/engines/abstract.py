"""What every engine does alike: find, read, and make in the same steps."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from ..exceptions import EngineError
from ..location import ROOT
from ..models import Applied
from . import extras, pip
from . import prefix as plain
from .choice import Choice, GoneError
from .fit import check_fit, lacking, moves_python, told_to_stay
from .ladder import (
    P,
    S,
    as_far_as_true,
    expendable,
    solve_relaxed,
    specs_of,
    wishes,
    with_pip,
)
from .leftovers import none_left
from .library import Library
from .places import check_changeable, check_removable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ..models import EnvFile, Export, LocalEnv, Lock, Unknown
    from .places import Places


class AbstractEngine(Library[P, S]):
    """Read, make and change environments; how to solve and link is up to subclasses.

    `secrets`: variables that look like one are synchronized, too.
    """

    def __init__(
        self,
        places: Places,
        *,
        protects_frozen: bool = True,
        secrets: bool = False,
    ) -> None:
        self.root = places.root
        self._places = places
        self._protects_frozen = protects_frozen
        self._secrets = secrets

    def environments(self) -> Iterator[tuple[str, Path]]:
        """Yield name and prefix of all environments of this user; base is `root`."""
        return self._places.environments()

    def prefix_for(self, name: str) -> Path:
        """Return where a new environment would be created; raise EngineError."""
        return self._places.prefix_for(name)

    def look(self, name: str, prefix: Path) -> LocalEnv | Unknown | None:
        """See what is at a prefix, without reading it."""
        return plain.look(name, prefix)

    def is_there(self, prefix: Path) -> bool:
        """Tell whether an environment is at a prefix, or at least may be."""
        try:
            os.lstat(prefix / "conda-meta")
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # nobody can tell
            pass
        return True

    def has_folder(self, prefix: Path) -> bool:
        """Tell whether the folder is there that an environment was in."""
        return os.path.isdir(prefix.parent)  # noqa: PTH112 (it may be forbidden)

    def export(self, env: LocalEnv) -> Export:
        """Read all of an environment; raise EngineError."""
        with self._errors(f"{env.prefix} cannot be read"):
            requested = self._requested(env.prefix)
            return plain.read(env, self.platform, requested, secrets=self._secrets)

    def fetch(self, pulls: Iterable[tuple[Path, Lock]]) -> None:
        """Bring what prefixes lack of their locks into the cache; raise EngineError.

        Only a head start: what fails here fails again, and is told, where it is needed.
        """
        with self._errors("Not all packages could be fetched"):
            entries = {
                entry["url"]: entry
                for prefix, lock in pulls
                for entry in lacking(plain.records(prefix), lock.packages)
            }
            self._download([self._package(entry) for entry in entries.values()])

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
    ) -> Applied:
        """Make a prefix what a file says, by its lock if there is one for here.

        `origin` is the platform where the file was made, and `lock` may be of that one.
        `begin` is called when all is fetched, right before anything is changed. Into
        base, things are only added. Raise EngineError; conda's part of the environment
        is then as it was, or whole.
        """
        if name == ROOT and not (prefix / "conda-meta").is_dir():
            raise EngineError(
                "This machine has no base environment to add to.",
                hint="Leave it out: run without --include-root-env.",
            )
        check_changeable(prefix, protects_frozen=self._protects_frozen)
        doing = "changed" if prefix.exists() else "created"
        with self._errors(f"{name} could not be {doing}"):
            if name == ROOT:
                done = self._add(prefix, file, begin)
            else:
                chosen = self._choose(prefix, file, lock, origin)
                if not prune:
                    self._check_fit(prefix, chosen.packages)
                begin()
                notes = self._mirror(prefix, file, chosen, prune=prune)
                builds = frozenset(map(self._build, chosen.packages))
                done = Applied(
                    tuple(notes),
                    tuple(chosen.notes),
                    chosen.elsewhere,
                    builds if prune else None,
                )
            extras.set_modified(prefix, modified)
        return done

    def remove(
        self, name: str, prefix: Path, *, begin: Callable[[], None] = lambda: None
    ) -> None:
        """Remove an environment; `begin` is called right before that.

        Raise EngineError, also for what is never removed: base, and what is frozen or
        active.
        """
        check_changeable(prefix, protects_frozen=self._protects_frozen)
        check_removable(prefix, self.root)
        with self._errors(f"{name} could not be removed"):
            begin()
            self._remove(prefix)
            shutil.rmtree(os.path.realpath(prefix))
            if prefix.is_symlink():  # to what has just been removed
                prefix.unlink()
            self._places.unregister(prefix)

    def _mirror(
        self, prefix: Path, file: EnvFile, chosen: Choice[P], *, prune: bool
    ) -> list[str]:
        """Make a prefix what was chosen: its packages, variables and pins."""
        with none_left(prefix) if prune else contextlib.nullcontext():
            self._link(prefix, chosen.packages, chosen.requested, prune=prune)
        notes = extras.mirror_variables(
            prefix, file.variables, secrets=self._secrets, prune=prune
        )
        if file.pinned is not None:
            notes += extras.mirror_pinned(
                prefix, file.pinned, self._is_spec, prune=prune
            )
        packages = plain.records(prefix)
        try:  # last: of all this, pip alone may fail half way
            notes += pip.mirror_pip(
                prefix, packages, chosen.pip, exact=chosen.exact, prune=prune
            )
        finally:
            if lost := pip.lost_to_pip(prefix, packages):
                self._relink(prefix, lost)
        return notes

    def _choose(
        self, prefix: Path, file: EnvFile, lock: Lock | None, origin: str
    ) -> Choice[P]:
        """Choose packages, and fetch them: those of the lock, or a solver's."""
        if lock is None or lock.platform != self.platform:
            return self._solve_for(file, lock, origin)
        locked = {entry["url"]: self._package(entry) for entry in lock.packages}
        needed = lacking(plain.records(prefix), lock.packages)
        notes, elsewhere = list(lock.notes), lock.elsewhere
        try:
            self._download([locked[entry["url"]] for entry in needed])
            packages: Sequence[P] = list(locked.values())
        except GoneError as error:
            try:  # the same may be elsewhere, or at least something near to it
                found = self._solve_for(file, lock, origin)
            except EngineError:
                if error.may_return:
                    raise error from None
                raise
            files = ", ".join(error.files)
            notes += [f"{files} not to be had any more: solved anew", *found.notes]
            packages, elsewhere = found.packages, {**elsewhere, **found.elsewhere}
        requested = self._satisfied(lock.requested, packages)
        wanted = (*pip.lookups(file.pip), *lock.pip)
        return Choice(packages, requested, wanted, True, notes, elsewhere)

    def _solve_for(self, file: EnvFile, lock: Lock | None, origin: str) -> Choice[P]:
        """Choose packages by a solver, and fetch them."""
        specs = specs_of(file, lock, self.platform, self._spec)
        if lock and lock.platform == self.platform and lock.requested:
            # What merely came along: with other versions, others may.
            asked_for = {self._spec(text).name for text in lock.requested}
            loose = {spec.name for spec in specs} - asked_for
        else:
            loose = expendable(specs, origin, self.platform)
        elsewhere = lock.elsewhere if lock else {}
        solution = solve_relaxed(
            specs,
            lambda wanted: self._solve(wanted, file.channels),
            expendable=loose | {self._spec(text).name for text in elsewhere},
        )
        packages, left_out = solution.packages, solution.left_out
        self._download(packages)
        wanted = wishes(lock, file, self._spec) if lock else {}
        asked = wanted or with_pip(file.specs, file, self._spec)
        requested = self._satisfied(asked, packages)
        elsewhere = {
            text: wanted[text] for text in wanted if self._spec(text).name in left_out
        }
        return Choice(packages, requested, file.pip, False, solution.notes, elsewhere)

    def _add(self, prefix: Path, file: EnvFile, begin: Callable[[], None]) -> Applied:
        """Add to base what it lacks, and change nothing that it has."""
        have = {
            entry["name"]: self._package(plain.lockable(entry))
            for entry in plain.records(prefix)
        }
        specs = list(map(self._spec, file.specs))
        missing = [spec for spec in specs if spec.name not in have]
        packages: list[P] = []
        given_up: list[str] = []
        if missing:
            solution = solve_relaxed(
                missing,
                lambda wanted: self._solve_addition(prefix, wanted, file.channels),
                expendable={spec.name for spec in missing},
            )
            packages, given_up = solution.packages, solution.notes
            self._download(packages)
            self._check_fit(prefix, packages)
        begin()
        if packages:
            requested = self._satisfied(map(str, missing), packages)
            self._link(prefix, packages, requested, prune=False)
        pip.add_pip(prefix, file.pip)
        values = {**file.variables, **plain.variables(prefix)}
        notes = extras.mirror_variables(
            prefix, values, secrets=self._secrets, prune=False
        )
        stay = told_to_stay(have, specs)
        return Applied(tuple(notes), tuple(stay + given_up))

    def _check_fit(self, prefix: Path, packages: Iterable[P]) -> None:
        """Raise EngineError where what stays would miss what it needs."""
        have = {entry["name"]: entry for entry in plain.records(prefix)}
        old = {name: self._package(plain.lockable(have[name])) for name in have}
        new = {self._name(package): package for package in packages}
        check_fit(
            [have[name] for name in have.keys() - new.keys()],
            {**old, **new},
            self._spec,
            python_moves=moves_python(old.get("python"), new.get("python")),
        )

    def _satisfied(self, requested: Iterable[str], packages: Iterable[P]) -> list[str]:
        """Return what was asked for as far as these packages are that.

        conda takes it into every later solve, which could not succeed with the rest.
        """
        have = {self._name(package): package for package in packages}
        specs = [spec for spec in map(self._spec, requested) if spec.name in have]
        return [as_far_as_true(spec, have[spec.name]) for spec in specs]

    def _is_spec(self, text: str) -> bool:
        try:
            self._spec(text)
        except Exception:  # each library has its own
            return False
        return True
