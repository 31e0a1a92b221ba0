"""What is in site-packages, read from its plain files: conda's, pip's, or of here."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .prefix import Record

#: Endings of what tells of a distribution.
INFO: Final = (".dist-info", ".egg-info", ".egg-link")

_PYTHON = re.compile(r"python-(\d+\.\d+)\.[^-]*-[^-]*\.json")


def site_packages(prefix: Path, names: Iterable[str]) -> Iterator[Path]:
    """Find the site-packages folders, by the names in conda-meta."""
    for match in filter(None, map(_PYTHON.fullmatch, names)):
        for path in (
            f"lib/python{match[1]}/site-packages",
            f"lib/python{match[1]}t/site-packages",  # free-threaded
            f"lib/pypy{match[1]}/site-packages",
            "Lib/site-packages",
        ):
            if (prefix / path).is_dir():
                yield prefix / path


def pip_packages(
    prefix: Path, packages: Iterable[Record]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what no conda package has put into site-packages.

    First those that pip can install elsewhere, normalized name -> requirement; then
    those of this machine alone, name -> why.
    """
    found: dict[str, str] = {}
    local: dict[str, str] = {}
    for path in _not_of_conda(prefix, packages):
        _sort_in(path, found, local)
    return found, local


def pip_files(prefix: Path, packages: Iterable[Record]) -> dict[Path, list[Path]]:
    """Return the files of what pip can install elsewhere, by site-packages folder.

    As far as they are inside the prefix, and whether they are there or not.
    """
    files: dict[Path, list[Path]] = defaultdict(list)
    for path in _not_of_conda(prefix, packages):
        found: dict[str, str] = {}
        _sort_in(path, found, {})
        for file in _recorded(path) if found else ():
            place = Path(os.path.normpath(path.parent / file))
            if place.is_relative_to(prefix):
                files[path.parent].append(place)
    return files


def _recorded(path: Path) -> Iterable[os.PathLike[str]]:
    """Return what a distribution says are its files; none, if nobody can read that."""
    try:
        return Distribution.at(path).files or ()
    except (OSError, ValueError, csv.Error):
        return ()


def _not_of_conda(prefix: Path, packages: Iterable[Record]) -> Iterator[Path]:
    """Find what no conda package has put into site-packages."""
    owned = {
        file.partition(ending)[0] + ending
        for record in packages
        for file in record.get("files", ())
        for ending in INFO
        if ending in file
    }
    names = (path.name for path in (prefix / "conda-meta").iterdir())
    for site in site_packages(prefix, names):
        for path in sorted(site.iterdir()):
            if path.suffix not in INFO or path.relative_to(prefix).as_posix() in owned:
                continue
            if not path.name.startswith("~"):  # what an uninstall could not remove
                yield path


def _sort_in(path: Path, found: dict[str, str], local: dict[str, str]) -> None:
    """Read the metadata of one distribution; without any, it is none."""
    if path.suffix == ".egg-link":
        local[normalized(path.stem)] = "an editable install"
        return
    dist = Distribution.at(path)
    try:
        metadata: Any = dist.metadata
        name, version = metadata.get("Name"), metadata.get("Version")
    except (OSError, ValueError):
        local[path.stem] = "its metadata cannot be read"
        return
    if not name:
        return
    name = normalized(name)
    try:
        direct = json.loads(dist.read_text("direct_url.json") or "null")
        source = _requirement_url(direct) if direct else None
    except (ValueError, KeyError, TypeError, AttributeError):
        local[name] = "its direct_url.json cannot be read"
        return
    if direct and not source:
        url = without_credentials(str(direct["url"])).partition("?")[0]
        local[name] = f"installed from {url}"
    elif source:
        found[name] = f"{name} @ {source}"
    elif version:
        found[name] = f"{name}=={version}"
    else:
        local[name] = "its metadata names no version"


def _requirement_url(direct: Mapping[str, Any]) -> str | None:
    """Read direct_url.json (PEP 610) as a requirement's URL; None: a local install."""
    url = without_credentials(direct["url"])
    if "dir_info" in direct or url.startswith("file:") or "?" in url:
        return None  # a query may be what lets this machine in
    if vcs := direct.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    hashes = direct.get("archive_info", {}).get("hashes", {})
    parts = [f"{key}={value}" for key, value in sorted(hashes.items())]
    if folder := direct.get("subdirectory"):
        parts.append(f"subdirectory={folder}")
    return f"{url}#{'&'.join(parts)}" if parts else url


def normalized(name: str) -> str:
    """Spell the name of a distribution as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()
