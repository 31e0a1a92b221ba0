"""pip's part of an environment, read and changed by the environment's own pip."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..exceptions import EngineError, PipError
from ..validation import has_option
from .distributions import normalized, pip_packages
from .prefix import records
from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .prefix import Record

_AGAIN: Final = "conda's packages are in place; the next run tries pip again."

#: Whatever the user's pip is set to: into this environment, and without questions.
_PIP_SETTINGS: Final = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_USER": "0",
    "PYTHONNOUSERSITE": "1",
}

#: These would lead elsewhere, and pip has no word for "not this".
_LEFT_OUT: Final = (
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
)

#: The file of a conda package that tells pip of a distribution.
_METADATA = re.compile(
    r"(?:.*/)?site-packages/([^/-]+)[^/]*\."
    r"(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)"
)

#: The name in front of a requirement; a URL and a path on this disk have none.
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_PLACE = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*://|[.~/\\]|[^\s@;]+[/\\])")

#: Options that say where and how pip looks for packages, and those that bring some.
_LOOKS = re.compile(
    r"\s*(-[if]|--((extra-)?index-url|no-index|find-links|trusted-host|pre|"
    r"(prefer|no|only)-binary))([\s=]|$)"
)
_BRINGS = re.compile(r"\s*(-[re]|--(requirement|editable)[\s=])")


def mirror_pip(
    prefix: Path,
    packages: Sequence[Record],
    requirements: Iterable[str],
    *,
    exact: bool,
    prune: bool,
) -> list[str]:
    """Install what pip shall have put into an environment; with `prune`, only that.

    `packages`: those of conda. `exact`: the requirements are complete, each with its
    version, so that none needs another. Packages of this machine alone (editable ones,
    say) stay. Not atomic: pip cannot take back what it has done. Return in words what
    differs. Raise PipError; of requirements that are exact, all that can be installed
    are.
    """
    have, local = pip_packages(prefix, packages)
    options, named = _sort_out(requirements)
    notes = [
        f"pip package {name} stays as it is here: {local[name]}"
        for name in named
        if name in local
    ]
    want = {name: text for name, text in named.items() if name not in local}
    # conda has just changed a package that pip had replaced: the files are conda's, the
    # metadata is of both.
    mixed = have.keys() & {
        name
        for name, _, file in conda_distributions(packages)
        if (prefix / file).exists()
    }
    extra = {name for name in have if name in mixed or (prune and name not in want)}
    missing = [
        text for name, text in want.items() if have.get(name) != text or name in mixed
    ]
    if extra:
        _pip(prefix, "uninstall", "--yes", *sorted(extra))
    if mixed:  # of two of one name, pip sees one at a time
        _pip(prefix, "uninstall", "--yes", *sorted(mixed))
    if exact and missing:
        _install_exactly(prefix, options, missing)
    brings = any(map(_BRINGS.match, options))  # and nobody knows what
    if not exact and (brings or (want and (missing or extra))):
        # All of them: what was uninstalled may be what one of the others needs.
        _install(prefix, [*options, *want.values()])
    return notes


def _sort_out(requirements: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Take pip's options from what it shall install: normalized name -> requirement."""
    lines = list(requirements)
    options = [line for line in lines if line.lstrip().startswith("-")]
    named = {_name(line): line for line in lines if line not in options}
    return options, named


def lookups(requirements: Iterable[str]) -> list[str]:
    """Return the options among them that say where pip looks: no package of its own."""
    return [line for line in requirements if _LOOKS.match(line)]


def _install_exactly(prefix: Path, options: list[str], wanted: list[str]) -> None:
    """Install packages that need no others; one that fails keeps none of them away."""
    flags = ("--no-deps", "--force-reinstall")
    try:
        _install(prefix, [*options, *wanted], *flags)
        return
    except PipError as error:
        if not error.why:
            raise
        failed = {wanted[0]: error.why}
    if len(wanted) > 1:
        failed = {}
        for requirement in wanted:
            try:
                _install(prefix, [*options, requirement], *flags)
            except PipError as error:
                failed[requirement] = error.why
    if failed:
        names = ", ".join(map(without_credentials, failed))
        reasons = dict.fromkeys(failed.values())
        raise PipError(
            f"pip could not install {names}", why="; ".join(reasons), hint=_AGAIN
        )


