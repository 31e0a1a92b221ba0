"""What differs between two versions of an environment, package by package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .versions import Change, Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .models import EnvFile

#: `CHANNEL::NAME` and the rest of a spec, or of a requirement of pip's.
_SPEC = re.compile(r"(?:.*::)?\s*([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(.*)")
_EXACT = re.compile(r"==?([^=<>!~,|\s*]+)(?:=([^=<>!~,|\s*]+))?")


def compare(
    old: EnvFile | None, new: EnvFile | None, *, builds: bool = True
) -> Difference:
    """Return what has changed from one version to another; None has nothing.

    Without `builds`, versions alone count: no two platforms have the same builds.
    """

    def both(
        parse: Callable[[EnvFile], Mapping[str, str]],
    ) -> tuple[Change, ...]:
        before, after = (parse(file) if file else {} for file in (old, new))
        names = sorted(before.keys() | after.keys())
        changes = (Change(name, before.get(name), after.get(name)) for name in names)
        return tuple(change for change in changes if change.old != change.new)

    channels = tuple(file.channels if file else () for file in (old, new))
    return Difference(
        both(lambda file: packages_of(file.specs, builds=builds)),
        both(lambda file: packages_of(file.pip)),
        both(lambda file: file.variables),
        both(lambda file: packages_of(file.pinned or ())),
        (channels[0], channels[1]),
    )


def packages_of(specs: Iterable[str], *, builds: bool = True) -> dict[str, str]:
    """Return what specs ask for: name -> version and build, or what else they say."""
    found: dict[str, str] = {}
    for spec in specs:
        name, wanted = _split(spec, builds=builds)
        found[name] = f"{found[name]}, {wanted}" if name in found else wanted
    return found


def _split(spec: str, *, builds: bool) -> tuple[str, str]:
    match = _SPEC.fullmatch(spec)
    if match is None or match[2].startswith("://"):
        return spec, ""
    name, rest = match.groups()
    exact = _EXACT.fullmatch(rest)
    if exact is None:
        return name, rest
    version, build = exact.groups()
    return name, f"{version} {build}" if builds and build else version
