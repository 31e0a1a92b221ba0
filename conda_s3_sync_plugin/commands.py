"""The commands: their parts put together, and run."""

from __future__ import annotations

import math
import shlex
import socket
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .chronicle import document, read_chronicle, write
from .deadline import DeadlineStore
from .engines.privacy import without_credentials
from .exceptions import StoreError, UsageError
from .restore import restore
from .session import Session
from .state import State
from .store import S3Store
from .sync import Synchronization

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from .models import Result, Step
    from .options import Options, Surroundings
    from .protocols import Engine, Watcher


def begin(
    options: Options,
    surroundings: Surroundings,
    make_engine: Callable[[Options], Engine],
) -> Commands:
    """Put the parts together; raise S3SyncError."""
    if surroundings.offline:
        raise StoreError(
            f"{options.location} cannot be reached: this run is to stay offline.",
            hint="Run it again without --offline, CONDA_OFFLINE or `offline: true`.",
        )
    store = _store(options)
    session = Session(
        make_engine(options),
        store,
        State(),
        scope=options.scope,
        pip_options=options.pip_options,
        keep_versions=options.keep_versions,
        command=_spelled(surroundings.command, options),
        give_up=store.give_up,
    )
    return Commands(session, options, surroundings)


def _store(options: Options) -> DeadlineStore:
    store = S3Store(
        options.location,
        profile=options.profile or None,
        region=options.region or None,
        endpoint_url=options.endpoint_url or None,
        pushed_by=socket.gethostname() if options.record_host else "",
        quick=bool(options.timeout),
    )
    return DeadlineStore(store, options.timeout or math.inf)


def _spelled(command: str, options: Options) -> str:
    """Return how this very location is reached, for people to type."""
    words = [str(options.location).removeprefix("s3://")]
    for name in ("profile", "region", "endpoint_url", "conda_bin"):
        if name in options.given:
            value = without_credentials(getattr(options, name))
            words += [f"--{name.replace('_', '-')}", value]
    if "include_root_env" in options.given:
        words.append("--include-root-env")
    return f"{command} {shlex.join(words)}"


class Commands:
    """What can be done with one location; one of them, once."""

    def __init__(
        self, session: Session, options: Options, surroundings: Surroundings
    ) -> None:
        self._session = session
        self._options, self._surroundings = options, surroundings

    def synchronize(self, watcher: Watcher) -> Result:
        """Bring both sides into step, or tell what that would change."""
        options = self._options
        synchronization = Synchronization(
            self._session,
            policy=options.policy,
            prune=options.prune,
            force=options.force,
            confirm=self._confirm,
        )
        is_look = self._surroundings.dry_run or options.in_detail
        with self._alone(is_look):
            return synchronization.run(
                watcher,
                dry_run=self._surroundings.dry_run,
                in_detail=options.in_detail,
            )

    def restore(self, name: str, version: str, watcher: Watcher) -> Result:
        """Make an old version the current one."""
        dry_run = self._surroundings.dry_run or self._options.in_detail
        with self._alone(dry_run):
            return restore(
                self._session,
                name,
                version,
                watcher,
                prune=self._options.prune,
                dry_run=dry_run,
            )

    def history(self, name: str, *, quiet: bool) -> dict[str, Any]:
        """Tell all versions of an environment; return them as a document."""
        chronicle = read_chronicle(self._session, name)
        if not (chronicle.entries or chronicle.here or chronicle.there):
            raise UsageError(f"There is no environment {name}, and never was one.")
        if not (quiet or self._surroundings.json):
            write(chronicle, self._session.command)
        return document(chronicle)

    def _alone(self, is_look: bool) -> AbstractContextManager[None]:
        """Keep other runs out; looking writes nothing, not even a lock."""
        return nullcontext() if is_look else self._session.state.locked()

    def _confirm(self, removals: Sequence[Step]) -> bool:
        """Ask whether environments are to be removed here; nobody there: no."""
        around = self._surroundings
        if around.yes:
            return True
        if around.json or around.quiet or not sys.stdin or not sys.stdin.isatty():
            return False
        names = ", ".join(step.name for step in removals)
        sys.stderr.write(f"Remove from this machine, as elsewhere: {names}? (y/[n]) ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
