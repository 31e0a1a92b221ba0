"""What pip has installed for a python that goes: nobody else takes it away."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .distributions import pip_files, site_packages
from .prefix import records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def none_left(prefix: Path) -> Iterator[None]:
    """Remove what pip has installed, if its folder goes out of use meanwhile.

    Packages of this machine alone (editable ones, say) stay: nothing brings them back.
    """
    meta = prefix / "conda-meta"
    before = pip_files(prefix, records(prefix)) if meta.is_dir() else {}
    yield
    in_use = set(site_packages(prefix, (path.name for path in meta.iterdir())))
    idle = [file for site in before.keys() - in_use for file in before[site]]
    if not idle:
        return
    kept = {prefix / file for item in records(prefix) for file in item.get("files", ())}
    for file in idle:
        if file not in kept:
            _remove(file, prefix)


def _remove(file: Path, prefix: Path) -> None:
    """Remove a file, what python has made of it, and folders that are empty then."""
    paths = [file]
    if file.suffix == ".py":
        paths += file.parent.glob(f"__pycache__/{file.stem}.*.pyc")
    for path in paths:
        with contextlib.suppress(OSError):  # gone, or not ours: in nobody's way
            path.unlink()
        for folder in path.parents:
            if folder == prefix:
                break
            try:
                folder.rmdir()
            except OSError:  # there is more in it
                break
