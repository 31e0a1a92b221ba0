"""Where no lock fits: what to solve for, and how much of it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ..models import EnvFile, Lock

#: A package, and what is asked of one, as the library of an engine knows them.
P = TypeVar("P")
S = TypeVar("S", bound="Spec")


class Spec(Protocol):
    """What is asked of one package, as the library of an engine understands it."""

    @property
    def name(self) -> str:
        """Return the name of the package."""
        ...

    @property
    def has_build(self) -> bool:
        """Tell whether one build is asked for: people seldom do, programs often."""
        ...

    @property
    def is_version(self) -> bool:
        """Tell whether it is one version of what was asked for: see `at`."""
        ...

    def at(self: S, version: str) -> S:
        """Return a spec for exactly this version, of the same build and channel."""
        ...

    def weaker(self: S) -> S | None:
        """Return it without a build, or then without a version; None: a bare name.

        Of one version, what was asked for comes before the bare name.
        """
        ...

    def matches(self, package: Any) -> bool:  # noqa: ANN401 (each library has its own)
        """Tell whether a package is what is asked for."""
        ...


@dataclass(frozen=True)
class Solution(Generic[P]):
    """What a solver has found."""

    packages: list[P]
    #: In words, what was given up.
    notes: list[str]
    #: Names of packages that were.
    left_out: list[str]


class NoSolution(EngineError):
    """No set of packages is what was asked for.

    `missing`: names of packages that no channel has as they are wanted, as far as the
    solver tells. `is_conflict`: each exists, but not all of them together.
    """

    def __init__(
        self, why: str, *, missing: Iterable[str] = (), is_conflict: bool = False
    ) -> None:
        super().__init__(f"No solution: {why}")
        self.missing = frozenset(missing)
        self.is_conflict = is_conflict


def specs_of(
    file: EnvFile, lock: Lock | None, platform: str, parse: Callable[[str], S]
) -> list[S]:
    """Choose what to solve for.

    This platform's lock is what it shall be, if it can. Another platform's knows which
    packages a person wanted; the rest came along there, and may not exist here.
    Otherwise it is the file, word for word.
    """
    if lock and lock.platform == platform:
        keys = ("name", "version", "build")
        return [parse("=".join(item[key] for key in keys)) for item in lock.packages]
    if lock is None or not lock.requested:
        return [parse(spec) for spec in with_pip(file.specs, file, parse)]
    return [
        parse(spec).at(version) if version else parse(spec)
        for spec, version in wishes(lock, file, parse).items()
    ]


def wishes(lock: Lock, file: EnvFile, parse: Callable[[str], S]) -> dict[str, str]:
    """Return what a person wanted, with its version: spec -> version.

    Also what could not be had where the lock was made. An empty version: whichever.
    """
    versions: dict[str, Any] = {item["name"]: item["version"] for item in lock.packages}
    asked = with_pip(lock.requested, file, parse)
    names = {text: parse(text).name for text in (*asked, *lock.elsewhere)}
    found = {text: versions[names[text]] for text in asked if names[text] in versions}
    return found | {
        text: version
        for text, version in lock.elsewhere.items()
        if names[text] not in versions
    }


def with_pip(
    specs: Iterable[str], file: EnvFile, parse: Callable[[str], Spec]
) -> list[str]:
    """Add pip where a file has packages for it, and does not name it: so does conda."""
    specs = list(specs)
    if file.pip and "pip" not in {parse(spec).name for spec in specs}:
        specs.append("pip")
    return specs


def expendable(specs: Iterable[Spec], origin: str, platform: str) -> set[str]:
    """Choose what may be left out: packages that exist on another platform only.

    Where nobody has noted the platform, builds tell that a program wrote the file. What
    a person wrote may be misspelled, and must not vanish.
    """
    if origin == platform:
        return set()
    return {spec.name for spec in specs if origin or spec.has_build}


def solve_relaxed(
    specs: Iterable[S],
    attempt: Callable[[list[S]], list[P]],
    *,
    expendable: Collection[str],
) -> Solution[P]:
    """Solve, and give up only what does not exist: the build, then the version.

    Of packages that are `expendable`, the package itself is given up last. `attempt`
    raises NoSolution. Raise EngineError where that is no help.
    """
    want: dict[str, list[S]] = {}
    for spec in specs:  # two lines of a file may be about one package
        want.setdefault(spec.name, []).append(spec)
    notes: list[str] = []
    lost: list[str] = []
    left_out: list[str] = []
    while True:
        try:
            found = attempt([spec for group in want.values() for spec in group])
            break
        except NoSolution as error:
            names = _culprits(error, want, elsewhere=bool(expendable))
            if not names and not lost:
                raise
            if not names:
                break
            for name in names:
                if _weaken(want, name, notes):
                    continue
                del want[name]
                if name in expendable:
                    left_out.append(name)
                    notes.append(f"{name} is not to be had here: left out")
                else:  # the rest goes on: there may be more to tell
                    lost.append(name)
    if lost:
        verb = "is" if len(lost) == 1 else "are"
        raise EngineError(
            f"{', '.join(lost)} {verb} in none of its channels.",
            hint="Correct the name in its file, or name a channel there that has it.",
        )
    if notes and not want:
        raise EngineError(
            f"Nothing of it is to be had here: {', '.join(sorted(expendable))}.",
            hint="Its packages are for another platform, or in other channels.",
        )
    return Solution(found, notes, left_out)


def as_far_as_true(spec: S, package: Any) -> str:  # noqa: ANN401 (each library's own)
    """Return as much of what was asked for as a package is; at least its name."""
    rung: S | None = spec
    while rung and not rung.matches(package):
        rung = rung.weaker()
    return str(rung or spec.name)


def _culprits(
    error: NoSolution, want: Mapping[str, Sequence[Spec]], *, elsewhere: bool
) -> list[str]:
    """Return which of the packages to give something up of."""
    missing = error.missing & want.keys()
    with_build = {
        name for name, specs in want.items() if any(spec.has_build for spec in specs)
    }
    exported = {
        name for name in with_build if not any(spec.is_version for spec in want[name])
    }
    if elsewhere and missing & exported:
        # Builds of another platform fit nowhere here, and solvers may tell one a time.
        return sorted(exported)
    if not missing and error.is_conflict:
        return sorted(with_build)  # each exists, but not together
    return sorted(missing)


def _weaken(want: dict[str, list[S]], name: str, notes: list[str]) -> bool:
    """Ask for less of a package; return False where there is nothing less."""
    weaker = {spec: spec.weaker() for spec in want[name]}
    want[name] = list(dict.fromkeys(less or spec for spec, less in weaker.items()))
    notes += [
        f"{spec} is not to be had here: {less} instead"
        for spec, less in weaker.items()
        if less
    ]
    return any(weaker.values())
