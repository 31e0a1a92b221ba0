"""rattler's cache of unpacked packages, and how far it can be trusted."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..locking import lock
from .archive import commands_in, files_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import rattler

    Package = rattler.RepoDataRecord

#: Of the note beside a package: a revision, then the sha256 of what is there.
_REVISION_SIZE: Final = 8


class PackageCache:
    """The packages below a folder, each unpacked beside a note of which one it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, packages: Iterable[Package]) -> set[str]:
        """Return what packages bring, named as in their archives."""
        places = [self._place(package) for package in packages]
        return {
            file for place in places for file in (*files_in(place), *commands_in(place))
        }

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out while something is fetched, and wait for them.

        rattler's installer takes the same lock, but what merely fetches takes none: it
        unpacks, and replaces what another process is about to read.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # nobody here may write, or lock, there
                self.folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((self.folder / ".cache.lock").open("a+b"))
                lock(file, wait=True)
            yield

    def forget_wrong(self, package: Package) -> None:
        """Remove a package that is not noted as this one, or is not whole.

        rattler takes what it has for what is noted beside it, and notes what it hopes
        for before it fetches that: after a failure, the old one would pass for the new.
        Only while the cache is locked.
        """
        place = self._place(package)
        if not place.exists():
            return
        with (
            contextlib.suppress(OSError),  # nobody here may write into the cache
            place.with_name(f"{place.name}.lock").open("a+b") as note,
        ):
            note.seek(0)
            noted = note.read()[_REVISION_SIZE:]
            is_whole = all(os.path.lexists(place / file) for file in files_in(place))
            if not is_whole or (package.sha256 and noted != package.sha256):
                shutil.rmtree(place, ignore_errors=True)
                note.truncate(0)

    def _place(self, package: Package) -> Path:
        name = f"{package.name.normalized}-{package.version}-{package.build}"
        return self.folder / name


def cache_folder() -> Path:
    """Return where rattler keeps things for all that is built on it, such as pixi."""
    if given := os.environ.get("RATTLER_CACHE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        usual = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        usual = "~/Library/Caches"
    else:
        usual = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(usual, "rattler", "cache").expanduser()
