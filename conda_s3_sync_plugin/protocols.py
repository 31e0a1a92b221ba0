"""The seams: what a run needs of a bucket, of a conda, and of whoever watches.

The real ones inherit nothing from here; the fakes of the tests pass the same contracts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from .models import (
        Applied,
        Document,
        EnvFile,
        Export,
        Listing,
        LocalEnv,
        Lock,
        Outcome,
        RemoteObject,
        Step,
        Unknown,
    )
    from .versions import Kept, Kind
    from .words import Conditions


class Store(Protocol):
    """One location in a bucket.

    Every method raises StoreError, and may be called by several threads. Reading raises
    EnvFileError for what is too large or damaged.
    """

    #: How the server takes conditions; None: not known yet.  Settable, because what
    #: one run has found out need not be found out again.
    conditions: Conditions | None

    @property
    def ahead(self) -> timedelta:
        """Return how far our clock is ahead of the server's, once it was listed."""
        ...

    @property
    def identity(self) -> str:
        """Return what tells this location from all others, once something was read."""
        ...

    def list(self) -> Listing:
        """Return all environments of the location, from one listing."""
        ...

    def get(self, name: str) -> RemoteObject | None:
        """Return an environment file; None: there is none."""
        ...

    def put(self, name: str, document: Document, *, replaces: str | None) -> str:
        """Write an environment file and return its ETag.

        `replaces`: the ETag of what it replaces, None where there must be nothing yet.
        Raise RemoteChangedError where that is not so; nothing is written then.
        """
        ...

    def delete(self, name: str, *, etag: str) -> None:
        """Delete an environment file, if it is still the version with this ETag.

        Raise RemoteChangedError where it is not; one that is gone is fine.
        """
        ...

    def keep(self, name: str, document: Document, kind: Kind = ...) -> None:
        """Add a version to the history; one that is there already is left alone.

        Or one that has lost a conflict, or the statement that it was deleted.
        """
        ...

    def history(self, name: str) -> tuple[Kept, ...]:
        """Return all that the history of an environment has, the oldest first."""
        ...

    def get_kept(self, name: str, kept: Kept) -> RemoteObject | None:
        """Return a version in the history, or a statement; None: it is gone."""
        ...

    def discard(self, name: str, kept: Kept) -> None:
        """Delete an object from the history."""
        ...

    def get_lock(self, name: str, digest: str, platform: str) -> bytes | None:
        """Return the lock of one version for one platform; None: there is none."""
        ...

    def put_lock(
        self,
        name: str,
        digest: str,
        platform: str,
        body: bytes,
        *,
        renew: bool = False,
    ) -> None:
        """Add a lock; one that is there already is left alone, unless to `renew` it."""
        ...


class Engine(Protocol):
    """The environments of one conda installation.  Every method raises EngineError."""

    @property
    def platform(self) -> str:
        """Return the platform whose packages are installed, as conda names it."""
        ...

    @property
    def root(self) -> Path:
        """Return the prefix of the base environment."""
        ...

    def environments(self) -> Iterable[tuple[str, Path]]:
        """Return name and prefix of all environments of this user; base is `root`."""
        ...

    def prefix_for(self, name: str) -> Path:
        """Return where an environment of this name would be created."""
        ...

    def look(self, name: str, prefix: Path) -> LocalEnv | Unknown | None:
        """See what is at a prefix, without reading it; None: no environment."""
        ...

    def is_there(self, prefix: Path) -> bool:
        """Tell whether an environment is at a prefix, or at least may be."""
        ...

    def has_folder(self, prefix: Path) -> bool:
        """Tell whether the folder is there that an environment was in."""
        ...

    def export(self, env: LocalEnv) -> Export:
        """Read all of an environment."""
        ...

    def fetch(self, pulls: Iterable[tuple[Path, Lock]]) -> None:
        """Bring what prefixes lack of their locks here: only a head start."""
        ...

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
        begin: Callable[[], None] = ...,
    ) -> Applied:
        """Make a prefix what a file says, by its lock if there is one for here.

        `origin` is the platform where the file was made, and `lock` may be of that one.
        `begin` is called when all is fetched, right before anything is changed; where
        it raises, nothing is. Into base, things are only added. Where it raises after
        that, conda's part of the environment is as it was, or whole.
        """
        ...

    def remove(
        self, name: str, prefix: Path, *, begin: Callable[[], None] = ...
    ) -> None:
        """Remove an environment; `begin` is called right before that.

        Where it raises, nothing is. Never base, a frozen or an active environment.
        """
        ...


class Watcher(Protocol):
    """Whoever wants to see a run while it is under way."""

    def plan(self, steps: Sequence[Step]) -> None:
        """See what is going to be done."""
        ...

    def start(self, step: Step) -> None:
        """See that a step is begun."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """See what has become of a step."""
        ...
