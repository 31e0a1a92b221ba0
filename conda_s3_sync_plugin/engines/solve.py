"""conda's solver, for where no lock fits, and how much is given up then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conda.base.constants import UpdateModifier
from conda.base.context import context
from conda.models.channel import Channel
from conda.models.match_spec import MatchSpec

from ..exceptions import EngineError
from .transaction import in_one_line, in_order, leaves, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from conda.models.records import PackageRecord

    Solution = list[PackageRecord]

#: Each attempt gives something up: far more than a solve that can work needs.
_ATTEMPTS = 100

#: A prefix where nothing is: the specs alone decide.
_NOWHERE = "/no/such/prefix"


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
    return backend(
        prefix,
        tuple(Channel(name) for name in names),
        context.subdirs,
        specs_to_add=list(specs),
        command=command,
    )


def solve_relaxed(
    specs: Iterable[MatchSpec],
    attempt: Callable[[Iterable[MatchSpec]], Solution],
    *,
    may_leave_out: bool,
) -> tuple[Solution, list[str]]:
    """Solve, and give up only what does not exist: the build, then the version.

    With `may_leave_out` the package itself is given up last. Return the packages, and
    in words what was given up. Raise EngineError where that does not help.
    """
    want = {spec.name: spec for spec in specs}
    notes: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            return attempt(want.values()), notes
        except (EngineError, KeyboardInterrupt):
            raise
        except (Exception, SystemExit) as error:  # solvers raise what they like
            missing = sorted({MatchSpec(text).name for text in _unavailable(error)})
            missing = [name for name in missing if name in want]
            if (
                not missing
            ):  # it exists but does not fit: builds are what fits nowhere else
                missing = [name for name, spec in want.items() if spec.get("build")]
            if not missing:
                raise EngineError(f"No solution: {in_one_line(error)}") from error
        for name in missing:
            spec = want.pop(name)
            if weaker := _weaker(spec):
                want[name] = weaker
                notes.append(f"{spec} is not to be had here: {weaker} instead")
            elif may_leave_out:
                notes.append(f"{spec} is not to be had here: left out")
            else:
                raise EngineError(f"{spec} is in none of its channels.")
    raise EngineError("No solution, whatever was given up.")


def _weaker(spec: MatchSpec) -> MatchSpec | None:
    if spec.get("build"):
        return MatchSpec(name=spec.name, version=spec.get("version"))
    return MatchSpec(name=spec.name) if spec.get("version") else None


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
