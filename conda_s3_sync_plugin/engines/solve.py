"""conda's solver, and its words for what it cannot do."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from conda.base.constants import UpdateModifier
from conda.base.context import context
from conda.core.solve import get_pinned_specs
from conda.exceptions import SpecsConfigurationConflictError, UnsatisfiableError
from conda.models.channel import Channel
from conda.models.match_spec import MatchSpec

from ..exceptions import EngineError
from .fetch import private_channels
from .ladder import NoSolution
from .manners import in_one_line, leaves, quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from conda.models.records import PackageRecord

    Solution = list[PackageRecord]

#: What solvers raise where each package exists, but not all of them together.
_NO_FIT = (UnsatisfiableError, SpecsConfigurationConflictError)

#: A prefix where nothing is: the specs alone decide.
_NOWHERE = "/no/such/prefix"


@dataclass(frozen=True)
class CondaSpec:
    """What is asked of one package, as conda understands it."""

    match_spec: MatchSpec
    #: Where it is one version of that, what was asked for, but for the build.
    asked: CondaSpec | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, text: str) -> CondaSpec:
        """Read a spec; raise what conda raises."""
        return cls(MatchSpec(text))

    def __str__(self) -> str:
        return str(self.match_spec.original_spec_str or self.match_spec)

    @property
    def name(self) -> str:
        """Return the name of the package."""
        return str(self.match_spec.name)

    @property
    def has_build(self) -> bool:
        """Tell whether one build is asked for."""
        return bool(self.match_spec.get("build"))

    @property
    def is_version(self) -> bool:
        """Tell whether it is one version of what was asked for."""
        return self.asked is not None

    def at(self, version: str) -> CondaSpec:
        """Return a spec for exactly this version, of the same build and channel."""
        exact = self._only("name", "build", "channel", version=version)
        asked = self._only("name", "version", "channel")
        return replace(exact, asked=self if asked == self else asked)

    def weaker(self) -> CondaSpec | None:
        """Return it without a build, or then without a version; None: a bare name."""
        without_build = self._only("name", "version", "channel")
        rungs = (
            replace(without_build, asked=self.asked),
            self.asked,
            self._only("name", "channel"),
        )
        return next((rung for rung in rungs if rung and rung != self), None)

    def _only(self, *keys: str, **more: str) -> CondaSpec:
        kept = {key: self.match_spec.get(key) for key in keys}
        parts = {key: value for key, value in kept.items() if value}
        return CondaSpec(MatchSpec(**parts, **more))

    def matches(self, package: PackageRecord) -> bool:
        """Tell whether a package is what is asked for."""
        return bool(self.match_spec.match(package))


def solve(specs: Iterable[CondaSpec], channels: Sequence[str]) -> Solution:
    """Solve for a new environment; raise NoSolution."""
    with _explained():
        solver = _solver(_NOWHERE, channels, specs, "create")
        return list(solver.solve_final_state())


def solve_addition(
    prefix: Path, specs: Iterable[CondaSpec], channels: Sequence[str]
) -> Solution:
    """Solve for what an environment lacks, with all that it has staying as it is.

    Raise NoSolution, or EngineError where something would have to change.
    """
    with (
        _explained(),
        # Of what is installed conda would update these, whatever it is asked for.
        context._override("auto_update_conda", False),
        context._override("_aggressive_update_packages", ()),
    ):
        solver = _solver(str(prefix), channels, specs, "install")
        unlink, link = solver.solve_for_diff(
            update_modifier=UpdateModifier.FREEZE_INSTALLED
        )
    if unlink:
        names = ", ".join(sorted(item.name for item in unlink))
        raise EngineError(
            f"{names} would have to change for it, and nothing in base is changed.",
            hint="Install what you need into base yourself.",
        )
    # For what is asked for by name, some solvers do not heed them.
    for pin, item in product(get_pinned_specs(str(prefix)), link):
        if pin.name == item.name and not pin.match(item):
            raise EngineError(
                f"{item.name} {item.version} is not what base pins: {pin}.",
                hint="Change conda-meta/pinned there, or the file in the bucket.",
            )
    return list(link)


def _solver(
    prefix: str, channels: Sequence[str], specs: Iterable[CondaSpec], command: str
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
        specs_to_add=[spec.match_spec for spec in specs],
        command=command,
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever a solver raises into NoSolution."""
    try:
        with quiet():
            yield
    except EngineError:
        raise
    except (Exception, SystemExit) as error:  # solvers raise what they like
        unavailable = _unavailable(error)
        why = f"no channel has {', '.join(unavailable)}" if unavailable else ""
        raise NoSolution(
            why or in_one_line(error),
            missing=[MatchSpec(text).name for text in unavailable],
            is_conflict=any(isinstance(leaf, _NO_FIT) for leaf in leaves(error)),
        ) from error


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
