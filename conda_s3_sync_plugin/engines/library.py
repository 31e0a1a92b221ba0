"""What an engine needs of the library that it is built on: conda, or rattler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

from .ladder import P, S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .prefix import Record


class Library(ABC, Generic[P, S]):
    """How to read specs, solve and link."""

    @property
    @abstractmethod
    def platform(self) -> str:
        """Return the platform whose packages are installed, as conda names it."""

    @abstractmethod
    def _errors(self, what: str) -> AbstractContextManager[None]:
        """Turn whatever the library raises into an EngineError of one line."""

    @abstractmethod
    def _requested(self, prefix: Path) -> list[str]:
        """Return what the user has asked for in an environment, by package."""

    @abstractmethod
    def _spec(self, text: str) -> S:
        """Read a spec as the library understands it."""

    @abstractmethod
    def _package(self, entry: Record) -> P:
        """Turn an entry of a lock into what the library works with."""

    @abstractmethod
    def _name(self, package: P) -> str:
        """Return the name of a package."""

    @abstractmethod
    def _build(self, package: P) -> tuple[str, str, str]:
        """Return name, version and build of a package."""

    @abstractmethod
    def _download(self, packages: Sequence[P]) -> None:
        """Bring packages into the cache, and verify them; raise GoneError, or worse."""

    @abstractmethod
    def _solve(self, specs: Sequence[S], channels: Sequence[str]) -> list[P]:
        """Solve for a new environment; raise NoSolution."""

    @abstractmethod
    def _solve_addition(
        self, prefix: Path, specs: Sequence[S], channels: Sequence[str]
    ) -> list[P]:
        """Solve for what an environment lacks, with all that it has staying as it is.

        Raise NoSolution, or EngineError where something would have to change.
        """

    @abstractmethod
    def _link(
        self,
        prefix: Path,
        packages: Sequence[P],
        requested: Sequence[str],
        *,
        prune: bool,
    ) -> None:
        """Leave exactly these packages in a prefix, new or not, or change nothing.

        `requested` goes into the history as what the user asked for. Without `prune`,
        what else is there stays.
        """

    @abstractmethod
    def _remove(self, prefix: Path) -> None:
        """Unlink all packages, with what they have to do before."""

    @abstractmethod
    def _relink(self, prefix: Path, names: Sequence[str]) -> None:
        """Link installed packages anew, whose files are gone."""
