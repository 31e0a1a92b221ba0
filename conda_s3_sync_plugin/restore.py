"""Going back: an old version becomes the current one, as a new version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .difference import compare
from .download import download
from .exceptions import EngineError, EnvFileError, S3SyncError, UsageError
from .keeping import Keeper
from .location import ROOT
from .models import Document, Outcome, RemoteObject, Result, Step, Unknown, Version
from .observe import Fetched, Here, There
from .pull import Puller
from .timeline import find_version
from .words import Action

if TYPE_CHECKING:
    from .models import EnvFile
    from .observe import Sight
    from .protocols import Watcher
    from .session import Session
    from .versions import Kept


def restore(
    session: Session,
    name: str,
    version: str,
    watcher: Watcher,
    *,
    prune: bool = True,
    dry_run: bool = False,
) -> Result:
    """Make a version the current one again, here and in the bucket.

    `version` is the beginning of its digest; empty: the latest that was in the bucket
    and is not current. What it replaces on either side is in the history first. Raise
    S3SyncError where nothing was done; what fails after that is in the outcome.
    """
    with session.opened() as listing:
        if name == ROOT and not session.scope.root:
            raise UsageError(
                "The base environment takes part only if it is asked for.",
                hint="Use --include-root-env, too.",
            )
        if not session.roster.takes_part(name):
            raise UsageError(
                f"{name} takes no part in this run.",
                hint="See -n, --path-filter and --include-root-env.",
            )
        sight = session.look(name, listing)
        for side in (sight.here, sight.there):
            if isinstance(side, Unknown):
                raise EngineError(side.reason, hint=side.hint)
        current = sight.there.version.digest if isinstance(sight.there, There) else ""
        history = session.store.history(name)
        kept = find_version(history, name, version, current=current)
        old = _read(session, name, kept)
        when = f"{kept.modified:%Y-%m-%d %H:%M} UTC"
        step = Step(name, Action.RESTORE, f"back to {kept.short}, of {when}", 0)
        watcher.plan([step])
        if _is_current(sight, kept):
            reason = f"{kept.short} is the current version"
            outcome = Outcome(Step(name, Action.NOTHING, reason, 0))
        elif dry_run:
            origin = old.remote.platform
            builds = origin in ("", session.engine.platform)
            now = _file_of(session, sight)
            difference = compare(now, old.file, builds=builds)
            outcome = Outcome(step, difference=difference)
        else:
            watcher.start(step)
            moment = session.moment_after(history)
            old = replace(old, remote=replace(old.remote, modified=moment))
            outcome = _bring_back(session, step, sight, old, prune=prune)
            watcher.finish(outcome)
    return Result(session.store.identity, (outcome,), dry_run=dry_run)


def _read(session: Session, name: str, kept: Kept) -> Fetched:
    """Read a version in the history; raise EnvFileError where that cannot be."""
    try:
        if remote := session.store.get_kept(name, kept):
            return Fetched(remote, session.parse(remote.body))
    except EnvFileError:  # too large, or damaged
        pass
    raise EnvFileError(f"Version {kept.short} of {name} cannot be read.")


def _is_current(sight: Sight, kept: Kept) -> bool:
    """Tell whether both sides are that version already, and in step."""
    here, there, old = sight.here, sight.there, sight.baseline
    return (
        isinstance(here, Here)
        and isinstance(there, There)
        and there.version.digest.startswith(kept.digest)
        and old is not None
        and not old.is_interrupted
        and (here.version.digest, there.version.digest) == (old.local, old.remote)
    )


def _file_of(session: Session, sight: Sight) -> EnvFile | None:
    """Return what would be replaced: what is here, or else in the bucket."""
    if isinstance(sight.here, Here):
        return sight.here.read(session.engine).file
    if isinstance(sight.there, There) and sight.there.fetched:
        return sight.there.fetched.file
    return None


def _bring_back(
    session: Session, step: Step, sight: Sight, old: Fetched, *, prune: bool
) -> Outcome:
    """Write the version to the bucket, and pull it; else the next run does that.

    `old` has the time that it gets as a new one.
    """
    keeper = Keeper(session, pull_only=False)
    keeper.keep_local(sight)
    keeper.keep_remote(sight)
    there = _write(session, sight, old)
    puller = Puller(session, keeper, prune=prune, pull_only=False)
    try:
        got = download(session, sight.name, there)
        return Outcome(step, puller.pull(replace(sight, there=there), got))
    except S3SyncError as error:
        note = "it is in the bucket again, and the next run pulls it from there"
        return Outcome(step, (note,), error)


def _write(session: Session, sight: Sight, old: Fetched) -> There:
    """Write the version to the bucket as a new one; return what is there then."""
    name, store = sight.name, session.store
    remote, digest, moment = old.remote, old.file.digest, old.remote.modified
    document = Document(remote.body, digest, moment, remote.platform)
    store.keep(name, document)
    replaces = sight.there.etag if isinstance(sight.there, There) else None
    etag = store.put(name, document, replaces=replaces)
    remote = RemoteObject(etag, remote.body, moment, remote.platform)
    return There(etag, Version(digest, moment), Fetched(remote, old.file))