def conda_distributions(packages: Iterable[Record]) -> Iterator[tuple[str, str, str]]:
    """Yield what pip could take for its own of conda's packages.

    Each as normalized name, conda's name of the package, metadata file in the prefix.
    """
    for record in packages:
        for file in record.get("files", ()):
            if "-info" in file and (match := _METADATA.fullmatch(file)):
                yield normalized(match[1]), record["name"], file


def lost_to_pip(prefix: Path, packages: Sequence[Record]) -> list[str]:
    """Return conda's packages that pip has replaced or removed, and left nothing of.

    conda still counts them as installed.
    """
    found, local = pip_packages(prefix, packages)
    lost = {
        package
        for name, package, file in conda_distributions(packages)
        if name not in found and name not in local and not (prefix / file).exists()
    }
    return sorted(lost)


def add_pip(prefix: Path, requirements: Iterable[str]) -> None:
    """Install what an environment lacks, with all that it has staying as it is.

    Raise PipError where that cannot be.
    """
    packages = records(prefix)
    have, local = pip_packages(prefix, packages)
    conda = {name for name, *_ in conda_distributions(packages)}
    options, named = _sort_out(requirements)
    missing = [
        text
        for name, text in named.items()
        if name not in have and name not in local and name not in conda
    ]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(_pip(prefix, "list", "--format=freeze"), "utf-8")
        _install(prefix, [*options, *missing], "--constraint", str(constraints))


def _name(requirement: str) -> str:
    """Return the normalized name; what has none stands for itself."""
    if _PLACE.match(requirement):
        return requirement
    match = _NAME.match(requirement)
    if match is None:
        raise EngineError(f"{requirement!r} is no package that pip could install.")
    return normalized(match[1])


def python_in(prefix: Path) -> Path:
    """Return the python of an environment, there or not."""
    return prefix / ("python.exe" if os.name == "nt" else "bin/python")


def _install(prefix: Path, requirements: Sequence[str], *flags: str) -> None:
    """Install packages; where there are options among them, as pip reads a file."""
    if not any(map(has_option, requirements)):
        _pip(prefix, "install", *flags, "--", *requirements)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("".join(f"{line}\n" for line in requirements), "utf-8")
        _pip(prefix, "install", *flags, "--requirement", str(file))


def _pip(prefix: Path, *args: str) -> str:
    """Run an environment's own pip, with nothing of the user's python."""
    python = python_in(prefix)
    command = [str(python), "-I", "-m", "pip", *args]
    kept = {key: text for key, text in os.environ.items() if key not in _LEFT_OUT}
    try:
        done = subprocess.run(  # noqa: S603 (no shell)
            command,
            cwd=prefix,
            env={**kept, **_PIP_SETTINGS, "PATH": _search_path(prefix)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise PipError(
            f"{python} cannot be run: {error.strerror}", hint=_AGAIN
        ) from None
    if done.returncode:
        raise PipError(f"pip {args[0]} failed", why=_why(done.stderr), hint=_AGAIN)
    return done.stdout


def _search_path(prefix: Path) -> str:
    """Return where builds find the environment's own programs, as if it were active."""
    folders = ["bin"]
    if os.name == "nt":  # and python the libraries that it needs for TLS
        library = ("mingw-w64/bin", "usr/bin", "bin")
        folders = ["", *(f"Library/{name}" for name in library), "Scripts", "bin"]
    own = [str(prefix / folder) for folder in folders]
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def _why(stderr: str) -> str:
    """Pick out of pip's output the line that says why, and of which package."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR:")]
    # The last one is the nearest to a reason, but for this one, which names nothing.
    telling = [line for line in errors if "ResolutionImpossible" not in line]
    last = (telling or errors or lines or ["without a word"])[-1]
    return without_credentials(last.partition("ERROR: ")[2] or last)
