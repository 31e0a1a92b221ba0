"""Merging: where both sides have changed different things, both changes stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .agreement import finish_push
from .alteration import Alteration
from .difference import compare, has_build, name_of
from .download import download, read_lock
from .envfile import render
from .exceptions import ConflictError, EngineError, LocalChangedError
from .location import quoted
from .merging import NOTHING, combine, content_of
from .models import Lock
from .versions import Kind
from .wording import in_short

if TYPE_CHECKING:
    from datetime import datetime

    from .download import Download
    from .keeping import Keeper
    from .merging import Content
    from .models import Applied, EnvFile, Export
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
        session, name, store = self._session, sight.name, self._session.store
        ours = here.read(session.engine, sight.elsewhere)
        got = download(session, name, there)
        merged, apart = self._combined(sight, ours, got)
        # Should this break off, what is here is replaced by the bucket's.
        self._keeper.keep_local(sight)
        self._keeper.keep_remote(sight)
        moment = session.moment_after(store.history(name))
        origin = got.fetched.remote.platform
        alteration = Alteration(
            session, sight, here.env.prefix, moment, leaves_edit=True
        )
        applied = self._apply(alteration, sight, ours, merged, moment, origin)
        env, export = alteration.result({**apart, **applied.elsewhere})
        document = self._keeper.publish(name, export, moment)
        etag = store.put(name, document, replaces=there.etag)
        finish_push(session, sight, env, export, etag=etag, modified=moment)
        came = in_short(compare(ours.file, export.file))
        return (*filter(None, [came]), *applied.given_up, *applied.notes)

    def _combined(
        self, sight: Sight, ours: Export, got: Download
    ) -> tuple[Content, dict[str, str]]:
        """Combine both sides; return apart what is known not to be had here."""
        theirs, base = got.fetched, self._base(sight)
        wanted = _content(sight.name, theirs.file, got.lock)
        if theirs.remote.foreign and theirs.file.pinned is None:
            wanted = replace(wanted, pins=base.pins)  # it leaves them to the machine
        merged, collisions = combine(base, content_of(ours.file, ours.lock), wanted)
        if collisions:
            told = ", ".join(collisions)
            raise _conflict(sight.name, f"both sides have changed {told}")
        platform = self._session.engine.platform
        return _without_missing(merged, platform, ours.lock, got.lock)

    def _apply(
        self,
        alteration: Alteration,
        sight: Sight,
        ours: Export,
        merged: Content,
        moment: datetime,
        origin: str,
    ) -> Applied:
        with alteration.noting_failure():
            try:
                applied = self._session.engine.apply(
                    sight.name,
                    alteration.prefix,
                    _file(sight.name, merged),
                    _lock(merged, ours.lock),
                    modified=moment,
                    origin=origin,
                    prune=self._prune,
                    begin=alteration.begin,
                )
            except LocalChangedError:
                raise
            except EngineError as error:
                if alteration.has_begun:
                    raise
                raise _conflict(sight.name, error.summary) from error
        # Whole again, and an edit like any other, should what follows break off.
        self._session.memory.remember(sight.name, sight.baseline)
        return applied

    def _base(self, sight: Sight) -> Content:
        """Return what both sides were when they were last in step."""
        old, store, name = sight.baseline, self._session.store, sight.name
        if old is None or not old.remote:
            return NOTHING
        for kept in reversed(store.history(name)):
            if not kept.is_of(old.remote) or kept.kind not in _VERSIONS:
                continue
            there = store.get_kept(name, kept)
            if there is not None:
                file = self._session.parse(there.body)
                return _content(name, file, self._lock_of(name, file, there.platform))
        raise _conflict(name, "the version that both sides had is in no history")

    def _lock_of(self, name: str, file: EnvFile, origin: str) -> Lock | None:
        places = dict.fromkeys((self._session.engine.platform, origin))
        found = (
            read_lock(self._session.store, name, file.digest, place)
            for place in filter(None, places)
        )
        return next(filter(None, found), None)


def _content(name: str, file: EnvFile, lock: Lock | None) -> Content:
    """Return what is in a version; raise ConflictError where nobody can tell."""
    if lock is None and any(map(has_build, file.specs)):
        # Each of these may have been asked for, or have come along with another.
        raise _conflict(name, "there is no lock that tells what was asked for")
    return content_of(file, lock)


def _file(name: str, content: Content) -> EnvFile:
    pinned = tuple(content.pins.values())
    file = render(
        name,
        channels=content.channels,
        specs=[wish.spec for wish in content.wishes.values()],
        pip=content.pip.values(),
        variables=content.variables,
        pinned=pinned,
    )
    return replace(file, pinned=pinned)  # none is not the same as nothing said


def _lock(content: Content, ours: Lock) -> Lock:
    """Return what is wanted in the form that engines solve for.

    With the versions of what nobody has asked for: pip may be wanted all the same.
    """
    versions = {item["name"]: item["version"] for item in ours.packages}
    versions |= {
        name: wish.version if wish.is_exact else ""
        for name, wish in content.wishes.items()
    }
    packages = ({"name": name, "version": versions[name]} for name in versions)
    asked = (wish.spec for wish in content.wishes.values())
    return Lock("", _NOWHERE, tuple(packages), tuple(asked))


def _without_missing(
    content: Content, platform: str, *locks: Lock | None
) -> tuple[Content, dict[str, str]]:
    """Set apart what other platforms alone have, as the locks of this one tell."""
    missing: set[str] = set()
    for lock in locks:
        if lock and lock.platform == platform:
            here = {item["name"] for item in lock.packages}
            missing |= {name_of(spec) for spec in lock.elsewhere} - here
    wishes = content.wishes
    apart = {
        wish.spec: wish.version for name, wish in wishes.items() if name in missing
    }
    rest = {name: wish for name, wish in wishes.items() if name not in missing}
    return replace(content, wishes=rest), apart


def _conflict(name: str, why: str) -> ConflictError:
    return ConflictError(
        f"cannot be merged: {why}",
        hint=f"Look with --diff {quoted(name)}; settle it with -n {quoted(name)} "
        "--prefer local, or --prefer remote.",
    )
