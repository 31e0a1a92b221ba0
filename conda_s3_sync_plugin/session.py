"""What every command begins with: both sides, and what is remembered of them."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from .envfile import parse
from .exceptions import AccessDeniedError
from .interruption import result_of
from .location import quoted
from .models import Listed, Scope
from .observe import Observer
from .roster import Roster, collisions
from .timeline import is_deleted, is_gone
from .versions import SHORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .models import Listing
    from .observe import Sight
    from .protocols import Engine, Store
    from .state import Memory, State
    from .versions import Kept

#: Less than that is how far a request and whole seconds may lead astray.
_NOTICEABLE = timedelta(seconds=2)

#: Transfers are small, and wait for the network.
_THREADS = 8


class Session:
    """One location and one conda installation, for one command.

    `pip_options`: files in the bucket may give pip options and local files.
    `keep_versions`: how many of each environment are in the history, about; 0: all.
    `command`: how people run this, for what they are told. `give_up`: called when they
    interrupt it, to free the threads that wait for the store. `clock`: what the time is
    here, in UTC.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        state: State,
        *,
        scope: Scope | None = None,
        pip_options: bool = False,
        keep_versions: int = 0,
        command: str = "conda s3-sync",
        give_up: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.engine, self.store, self.state = engine, store, state
        self.scope = scope or Scope()
        self.command = command
        self.keep_versions = keep_versions
        self._give_up, self._clock = give_up, clock
        self.parse = partial(parse, pip_options=pip_options)
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3-sync")
        self.roster: Roster
        self.observer: Observer
        self.memory: Memory

    @contextlib.contextmanager
    def opened(
        self, *, everything: bool = False, deletes: bool = False
    ) -> Iterator[Listing]:
        """List the bucket while the environments here are looked for.

        `everything`: all that takes part is looked at meanwhile, too. `deletes`: it is
        of interest whether what is missing was deleted on purpose. Raise StoreError
        where it cannot be listed, and StateError. Afterwards, nobody waits for what has
        not begun.
        """
        wait = True
        try:
            listing = self.pool.submit(self.store.list)
            # Not before the client is made: both would wait for one interpreter.
            location = self.store.identity
            self.roster = Roster(self.engine, self.scope)
            self.observer = Observer(
                self.engine,
                self.roster,
                self.parse,
                self._is_deleted if deletes else lambda name, digest: False,
            )
            root = str(self.engine.root)
            self.memory = self.state.memory(location, root)
            if everything:
                self.observer.look_ahead(self.memory.baselines)
            found = result_of(listing)
            known = self.store.conditions or self.memory.conditions
            self.store.conditions = known
            yield found
        except KeyboardInterrupt:
            wait = False  # a server that does not answer keeps nobody here
            self._give_up()
            raise
        finally:
            self.pool.shutdown(wait, cancel_futures=True)

    @property
    def ahead(self) -> timedelta | None:
        """Return how far our clock is ahead of the server's, if that is noticeable."""
        ahead = self.store.ahead
        return ahead if abs(ahead) > _NOTICEABLE else None

    def now(self) -> datetime:
        """Return the time by the server's clock."""
        return self._clock() - (self.ahead or timedelta(0))

    def by_the_server(self, modified: datetime) -> datetime:
        """Return a time of our clock by the server's: not later than now."""
        return min(modified - (self.ahead or timedelta(0)), self.now())

    def moment_after(self, history: Iterable[Kept]) -> datetime:
        """Return now, or later: after all versions, whatever clocks those are from."""
        now = self.now()
        latest = max((kept.modified for kept in history), default=now)
        return max(now, latest + timedelta(microseconds=1))

    def moment_of(self, name: str, modified: datetime) -> datetime:
        """Return the time of what has come: after the statement that it was deleted.

        Otherwise it would not have been brought back. Who may not list the history is
        not asked.
        """
        with contextlib.suppress(AccessDeniedError):
            history = self.store.history(name)
            if is_gone(history):
                return self.moment_after(history)
        return modified

    def way_back(self, name: str, digest: str) -> str:
        """Return the command that brings a version back, for people to copy."""
        return f"{self.command} --restore {quoted(f'{name}@{digest[:SHORT]}')}"

    def way_to_history(self, name: str) -> str:
        """Return the command that shows all versions, for people to copy."""
        return f"{self.command} --history {quoted(name)}"

    def _is_deleted(self, name: str, digest: str) -> bool:
        return is_deleted(self.store.history(name), digest)

    def look(self, name: str, listing: Listing) -> Sight:
        """See both sides of one environment, as synchronizing would.

        What was not listed is not asked for: S3 denies access to it.
        """
        sight = self.observer.sight(
            name,
            self.memory.baselines.get(name),
            listing.environments.get(name),
            lambda: self.store.get(name),
        )
        present = {name, *self.roster.everything, *listing.environments}
        return replace(sight, here=collisions(present).get(name, sight.here))

    def look_again(self, name: str) -> Sight:
        """See both sides of one environment as they are by now; raise StoreError."""
        remote = self.store.get(name)
        return self.observer.sight(
            name,
            self.memory.baselines.get(name),
            Listed(remote.etag) if remote else None,
            lambda: remote,
        )
