"""What differs between two versions of an environment, package by package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .models import EnvFile
from .versions import Change, Difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: `CHANNEL::NAME` and the rest of a spec, or of a requirement of pip's.
_SPEC = re.compile(r"(?:.*::)?\s*([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(.*)")
_EXACT = re.compile(r"==?([^=<>!~,|\s*]+)(?:=([^=<>!~,|\s*]+))?")


def compare(
    old: EnvFile | None, new: EnvFile | None, *, builds: bool = True
) -> Difference:
    """Return what has changed from one version to another; None has nothing.

    Without `builds`, versions alone count: no two platforms have the same builds.
    """
    before, after = (file or EnvFile(b"", "") for file in (old, new))
    is_edit = old is not None and new is not None
    return Difference(
        _changes(_packages(before.specs), _packages(after.specs), builds=builds),
        _changes(_packages(before.pip), _packages(after.pip)),
        _changes(_plain(before.variables), _plain(after.variables)),
        _changes(_packages(before.pinned or ()), _packages(after.pinned or ())),
        (before.channels, after.channels) if is_edit else ((), ()),
    )


def _changes(
    before: Mapping[str, _Item], after: Mapping[str, _Item], *, builds: bool = True
) -> tuple[Change, ...]:
    """Compare by name; builds are told only where they are all that differs."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old and new and old.version == new.version:
            if builds and old.build != new.build:
                found.append(Change(name, str(old), str(new)))
        elif old != new:
            found.append(Change(name, old and old.version, new and new.version))
    return tuple(found)


class _Item(NamedTuple):
    version: str
    build: str = ""

    def __str__(self) -> str:
        return f"{self.version} {self.build}".rstrip()


def _plain(values: Mapping[str, str]) -> dict[str, _Item]:
    return {name: _Item(value) for name, value in values.items()}


def name_of(spec: str) -> str:
    """Return which package a spec, or a requirement of pip's, is about."""
    return _split(spec)[0]


def version_of(spec: str) -> tuple[str, bool]:
    """Return the version that a spec asks for, and whether it is just that one.

    An empty one: it leaves a choice. To conda, `python=3.12` is any 3.12, too.
    """
    match = _SPEC.fullmatch(spec)
    found = _EXACT.fullmatch(match[2]) if match else None
    if match is None or found is None:
        return "", False
    return found[1], bool(found[2]) or match[2].startswith("==")


def has_build(spec: str) -> bool:
    """Tell whether a spec asks for one build, as those do that were never typed."""
    return bool(_split(spec)[1].build)


def _packages(specs: Iterable[str]) -> dict[str, _Item]:
    """Return what specs ask for: name -> version and build, or what else they say."""
    found: dict[str, _Item] = {}
    for spec in sorted(specs):
        name, item = _split(spec)
        found[name] = _Item(f"{found[name]}, {item}") if name in found else item
    return found


def _split(spec: str) -> tuple[str, _Item]:
    match = _SPEC.fullmatch(spec)
    if match is None or match[2].startswith(("://", "+")):  # an address, not a name
        return spec, _Item("")
    name, rest = match.groups()
    exact = _EXACT.fullmatch(rest)
    return name, _Item(exact[1], exact[2] or "") if exact else _Item(rest)
