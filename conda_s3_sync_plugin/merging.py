"""What two sides have changed since they were in step, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .difference import name_of, version_of
from .engines.privacy import presentable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .models import EnvFile, Lock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wish:
    """A package that a person wanted: as it was asked for, and in which version."""

    spec: str
    #: Empty: not known.
    version: str
    #: It was that version; otherwise one that the spec allows.
    is_exact: bool = True

    @property
    def meaning(self) -> str:
        """Return what counts: the same version may have been asked for in many ways."""
        return self.version or self.spec


@dataclass(frozen=True, slots=True)
class Content:
    """What people have made of an environment; what merely came along is left out."""

    wishes: Mapping[str, Wish]
    pip: Mapping[str, str]
    variables: Mapping[str, str]
    pins: Mapping[str, str]
    channels: tuple[str, ...]


#: Where two sides have never been in step.
NOTHING = Content({}, {}, {}, {}, ())


def content_of(file: EnvFile, lock: Lock | None) -> Content:
    """Return what is in a file; a lock knows what of that was asked for."""
    wishes = {
        name: Wish(spec, *version_of(spec))
        for name, spec in _by_name(file.specs).items()
    }
    if lock and lock.requested:
        versions = {item["name"]: item["version"] for item in lock.packages}
        asked = {name_of(spec): spec for spec in lock.requested}
        wishes = {
            name_of(spec): Wish(spec, version)
            for spec, version in lock.elsewhere.items()
        } | {
            name: Wish(spec, versions[name])
            for name, spec in asked.items()
            if name in versions
        }
    return Content(
        wishes,
        _by_name(file.pip),
        file.variables,
        _by_name(file.pinned or ()),
        file.channels,
    )


def _by_name(texts: Iterable[str]) -> dict[str, str]:
    """Return lines by what they are about; where there are more, by themselves."""
    found: dict[str, str] = {}
    for text in sorted(texts):
        name = name_of(text)
        found[text if name in found else name] = text
    return found


def combine(base: Content, ours: Content, theirs: Content) -> tuple[Content, list[str]]:
    """Return what both sides have changed, in one; and what they change differently.

    Where there is such a thing, what is returned for it is of no use.
    """
    collisions: list[str] = []

    def merged(
        kind: str,
        part: Callable[[Content], Mapping[str, T]],
        meaning: Callable[[T], str],
    ) -> dict[str, T]:
        sides = [part(content) for content in (base, ours, theirs)]
        found: dict[str, T] = {}
        for name in sorted({name for side in sides for name in side}):
            old, here, there = (side.get(name) for side in sides)
            known = [
                None if item is None else meaning(item) for item in (old, here, there)
            ]
            if known[1] != known[2] and known[0] not in known[1:]:
                told = [presentable(name, text) for text in known[1:]]
                collisions.append(f"{kind}{name} ({_told(*told)})")
            chosen = there if known[1] == known[0] != known[2] else here
            if chosen is not None:
                found[name] = chosen
        return found

    content = Content(
        merged("", lambda side: side.wishes, lambda wish: wish.meaning),
        merged("pip package ", lambda side: side.pip, str),
        merged("variable ", lambda side: side.variables, str),
        merged("pin ", lambda side: side.pins, str),
        _channels(base.channels, ours.channels, theirs.channels),
    )
    return content, collisions


def _told(here: str | None, there: str | None) -> str:
    return f"{here or 'removed'} here, {there or 'removed'} in the bucket"


def _channels(
    base: tuple[str, ...], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> tuple[str, ...]:
    """Take the order of whoever has changed it; of both, ours comes first."""
    if ours == base:
        return theirs
    if theirs == base:
        return ours
    return tuple(dict.fromkeys((*ours, *theirs)))
