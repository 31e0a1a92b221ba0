"""What of an environment is no conda package: pip's, variables, the time."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from ..exceptions import EngineError
from .prefix import looks_secret, normalized, pip_packages, records, to_ns, variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

#: Whatever the user's pip is set to: into this environment, and without questions.
_PIP_SETTINGS: Final = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_USER": "0",
}

#: The name in front of a requirement.
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def mirror_pip(
    prefix: Path, requirements: Iterable[str], *, exact: bool, prune: bool
) -> None:
    """Install what pip shall have put into an environment; with `prune`, only that.

    `exact`: the requirements are complete, each with its version, so that none needs
    another. Packages of this machine alone (editable ones, say) stay. Not atomic: pip
    cannot take back what it has done. Raise EngineError with pip's own words.
    """
    have, _ = pip_packages(prefix, records(prefix))
    want = {_name(requirement): requirement for requirement in requirements}
    extra = [name for name in have if name not in want]
    missing = [text for name, text in want.items() if have.get(name) != text]
    if extra and prune:
        _pip(prefix, "uninstall", "--yes", *extra)
    if missing:
        options = ["--no-deps", "--force-reinstall"] if exact else []
        _pip(prefix, "install", *options, "--", *missing)


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    if match is None:
        raise EngineError(f"{requirement!r} is no package that pip could install.")
    return normalized(match[1])


def _pip(prefix: Path, *args: str) -> None:
    """Run an environment's own pip, with nothing of the user's python."""
    python = prefix / ("python.exe" if os.name == "nt" else "bin/python")
    command = [str(python), "-I", "-m", "pip", *args]
    try:
        done = subprocess.run(  # noqa: S603 (no shell, and no option from a bucket)
            command,
            cwd=prefix,
            env={**os.environ, **_PIP_SETTINGS},
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


def _last_words(stderr: str) -> str:
    """Pick out of pip's output the line that says why."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    return (errors or lines or ["without a word"])[-1].removeprefix("ERROR: ")


def mirror_variables(
    prefix: Path, want: Mapping[str, str], *, secrets: bool, prune: bool
) -> None:
    """Set an environment's variables; with `prune`, unset others.

    Without `secrets`, those that look like one belong to this machine alone, and stay.
    """
    have = variables(prefix)
    kept = {
        name: value
        for name, value in have.items()
        if not prune or (not secrets and looks_secret(name, value))
    }
    values = dict(sorted({**kept, **want}.items()))
    if values == have:
        return
    path = prefix / "conda-meta" / "state"
    state = json.loads(path.read_bytes()) if path.exists() else {"version": 1}
    state["env_vars"] = values
    replace_file(path, json.dumps(state, indent=2).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a crash leaves the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def set_modified(prefix: Path, modified: datetime) -> None:
    """Give an environment the time of the version that it now holds."""
    nanoseconds = to_ns(modified)
    os.utime(prefix / "conda-meta" / "history", ns=(nanoseconds, nanoseconds))
