"""A store that keeps nobody waiting for longer than agreed."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from functools import cached_property
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, TypeVar

from .exceptions import StoreError
from .interruption import wait_for
from .versions import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType

    from .models import Document, Listing, RemoteObject
    from .protocols import Store
    from .versions import Kept
    from .words import Conditions

T = TypeVar("T")

#: How many seconds one call may take. No timeout of a socket ends an answer that comes
#: byte by byte. The largest object that is read, 10 MiB, arrives in time at 35 KiB/s.
PATIENCE: Final = 300

#: The name of the threads in which answers are waited for.
THREAD: Final = "s3-sync-deadline"


class DeadlineStore:
    """Hand everything on to another store: each call ends in time.

    `seconds`: how long all calls may take altogether. Only the time counts in which an
    answer is waited for. When it is over, every method raises StoreError. What was
    asked for may happen all the same, as where a reply is lost; a process that ends
    does not wait for it.
    """

    def __init__(
        self,
        store: Store,
        seconds: float = math.inf,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._seconds = store, seconds
        self._stopwatch = _Stopwatch(clock)
        self._is_over = False
        #: What whoever waits listens to.
        self._bells: set[SimpleQueue[None]] = set()

    def give_up(self) -> None:
        """Let nobody wait any longer: every method raises StoreError from now on."""
        self._is_over = True
        for bell in list(self._bells):
            bell.put(None)

    @property
    def conditions(self) -> Conditions | None:
        """How the server takes conditions; None: not known yet."""
        return self._store.conditions

    @conditions.setter
    def conditions(self, known: Conditions | None) -> None:
        self._store.conditions = known

    @property
    def ahead(self) -> timedelta:
        """Return how far our clock is ahead of the server's, once it was listed."""
        return self._store.ahead

    @cached_property
    def identity(self) -> str:
        """Return what tells this location from all others, without credentials."""
        return self._in_time("set up the access to S3", lambda: self._store.identity)

    def list(self) -> Listing:
        """Return all environments of the location."""
        return self._in_time("list the environments", self._store.list)

    def get(self, name: str) -> RemoteObject | None:
        """Return an environment file; None: there is none."""
        doing = f"read environment {name}"
        return self._in_time(doing, lambda: self._store.get(name))

    def put(self, name: str, document: Document, *, replaces: str | None) -> str:
        """Write an environment file and return its ETag; see the protocol."""
        doing = f"write environment {name}"
        return self._in_time(
            doing, lambda: self._store.put(name, document, replaces=replaces)
        )

    def delete(self, name: str, *, etag: str) -> None:
        """Delete an environment file, if it is still the version with this ETag."""
        doing = f"delete environment {name}"
        self._in_time(doing, lambda: self._store.delete(name, etag=etag))

    def keep(self, name: str, document: Document, kind: Kind = Kind.VERSION) -> None:
        """Add a version to the history; one that is there already is left alone."""
        doing = f"write the history of environment {name}"
        self._in_time(doing, lambda: self._store.keep(name, document, kind))

    def history(self, name: str) -> tuple[Kept, ...]:
        """Return all that the history of an environment has, the oldest first."""
        doing = f"list the history of environment {name}"
        return self._in_time(doing, lambda: self._store.history(name))

    def get_kept(self, name: str, kept: Kept) -> RemoteObject | None:
        """Return a version in the history, or a statement; None: it is gone."""
        doing = f"read the history of environment {name}"
        return self._in_time(doing, lambda: self._store.get_kept(name, kept))

    def discard(self, name: str, kept: Kept) -> None:
        """Delete an object from the history."""
        doing = f"remove from the history of environment {name}"
        self._in_time(doing, lambda: self._store.discard(name, kept))

    def get_lock(self, name: str, digest: str, platform: str) -> bytes | None:
        """Return the lock of one version for one platform; None: there is none."""
        doing = f"read the lock of environment {name}"
        return self._in_time(
            doing, lambda: self._store.get_lock(name, digest, platform)
        )

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
        doing = f"write the lock of environment {name}"
        self._in_time(
            doing,
            lambda: self._store.put_lock(name, digest, platform, body, renew=renew),
        )

    def _in_time(self, doing: str, ask: Callable[[], T]) -> T:
        """Return the answer; `doing` completes "Cannot ..." where there is none."""
        future: Future[T] = Future()
        # Not `wait`: interrupted at the wrong moment, it keeps locks that others need.
        bell: SimpleQueue[None] = SimpleQueue()

        def answer() -> None:
            try:
                future.set_result(ask())
            except BaseException as error:
                future.set_exception(error)
            bell.put(None)

        with self._stopwatch as stopwatch:
            left = self._seconds - stopwatch.elapsed()
            self._bells.add(bell)
            if left > 0 and not self._is_over:
                # Nobody waits in the end for a daemon, as for a thread of a pool.
                Thread(target=answer, name=THREAD, daemon=True).start()
                wait_for(bell, min(left, PATIENCE))
            self._bells.discard(bell)
        if not future.done():
            seconds = PATIENCE if left > PATIENCE else self._seconds
            raise StoreError(
                f"Cannot {doing}: the bucket has not answered in full within "
                f"{seconds:g} s.",
                hint="Check the network. The next run does what is left.",
            )
        return future.result()


class _Stopwatch:
    """Runs while at least one thread is inside."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._inside, self._since, self._sum = 0, 0.0, 0.0

    def __enter__(self) -> _Stopwatch:
        with self._lock:
            if not self._inside:
                self._since = self._clock()
            self._inside += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._sum += self._clock() - self._since

    def elapsed(self) -> float:
        """Return for how many seconds it has run; to be called from inside."""
        with self._lock:
            return self._sum + self._clock() - self._since
