"""conda's solver, for where no lock fits, and how much is given up then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conda.base.constants import UpdateModifier
from conda.base.context import context
from conda.exceptions import SpecsConfigurationConflictError, UnsatisfiableError
from conda.models.channel import Channel
from conda.models.match_spec import MatchSpec

from ..exceptions import EngineError
from .fetch import private_channels
from .manners import in_one_line, leaves, quiet
from .transaction import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from conda.models.records import PackageRecord

    from ..models import EnvFile, Lock

    Solution = list[PackageRecord]

#: What solvers raise where each package exists, but not all of them together.
_NO_FIT = (UnsatisfiableError, SpecsConfigurationConflictError)

#: A prefix where nothing is: the specs alone decide.
_NOWHERE = "/no/such/prefix"


def specs_of(file: EnvFile, lock: Lock | None, platform: str) -> list[MatchSpec]:
    """Choose what to solve for.

    Another platform's lock knows which packages a person wanted; the rest came along
    there, and may not exist here. Otherwise it is the file, word for word.
    """
    if lock is None or lock.platform == platform or not lock.requested:
        return [MatchSpec(spec) for spec in file.specs]
    versions: dict[str, Any] = {item["name"]: item["version"] for item in lock.packages}
    wanted = [spec for spec in map(MatchSpec, lock.requested) if spec.name in versions]
    return [_at_version(spec, versions[spec.name]) for spec in wanted]


def expendable(specs: Iterable[MatchSpec], origin: str, platform: str) -> set[str]:
    """Choose what may be left out: packages that exist on another platform only.

    Where nobody has noted the platform, builds tell that a program wrote the file. What
    a person wrote may be misspelled, and must not vanish.
    """
    if origin == platform:
        return set()
    return {spec.name for spec in specs if origin or spec.get("build")}


def _at_version(spec: MatchSpec, version: str) -> MatchSpec:
    channel = {"channel": spec.get("channel")} if spec.get("channel") else {}
    return MatchSpec(name=spec.name, version=version, **channel)


def satisfied(requested: Iterable[str], packages: Iterable[PackageRecord]) -> list[str]:
    """Return what was asked for as far as these packages are that.

    conda takes it into every later solve, which could not succeed with the rest.
    """
    have = {package.name: package for package in packages}
    specs = [spec for spec in map(MatchSpec, requested) if spec.name in have]
    return [str(spec) if spec.match(have[spec.name]) else spec.name for spec in specs]


def solve(specs: Iterable[MatchSpec], channels: Sequence[str]) -> Solution:
    """Solve for a new environment; return its packages, dependencies first."""
    solver = _solver(_NOWHERE, channels, specs, "create")
    with quiet():
        return in_order(solver.solve_final_state())


def solve_addition(
    prefix: Path, specs: Iterable[MatchSpec], channels: Sequence[str]
) -> Solution:
    """Solve for what an environment lacks, with all that it has staying as it is.

    Raise EngineError where that cannot be.
    """
    solver = _solver(str(prefix), channels, specs, "install")
    with quiet():
        unlink, link = solver.solve_for_diff(
            update_modifier=UpdateModifier.FREEZE_INSTALLED
        )
    if unlink:
        names = ", ".join(sorted(item.name for item in unlink))
        raise EngineError(
            f"{names} would have to change for it, and nothing in base is changed.",
            hint="Install what you need into base yourself.",
        )
    return list(link)


def _solver(
    prefix: str, channels: Sequence[str], specs: Iterable[MatchSpec], command: str
) -> Any:  # noqa: ANN401 (conda's class, chosen at run time)
    backend = context.plugin_manager.get_cached_solver_backend()
    names = [name for name in channels if name != "nodefaults"] or context.channels
    private = private_channels()
    return backend(
        prefix,
        tuple(
            private.get(channel.base_url, channel) for channel in map(Channel, names)
        ),
        context.subdirs,
        specs_to_add=list(specs),
        command=command,
    )


def solve_relaxed(
    specs: Iterable[MatchSpec],
    attempt: Callable[[Iterable[MatchSpec]], Solution],
    *,
    expendable: Collection[str],
) -> tuple[Solution, list[str]]:
    """Solve, and give up only what does not exist: the build, then the version.

    Of packages that are `expendable`, the package itself is given up last. Return the
    packages, and in words what was given up. Raise EngineError where that is no help.
    """
    # Two lines of a file may be about one package.
    want = {spec.name: spec for spec in MatchSpec.merge(specs)}
    notes: list[str] = []
    while True:
        try:
            return attempt(want.values()), notes
        except EngineError:
            raise
        except (Exception, SystemExit) as error:  # solvers raise what they like
            names = _culprits(error, want, elsewhere=bool(expendable))
            _weaken(want, names, notes, expendable)


def _culprits(
    error: BaseException, want: Mapping[str, MatchSpec], *, elsewhere: bool
) -> list[str]:
    """Return which of the packages to give something up of; raise EngineError."""
    unavailable = _unavailable(error)
    missing = {MatchSpec(text).name for text in unavailable} & want.keys()
    with_build = {name for name, spec in want.items() if spec.get("build")}
    if elsewhere and missing & with_build:
        # Builds of another platform fit nowhere here, and solvers may tell one a time.
        missing = with_build
    elif not missing and any(isinstance(leaf, _NO_FIT) for leaf in leaves(error)):
        missing = with_build  # each exists, but not together
    if not missing:
        why = f"no channel has {', '.join(unavailable)}" if unavailable else ""
        raise EngineError(f"No solution: {why or in_one_line(error)}") from error
    return sorted(missing)


def _weaken(
    want: dict[str, MatchSpec],
    names: Iterable[str],
    notes: list[str],
    expendable: Collection[str],
) -> None:
    for name in names:
        spec = want.pop(name)
        if weaker := _weaker(spec):
            want[name] = weaker
            notes.append(f"{spec} is not to be had here: {weaker} instead")
        elif name in expendable:
            notes.append(f"{spec} is not to be had here: left out")
        else:
            raise EngineError(f"{spec} is in none of its channels.")


def _weaker(spec: MatchSpec) -> MatchSpec | None:
    for keys in (("name", "version", "channel"), ("name", "channel")):
        weaker = MatchSpec(**{key: spec.get(key) for key in keys if spec.get(key)})
        if weaker != spec:
            return weaker
    return None


def _unavailable(error: BaseException) -> list[str]:
    """Return the specs that do not exist; some solvers tell only one at a time."""
    for leaf in leaves(error):
        if bad := getattr(leaf, "bad_deps", None):  # classic
            return [
                str(item[-1] if isinstance(item, list | tuple) else item)
                for item in bad
            ]
        if bad := getattr(leaf, "_kwargs", {}).get("packages"):  # rattler, libmamba
            return [str(item) for item in bad]
        if match := re.search(r"nothing provides (?:requested )?(\S+)", str(leaf)):
            return [match[1]]
    return []
