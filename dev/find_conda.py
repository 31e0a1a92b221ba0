"""Find a conda on this machine that the tests can work with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_CONDA = (25, 11)
OLDEST_PYTHON = (3, 10)

# Where installers put a conda, when nothing says where it is.
FOLDERS = ("~", "/opt", "/usr/local")
NAMES = ("miniforge3", "miniconda3", "mambaforge", "anaconda3", "miniconda", "conda")

# Asked of a candidate's own python: only that one knows where its conda is.
PROBE = """
import json, sys, sysconfig
from pathlib import Path
import conda
print(json.dumps({
    "version": conda.__version__,
    "python_version": sys.version_info[:3],
    "folders": [
        str(Path(conda.__file__).parents[1]),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
    ],
}))
"""


class NoConda(Exception):
    """There is no conda to use, for this reason."""


@dataclass(frozen=True)
class Conda:
    """A conda that was found: read from, never written to."""

    root: Path
    python: Path
    version: str
    folders: tuple[str, ...]  # what makes it importable, in order

    def __str__(self) -> str:
        return f"conda {self.version} ({self.root})"


class BadConda(NoConda):
    """The conda that was asked for will not do, for this reason."""


def find_conda() -> Conda:
    """Return the conda that CONDA names, else the first one around that will do."""
    named = os.environ.get("CONDA", "")
    if named == "none":
        raise NoConda("CONDA=none")
    if named:
        try:
            return examine(Path(named).expanduser().absolute())
        except NoConda as reason:
            raise BadConda(reason) from reason
    unfit = []
    for root in dict.fromkeys(usual_roots()):
        if (root / "bin" / "python").exists():
            try:
                return examine(root)
            except NoConda as reason:
                unfit.append(str(reason))
    raise NoConda("; ".join(["no conda found (set CONDA=PATH)", *unfit]))


def usual_roots() -> Iterator[Path]:
    """Yield the root prefixes where a conda may be, the likeliest first."""
    for program in (os.environ.get("CONDA_EXE"), shutil.which("conda")):
        if program:
            # ROOT/bin/conda or ROOT/condabin/conda, perhaps through a link in ~/bin.
            yield Path(program).resolve().parent.parent
    for folder in FOLDERS:
        for name in NAMES:
            yield Path(folder).expanduser() / name


def examine(path: Path) -> Conda:
    """Return the conda at *path*, a root prefix or its python, if it will do."""
    root = path if path.is_dir() else path.parent.parent
    python = path / "bin" / "python" if path.is_dir() else path
    # Isolated: neither PYTHONPATH nor the folder we stand in may bring another conda.
    command = [str(python), "-I", "-c", PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoConda(f"{path}: cannot run {python} ({error})") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise NoConda(f"{path}: its python cannot import conda ({said[-1]})")
    found = json.loads(done.stdout)
    version = tuple(map(int, re.findall(r"\d+", found["version"])[:2]))
    if version < OLDEST_CONDA:
        raise NoConda(f"{path}: conda {found['version']} is older than 25.11")
    if tuple(found["python_version"]) < OLDEST_PYTHON:
        raise NoConda(f"{path}: its python is older than 3.10")
    return Conda(root, python, found["version"], tuple(dict.fromkeys(found["folders"])))
