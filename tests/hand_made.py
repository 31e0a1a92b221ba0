"""Environments made by hand, file by file: what reads plain files needs no conda."""

from __future__ import annotations

import json
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from make_channel import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHANNEL = "https://conda.anaconda.org/conda-forge"
SITE = f"lib/{PYTHON}/site-packages"
VERSION = ".".join(map(str, sys.version_info[:3]))


def make_prefix(prefix: Path) -> Path:
    """Make an empty environment."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").touch()
    return prefix


def make_python_prefix(prefix: Path) -> Path:
    """Make an environment with a python that runs and a pip that installs."""
    make_prefix(prefix)
    interpreter = Path(sys.base_prefix, "bin", PYTHON).resolve()
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(interpreter)
    (prefix / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\n")
    (prefix / SITE).mkdir(parents=True)
    # pip removes a folder of which it removes all files, links to folders not counted.
    (prefix / SITE / "README.txt").touch()
    add_record(prefix, "python", VERSION)
    pip = distribution("pip")
    info = f"pip-{pip.version}.dist-info"
    for folder in ("pip", info):
        (prefix / SITE / folder).symlink_to(Path(str(pip.locate_file(folder))))
    add_record(prefix, "pip", pip.version, files=[f"{SITE}/{info}/METADATA"])
    return prefix


def add_record(
    prefix: Path, name: str, version: str = "1.0", **changes: Any
) -> dict[str, Any]:
    """Record a conda package, as if it were installed, and return the record."""
    file = f"{name}-{version}-{changes.get('build', '0')}"
    record = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "subdir": "linux-64",
        "fn": f"{file}.conda",
        "url": f"{CHANNEL}/linux-64/{file}.conda",
        "sha256": "0" * 64,
        "md5": "0" * 32,
        "size": 1,
        "depends": [],
        "files": [],
        "extracted_package_dir": f"/pkgs/{file}",
        **changes,
    }
    (prefix / "conda-meta" / f"{file}.json").write_text(json.dumps(record))
    return record


def add_conda_distribution(prefix: Path, name: str, version: str) -> None:
    """Record a conda package that is a python distribution, and write its files."""
    add_distribution(prefix, name, version)
    files = [f"{SITE}/{name}.py", f"{SITE}/{name}-{version}.dist-info/METADATA"]
    (prefix / files[0]).write_text(f"__version__ = {version!r}\n")
    files.append(f"{SITE}/{name}-{version}.dist-info/RECORD")
    lines = [file.removeprefix(f"{SITE}/") + ",,\n" for file in files]
    (prefix / files[-1]).write_text("".join(lines))
    add_record(prefix, name, version, files=files)


def add_distribution(
    prefix: Path,
    name: str,
    version: str,
    *,
    direct: object = None,
    ending: str = ".dist-info",
) -> Path:
    """Write the metadata of a distribution, as pip does; return its folder."""
    folder = prefix / SITE / f"{name}-{version}{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    file = "METADATA" if ending == ".dist-info" else "PKG-INFO"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / file).write_text(text)
    if direct is not None:
        (folder / "direct_url.json").write_text(json.dumps(direct))
    return folder


def write_variables(prefix: Path, variables: Mapping[str, object]) -> Path:
    """Write what `conda env config vars set` writes; return the file."""
    path = prefix / "conda-meta" / "state"
    path.write_text(json.dumps({"version": 1, "env_vars": dict(variables)}))
    return path


def write_history(prefix: Path, lines: Iterable[str]) -> None:
    """Write what conda remembers of its commands."""
    (prefix / "conda-meta" / "history").write_text("\n".join(lines))


def snapshot(prefix: Path) -> dict[str, tuple[object, ...]]:
    """Return all there is below a folder: content, mode and time of each file."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(prefix.rglob("*")):
        stat = path.lstat()
        what: object = None
        if path.is_symlink():
            what = path.readlink()
        elif path.is_file():
            what = path.read_bytes()
        time = None if path.is_dir() else stat.st_mtime_ns
        found[path.relative_to(prefix).as_posix()] = (what, stat.st_mode, time)
    return found
