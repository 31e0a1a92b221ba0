"""Merging: where both sides have changed different things, both changes stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alteration import Alteration
from .difference import compare
from .download import download_version
from .envfile import render
from .exceptions import ConflictError, EngineError, LocalChangedError
from .location import quoted
from .lockfile import parse_lock
from .merging import NOTHING, combine, content_of
from .models import Baseline, LocalEnv, Lock
from .observe import read
from .versions import Kind
from .wording import in_short

if TYPE_CHECKING:
    from .keeping import Keeper
    from .merging import Content
    from .models import EnvFile
    from .observe import Here, Sight, There
    from .session import Session

_VERSIONS = (Kind.VERSION, Kind.LOSER)

#: A platform that nobody is on: its lock says what is wanted, and not what to link.
_NOWHERE = "merge"


class Merger:
    """Combine what both sides have asked for, solve that, and push the result."""

    def __init__(self, session: Session, keeper: Keeper, *, prune: bool) -> None:
        self._session, self._keeper = session, keeper
        self._prune = prune

    def merge(self, sight: Sight, here: Here, there: There) -> tuple[str, ...]:
        """Merge both sides of an environment; return in words what differs.

        Raise ConflictError where that cannot be; then both are as they were.
        """
        session, name, env = self._session, sight.name, here.env
        engine, store = session.engine, session.store
        ours = here.export or read(engine, env, sight.elsewhere)
        download = download_version(store, name, there, engine.platform, session.parse)
        theirs = download.fetched
        merged, collisions = combine(
            self._base(sight),
            content_of(ours.file, ours.lock),
            _content(name, theirs.file, download.lock),
        )
        if collisions:
            raise _conflict(name, f"both sides have changed {', '.join(collisions)}")
        # Should this break off, what is here is replaced by the bucket's.
        self._keeper.keep_local(sight)
        self._keeper.keep_remote(sight)
        moment = session.moment_after(store.history(name))
        alteration = Alteration(session, sight, env.prefix, moment, leaves_edit=True)
        with alteration.noting_failure():
            try:
                applied = engine.apply(
                    name,
                    env.prefix,
                    _file(name, merged),
                    _lock(merged, ours.lock),
                    modified=moment,
                    origin=theirs.remote.platform,
                    prune=self._prune,
                    begin=alteration.begin,
                )
            except EngineError as error:
                if alteration.has_begun:
                    raise
                raise _conflict(name, error.summary) from error
        # Whole again, and an edit like any other, should what follows break off.
        session.memory.remember(name, sight.baseline)
        now = engine.look(name, env.prefix)
        if not isinstance(now, LocalEnv):
            raise LocalChangedError(f"{env.prefix} has just been removed.")
        export = read(engine, now, applied.elsewhere)
        document = self._keeper.publish(name, export, moment)
        etag = store.put(name, document, replaces=there.etag)
        digest = export.file.digest
        baseline = Baseline(
            digest,
            now.stamp,
            digest,
            etag,
            moment,
            applied.elsewhere,
            prefix=str(now.prefix),
        )
        session.memory.remember(name, baseline)
        came = in_short(compare(ours.file, export.file))
        return (*filter(None, [came]), *applied.given_up, *applied.notes)

    def _base(self, sight: Sight) -> Content:
        """Return what both sides were when they were last in step."""
        old, store, name = sight.baseline, self._session.store, sight.name
        if old is None or not old.remote:
            return NOTHING
        for kept in reversed(store.history(name)):
            if kept.digest != old.remote[:12] or kept.kind not in _VERSIONS:
                continue
            there = store.get_kept(name, kept)
            if there is not None:
                file = self._session.parse(there.body)
                return _content(name, file, self._lock_of(name, file, there.platform))
        raise _conflict(name, "the version that both sides had is in no history")

    def _lock_of(self, name: str, file: EnvFile, origin: str) -> Lock | None:
        for platform in filter(None, (self._session.engine.platform, origin)):
            body = self._session.store.get_lock(name, file.digest, platform)
            if body is not None:
                return parse_lock(body, digest=file.digest, platform=platform)
        return None


def _content(name: str, file: EnvFile, lock: Lock | None) -> Content:
    """Return what is in a version; raise ConflictError where nobody can tell."""
    if lock is None and any(spec.count("=") > 1 for spec in file.specs):
        # Each of these may have been asked for, or have come along with another.
        raise _conflict(name, "there is no lock that tells what was asked for")
    return content_of(file, lock)


def _file(name: str, content: Content) -> EnvFile:
    return render(
        name,
        channels=content.channels,
        specs=[wish.spec for wish in content.wishes.values()],
        pip=content.pip.values(),
        variables=content.variables,
        pinned=content.pins.values(),
    )


def _lock(content: Content, ours: Lock) -> Lock:
    """Return what is wanted in the form that engines solve for.

    With the versions of what nobody has asked for: pip may be wanted all the same.
    """
    versions = {item["name"]: item["version"] for item in ours.packages}
    versions |= {name: wish.version for name, wish in content.wishes.items()}
    packages = ({"name": name, "version": versions[name]} for name in versions)
    asked = (wish.spec for wish in content.wishes.values())
    return Lock("", _NOWHERE, tuple(packages), tuple(asked))


def _conflict(name: str, why: str) -> ConflictError:
    return ConflictError(
        f"cannot be merged: {why}",
        hint=f"Look with --diff {quoted(name)}; settle it with -n {quoted(name)} "
        "--prefer local, or --prefer remote.",
    )
