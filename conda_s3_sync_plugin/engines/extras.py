"""What of an environment is no conda package: pip's, variables, the time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..atomic import replace_file
from ..exceptions import EngineError
from .prefix import (
    UNSET,
    normalized,
    pip_packages,
    records,
    to_ns,
    variables,
)
from .privacy import private_variables, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from .prefix import Record

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

#: conda itself does not let an environment set these.
_RESERVED: Final = ("PATH",)

#: The file of a conda package that tells pip of a distribution.
_METADATA = re.compile(
    r"(?:.*/)?site-packages/([^/-]+)[^/]*\."
    r"(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)"
)

#: The name in front of a requirement.
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")


def mirror_pip(
    prefix: Path, requirements: Iterable[str], *, exact: bool, prune: bool
) -> list[str]:
    """Install what pip shall have put into an environment; with `prune`, only that.

    `exact`: the requirements are complete, each with its version, so that none needs
    another. Packages of this machine alone (editable ones, say) stay. Not atomic: pip
    cannot take back what it has done. Return in words what differs. Raise EngineError
    with pip's own words.
    """
    packages = records(prefix)
    have, local = pip_packages(prefix, packages)
    named = _named(requirements)
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
        _pip(prefix, "install", "--no-deps", "--force-reinstall", "--", *missing)
    if not exact and want and (missing or extra):
        # All of them: what was uninstalled may be what one of the others needs.
        _pip(prefix, "install", "--", *want.values())
    return notes


def conda_distributions(packages: Iterable[Record]) -> Iterator[tuple[str, str, str]]:
    """Yield what pip could take for its own of conda's packages.

    Each as normalized name, conda's name of the package, metadata file in the prefix.
    """
    for record in packages:
        for file in record.get("files", ()):
            if "-info" in file and (match := _METADATA.fullmatch(file)):
                yield normalized(match[1]), record["name"], file


def lost_to_pip(prefix: Path) -> list[str]:
    """Return conda's packages that pip has replaced or removed, and left nothing of.

    conda still counts them as installed.
    """
    packages = records(prefix)
    found, local = pip_packages(prefix, packages)
    lost = {
        package
        for name, package, file in conda_distributions(packages)
        if name not in found and name not in local and not (prefix / file).exists()
    }
    return sorted(lost)


def add_pip(prefix: Path, requirements: Iterable[str]) -> None:
    """Install what an environment lacks, with all that it has staying as it is.

    Raise EngineError with pip's own words where that cannot be.
    """
    packages = records(prefix)
    have, local = pip_packages(prefix, packages)
    conda = {name for name, *_ in conda_distributions(packages)}
    named = _named(requirements)
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
        _pip(prefix, "install", "--constraint", str(constraints), "--", *missing)


def _named(requirements: Iterable[str]) -> dict[str, str]:
    return {_name(requirement): requirement for requirement in requirements}


def _name(requirement: str) -> str:
    """Return the normalized name; a bare URL has none, and stands for itself."""
    if _URL.match(requirement):
        return requirement
    match = _NAME.match(requirement)
    if match is None:
        raise EngineError(f"{requirement!r} is no package that pip could install.")
    return normalized(match[1])


def _pip(prefix: Path, *args: str) -> str:
    """Run an environment's own pip, with nothing of the user's python."""
    python = prefix / ("python.exe" if os.name == "nt" else "bin/python")
    command = [str(python), "-I", "-m", "pip", *args]
    kept = {key: text for key, text in os.environ.items() if key not in _LEFT_OUT}
    try:
        done = subprocess.run(  # noqa: S603 (no shell, and no option from a bucket)
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
        raise EngineError(f"{python} cannot be run: {error.strerror}") from None
    if done.returncode:
        raise EngineError(
            f"pip {args[0]} failed: {_last_words(done.stderr)}",
            hint="conda's packages are in place; the next run tries pip again.",
        )
    return done.stdout


def _search_path(prefix: Path) -> str:
    """Return where builds find the environment's own programs, as if it were active."""
    folders = ["bin"]
    if os.name == "nt":  # and python the libraries that it needs for TLS
        library = ("mingw-w64/bin", "usr/bin", "bin")
        folders = ["", *(f"Library/{name}" for name in library), "Scripts", "bin"]
    own = [str(prefix / folder) for folder in folders]
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def _last_words(stderr: str) -> str:
    """Pick out of pip's output the line that says why."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    last = (errors or lines or ["without a word"])[-1]
    return without_credentials(last.removeprefix("ERROR: "))


def mirror_variables(
    prefix: Path, want: Mapping[str, str], *, secrets: bool, prune: bool
) -> list[str]:
    """Set an environment's variables; with `prune`, unset others.

    Those of this machine alone stay; without `secrets`, so do those that look like one.
    Return in words what differs.
    """
    have = variables(prefix)
    private = private_variables(have, secrets=secrets)
    stay = {name: have[name] for name in have if name in private or not prune}
    mine = {name: have[name] for name in private}
    left_out = [name for name in _RESERVED if name in want]
    values = {**stay, **want, **mine}
    values = {name: values[name] for name in sorted(values) if name not in left_out}
    if values != have:
        _write_variables(prefix / "conda-meta" / "state", values)
    notes = [
        f"variable {name} stays as it is here: {why}"
        for name, why in private.items()
        if want.get(name, have[name]) != have[name]
    ]
    return notes + [
        f"variable {name} is left out: conda forbids it" for name in left_out
    ]


def _write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Write the state file of an environment, with what else conda keeps in it."""
    state: dict[str, Any] = {"version": 1}
    if path.exists():
        state = json.loads(path.read_bytes())
    # These hide variables that packages or outer environments set.
    hidden = {
        name: value
        for name, value in state.get("env_vars", {}).items()
        if value == UNSET
    }
    state["env_vars"] = {**hidden, **values}
    replace_file(path, json.dumps(state, indent=2).encode())


def set_modified(prefix: Path, modified: datetime) -> None:
    """Give an environment the time of the version that it now holds."""
    nanoseconds = to_ns(modified)
    os.utime(prefix / "conda-meta" / "history", ns=(nanoseconds, nanoseconds))
